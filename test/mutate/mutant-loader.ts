/** Loaded into each process of a test before all else: gives one module its changed text, so that the checkout itself never changes. */
import { registerHooks } from 'node:module';
import { pathToFileURL } from 'node:url';
import { type Mutant, mutated } from './mutant.ts';

const mutant = JSON.parse(process.env.FAIRLEAD_MUTANT ?? '{}') as Mutant;
const url = pathToFileURL(mutant.file).href;

registerHooks({
  load(asked, context, next) {
    const loaded = next(asked, context);
    return asked === url ? { ...loaded, source: mutated(Buffer.from(loaded.source as Uint8Array).toString(), mutant) } : loaded;
  },
});
