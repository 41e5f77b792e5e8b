/** `npm test`: installs what is missing, checks types and style, runs every test. Arguments are patterns of test files instead. */
import { join } from 'node:path';
import { ensureDependencies } from './dependencies.mjs';
import { ensurePackages } from './packages.mjs';
import { main, mustRun, root, runPinned, say } from './process.mjs';

main((args) => {
  ensureDependencies();
  ensurePackages();
  const bin = join(root, 'node_modules/.bin');
  if (args.length === 0) {
    say('Checking types and style');
    mustRun(join(bin, 'tsc'), [], { env: { ...process.env, PATH: `${bin}:${process.env.PATH}` } });
    mustRun(join(bin, 'biome'), ['ci', '.', ...(process.stdout.isTTY ? [] : ['--colors=off'])]);
  }
  process.chdir(root);
  const patterns = args.length > 0 ? args : ['src/**/*.test.ts', 'test/**/*.test.ts'];
  // A dot for each test, what failed in full, and one line of totals.
  const reporters = ['dot', join(root, 'test/summary-reporter.ts')].flatMap((r) => [
    `--test-reporter=${r}`,
    '--test-reporter-destination=stdout',
  ]);
  return runPinned('run the tests', ['--test', ...reporters, ...patterns]);
});
