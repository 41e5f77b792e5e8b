/** `npm run bench -- proxy-ipvs`: the bench of the proxy in mode ipvs, in a kernel that has it. Takes the options of `npm run bench -- proxy`. */
import { runInGuest } from './guest.ts';

const limitMs = 3_600_000;
const bench = (...words: readonly string[]): string =>
  [process.execPath, 'test/bench/proxy.ts', '--mode', 'ipvs', ...words].map((word) => `'${word}'`).join(' ');
// A guest has nothing of what a node keeps from one start to the next: compiled code (80 to 55 MB, and two of eight seconds).
const before = bench('--size', '1x2', '--changes', '1', '--idle', '0');
const script = `${before} >/dev/null 2>&1\n${bench(...process.argv.slice(2))}`;
process.exitCode = await runInGuest(script, limitMs, async ({ code, output }) => {
  process.stdout.write(output);
  return typeof code === 'number' ? code : 125;
});
