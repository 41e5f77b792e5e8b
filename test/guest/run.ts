/** Runs a test file in the guest: `node test/guest/run.ts [--test-name-pattern=…] FILE`. */
import { runInGuest } from './guest.ts';

const limitMs = 1_800_000;
const quote = (word: string): string => `'${word}'`;
const given = Object.entries(process.env).filter(([name]) => /^(?:FAIRLEAD|PEER)_/.test(name));
const settings = given.map(([name, value]) => `export ${name}=${quote(value ?? '')}`);
const words = process.argv.slice(2);
const reporter = words.some((word) => word.startsWith('--test-reporter=')) ? [] : ['--test-reporter=spec'];
const command = [process.execPath, '--test', ...reporter, ...words].map(quote).join(' ');
const script = [...settings, command].join('\n');
process.exitCode = await runInGuest(script, limitMs, async ({ code, output }) => {
  process.stdout.write(output);
  return typeof code === 'number' ? code : 125;
});
