/**
 * `npm test` and `npm run unit`: runs test files, each in a process of its own. `node test/runner/run.ts [PATTERN…] [--FLAG…]`; without a pattern
 * those beside the source; flags go to every process, such as `--test-name-pattern=dns`. Exits with 0, with 1 when something failed, with 2 when there is nothing to run and with 130 when interrupted.
 */
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { type FileResult, FileRun, type Limits } from './file-run.ts';
import { Report } from './report.ts';

/** Whole clusters, nodes and other people's programs: these want the machine, and are run fewer at a time. */
const heavy = /\.integration\.test\.ts$|^test\/(e2e|interop|control-plane|dns|rules)\//;
/** Emulated machines have one CPU each, and much to wait for; so have machines that join, and the bad days of stores. They are run side by side, when the others are done. */
const emulated = /^test\/(guest|kernels|setup|stores)\//;

function kindOf(file: string): 'light' | 'heavy' | 'emulated' {
  return heavy.test(file) ? 'heavy' : emulated.test(file) ? 'emulated' : 'light';
}

interface Run {
  readonly flags: readonly string[];
  readonly limits: { readonly light: Limits; readonly heavy: Limits };
  readonly report: Report;
  readonly running: Set<FileRun>;
  readonly signal: AbortSignal;
}

async function runFile(file: string, { flags, limits, report, running }: Run): Promise<FileResult> {
  const one = new FileRun(file, kindOf(file) === 'light' ? limits.light : limits.heavy, (event) => report.event(file, event));
  running.add(one);
  const result = await one.run(flags);
  running.delete(one);
  report.file(result);
  return result;
}

async function runAll(files: readonly string[], atOnce: number, run: Run): Promise<void> {
  const queue = [...files];
  const take = async (): Promise<void> => {
    for (let file = queue.shift(); file !== undefined && !run.signal.aborted; file = queue.shift()) await runFile(file, run);
  };
  await Promise.all(Array.from({ length: atOnce }, take));
}

/** A few files that failed have a second attempt, on a machine that is quiet by now; with more of them something is wrong. */
async function runAgain(most: number, run: Run): Promise<void> {
  const failed = run.report.failed();
  if (run.signal.aborted || failed.length === 0 || failed.length > most) return;
  run.report.again(failed);
  await runAll(failed, 1, run);
}

async function main(): Promise<number> {
  const flags = process.argv.slice(2).filter((word) => word.startsWith('--'));
  const given = process.argv.slice(2).filter((word) => !word.startsWith('--'));
  const patterns = given.length > 0 ? given : ['src/**/*.test.ts'];
  const files = globSync(patterns).toSorted();
  if (files.length === 0) {
    process.stderr.write(`Error: no test file matches ${patterns.join(' ')}\n`);
    return 2;
  }
  const limitFlag = (name: string, preset: number): number => 1000 * Number(process.env[`FAIRLEAD_TEST_${name}`] ?? preset);
  const [linger, grace] = [limitFlag('LINGER', 60), limitFlag('GRACE', 15)];
  const report = new Report((text) => process.stdout.write(text), files.length);
  const stop = new AbortController();
  const run: Run = {
    flags,
    limits: { light: { file: limitFlag('LIMIT', 600), linger, grace }, heavy: { file: limitFlag('LIMIT', 1800), linger, grace } },
    report,
    running: new Set(),
    signal: stop.signal,
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => {
      if (!stop.signal.aborted)
        report.interrupted([...run.running].map((one) => `${one.file}: ${one.running().join(', ') || 'between tests'}`));
      stop.abort();
      for (const one of run.running) one.stop('interrupted');
    });
  const cores = availableParallelism();
  const atOnce = { light: cores, heavy: Math.max(1, cores - 1), emulated: cores };
  for (const [kind, count] of Object.entries(atOnce)) {
    const those = files.filter((file) => kindOf(file) === kind);
    await runAll(those, count, run);
  }
  await runAgain(Number(process.env.FAIRLEAD_TEST_AGAIN ?? 0), run);
  const well = report.end();
  return stop.signal.aborted ? 130 : well ? 0 : 1;
}

process.exitCode = await main();
