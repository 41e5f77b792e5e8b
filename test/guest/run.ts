/** Runs a test file in the guest: `node test/guest/run.ts [--test-name-pattern=…] FILE`. */
import { runInGuest } from './guest.ts';

const limitMs = 1_800_000;
const words = process.argv.slice(2).map((word) => `'${word}'`);
const script = `'${process.execPath}' --test --test-reporter=spec ${words.join(' ')}`;
process.exitCode = await runInGuest(script, limitMs, async ({ code, output }) => {
  process.stdout.write(output);
  return typeof code === 'number' ? code : 125;
});
