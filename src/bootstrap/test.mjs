/** `npm test`: installs what is missing, checks types and style, runs every test. Arguments are patterns of test files instead, and flags
 * of node's test runner (`--test-name-pattern=dns`). */
import { join } from 'node:path';
import { ensureDependencies } from './dependencies.mjs';
import { ensurePackages } from './packages.mjs';
import { main, mustRun, root, runPinned, say } from './process.mjs';

main((args) => {
  ensureDependencies();
  ensurePackages({ forTests: true });
  const bin = join(root, 'node_modules/.bin');
  if (args.length === 0) {
    say('Checking types and style');
    mustRun(join(bin, 'tsc'), [], { env: { ...process.env, PATH: `${bin}:${process.env.PATH}` } });
    mustRun(join(bin, 'biome'), ['ci', '.', ...(process.stdout.isTTY ? [] : ['--colors=off'])]);
  }
  process.chdir(root);
  // Kernels, engines and clocks of a busy machine: a file or two may fail for nobody's fault. Those that pass then are named all the same.
  process.env.FAIRLEAD_TEST_AGAIN ??= '3';
  const flags = args.filter((word) => word.startsWith('--'));
  const named = args.filter((word) => !word.startsWith('--'));
  const patterns = [...flags, ...(named.length > 0 ? named : ['src/**/*.test.ts', 'test/**/*.test.ts'])];
  return runPinned('run the tests', [join(root, 'test/runner/run.ts'), ...patterns]);
});
