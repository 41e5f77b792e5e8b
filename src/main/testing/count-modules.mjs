/** Preloaded by modules.test.ts: prints the modules that were loaded, one a line, when the process ends. */
import { writeSync } from 'node:fs';
import { registerHooks } from 'node:module';

const loaded = new Set();
registerHooks({
  load(url, context, next) {
    if (url.startsWith('file:')) loaded.add(url);
    return next(url, context);
  },
});
process.on('exit', () => writeSync(3, [...loaded].join('\n')));
