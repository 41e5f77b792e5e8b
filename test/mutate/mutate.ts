/**
 * `npm run mutate -- FOLDER`: does a folder's own suite of unit tests notice small faults? Changes one thing at a time in its pure files (nothing that they load opens files,
 * sockets or processes), runs the
 * tests beside them that load the file, and names each change that all of them let pass. Exits with 0, also when changes survive; with 2 when
 * there is nothing to change or the tests fail as they are.
 */
import { chmodSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { seededRandom } from '../../src/clock/testing/seeded-random.ts';
import { FileRun } from '../runner/file-run.ts';
import { isPure, isSource, type Sources, testsOf, withLoaded } from './imports.ts';
import { describeMutant, type Mutant } from './mutant.ts';
import { mutantsOf } from './mutants.ts';
import { parse } from './parse.ts';

const usage = `usage: npm run mutate -- FOLDER [--seed N] [--most N] [--all] [--skip GLOB]… [-o json]

  --seed N     draws other changes (1)
  --most N     how many to try; 0 tries each (60)
  --all        also files that use files, sockets or processes
  --skip GLOB  leaves out files, such as a start file that only labs run, or slow tests
`;

/** How many tests run at once. */
const atOnce = 2;
const loader = join(import.meta.dirname, 'mutant-loader.ts');

interface Settings {
  readonly folder: string;
  readonly seed: number;
  readonly most: number;
  readonly all: boolean;
  readonly skip: readonly string[];
  readonly json: boolean;
}

function readSettings(args: readonly string[]): Settings | undefined {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      seed: { type: 'string', default: '1' },
      most: { type: 'string', default: '60' },
      all: { type: 'boolean', default: false },
      skip: { type: 'string', multiple: true, default: [] },
      output: { type: 'string', short: 'o', default: 'text' },
    },
  });
  const [seed, most] = [Number(values.seed), Number(values.most)];
  const [folder] = positionals;
  if (folder === undefined || positionals.length > 1 || !Number.isSafeInteger(seed) || !(most >= 0)) return undefined;
  return { folder: folder.replace(/\/+$/, ''), seed, most, all: values.all, skip: values.skip, json: values.output === 'json' };
}

function readSources({ folder, skip }: Settings): Sources {
  const files = globSync(`${folder}/**/*.{ts,mjs}`, { exclude: skip }).toSorted();
  return new Map(files.map((file) => [file, readFileSync(file, 'utf8')]));
}

function readText(file: string): string | undefined {
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

function draw(mutants: readonly Mutant[], most: number, seed: number): Mutant[] {
  const random = seededRandom(seed);
  const drawn = mutants.map((mutant) => ({ mutant, lot: random(2 ** 32) })).toSorted((a, b) => a.lot - b.lot);
  return drawn.slice(0, most === 0 ? undefined : most).map(({ mutant }) => mutant);
}

/** Runs `each` over the items, a few at a time. */
async function inTurn<T>(items: readonly T[], each: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const take = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await each(item);
  };
  await Promise.all(Array.from({ length: atOnce }, take));
}

/** Milliseconds it took, or undefined when a test failed, broke or took longer than the limit. Ends at the first failure. */
async function passes(test: string, limit: number, env: NodeJS.ProcessEnv): Promise<number | undefined> {
  const run = new FileRun(test, { file: limit, linger: limit, grace: 1_000 }, (event) => {
    if (event.kind === 'end' && event.result === 'failed') run.stop('failed');
  });
  const { failed, problem, ms } = await run.run(['--test-force-exit'], env);
  return failed === 0 && problem === undefined ? ms : undefined;
}

class Mutation {
  readonly #sources: Sources;
  /** Test → milliseconds that it takes with nothing changed. */
  readonly #usual = new Map<string, number>();
  readonly #env: NodeJS.ProcessEnv;

  /** Files that tests make go into `scratch`: one that is ended does not tidy up. */
  constructor(sources: Sources, scratch: string) {
    this.#sources = sources;
    this.#env = { TMPDIR: scratch };
  }

  /** The tests that fail with nothing changed. */
  async failing(tests: Iterable<string>): Promise<string[]> {
    const failing: string[] = [];
    await inTurn([...tests], async (test) => {
      const ms = await passes(test, 240_000, this.#env);
      if (ms === undefined) failing.push(test);
      else this.#usual.set(test, ms);
    });
    return failing;
  }

  /** Tests that take longer than three seconds. */
  slow(): string[] {
    return [...this.#usual].filter(([, ms]) => ms > 3_000).map(([test]) => test);
  }

  async survives(mutant: Mutant): Promise<boolean> {
    const mutation = { FAIRLEAD_MUTANT: JSON.stringify({ ...mutant, file: resolve(mutant.file) }), NODE_OPTIONS: `--import=${loader}` };
    for (const test of testsOf(mutant.file, this.#sources)) {
      // So much longer is an endless loop, or waits for what never comes, on a busy machine, too.
      const limit = 5_000 + 3 * (this.#usual.get(test) ?? 0);
      if ((await passes(test, limit, { ...this.#env, ...mutation })) === undefined) return false;
    }
    return true;
  }
}

function fail(text: string): 2 {
  process.stderr.write(text);
  return 2;
}

async function run(settings: Settings, scratch: string): Promise<number> {
  const { folder, seed, most, all, json } = settings;
  const sources = readSources(settings);
  const chosen = [...sources].filter(([file]) => isSource(file) && (all || isPure(file, readText)));
  const found = [...parse(new Map(chosen))].flatMap(([file, tree]) => mutantsOf(file, tree));
  if (found.length === 0) return fail(`Error: nothing to change in ${folder}\n`);
  const drawn = draw(found, most, seed);
  const loaded = withLoaded(sources, readText);
  const mutation = new Mutation(loaded, scratch);
  const tests = new Set(drawn.flatMap((mutant) => testsOf(mutant.file, loaded)));
  const failing = await mutation.failing(tests);
  for (const slow of mutation.slow()) process.stderr.write(`Slow for each survivor, think of --skip: ${slow}\n`);
  if (failing.length > 0) return fail(`Error: fails with nothing changed: ${failing.join(' ')}\n`);
  const survivors: { readonly file: string; readonly line: number; readonly change: string }[] = [];
  await inTurn(drawn, async (mutant) => {
    if (!(await mutation.survives(mutant))) return;
    const { file, line } = mutant;
    survivors.push({ file, line, change: describeMutant(sources.get(file)!, mutant) });
    if (!json) process.stdout.write(`${file}:${line}  ${survivors.at(-1)!.change}\n`);
  });
  const killed = drawn.length - survivors.length;
  if (json)
    process.stdout.write(`${JSON.stringify({ folder, seed, found: found.length, tried: drawn.length, killed, survivors }, null, 2)}\n`);
  else process.stdout.write(`killed ${killed} of ${drawn.length} (seed ${seed}; ${found.length} in all)\n`);
  return 0;
}

async function main(): Promise<number> {
  const settings = readSettings(process.argv.slice(2));
  if (!settings) return fail(usage);
  const scratch = mkdtempSync(join(tmpdir(), 'mutate-'));
  // Some tests become another user.
  chmodSync(scratch, 0o711);
  try {
    return await run(settings, scratch);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

process.exitCode = await main();
