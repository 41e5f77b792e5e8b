/** `npm run bench -- proxy-ipvs`: the bench of the proxy in mode ipvs, in a kernel that has it. Takes the options of `npm run bench -- proxy`. */
import { runInGuest } from './guest.ts';

const limitMs = 1_800_000;
const words = ['test/bench/proxy.ts', '--mode', 'ipvs', ...process.argv.slice(2)];
const script = [process.execPath, ...words].map((word) => `'${word}'`).join(' ');
process.exitCode = await runInGuest(script, limitMs, async ({ code, output }) => {
  process.stdout.write(output);
  return typeof code === 'number' ? code : 125;
});
