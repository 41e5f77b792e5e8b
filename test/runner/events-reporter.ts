/** The reporter of a test file's process: writes to descriptor 3 at once, so that what happened is known also when the process never ends. */
import { writeSync } from 'node:fs';
import { inspect } from 'node:util';
import { EventTranslator, type NodeTestEvent } from './events.ts';

export default async function* report(source: AsyncIterable<NodeTestEvent>): AsyncGenerator<string> {
  const translator = new EventTranslator((error) => inspect(error, { depth: 6 }));
  for await (const event of source) {
    const said = translator.translate(event);
    if (said) writeSync(3, `${JSON.stringify(said)}\n`);
  }
  yield '';
}
