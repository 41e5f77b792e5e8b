/**
 * The package beside the sources that it is made of: its size; how long `fairlead --version`, `server` and `agent` take until they are ready; what they
 * weigh then. Both run in one set of namespaces, in turns, and both with compiled code that an earlier start has left.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Machine, type Started, type Weight } from '../../src/package/testing/machine.ts';
import { buildPackage } from './build-package.ts';

const checkout = join(import.meta.dirname, '../..');
const rounds = 3;
/** Until what a start leaves behind has been collected, and compiled code is on the disk. */
const settleMs = 2_000;
const flushMs = 11_000;

/** Milliseconds of each of some runs, measured on the machine. */
const timeRuns = `
const [count, ...command] = process.argv.slice(1);
const { spawnSync } = require('node:child_process');
const times = Array.from({ length: Number(count) }, () => {
  const began = performance.now();
  spawnSync(command[0], command.slice(1), { stdio: 'ignore' });
  return performance.now() - began;
});
console.log(JSON.stringify(times));
`;

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function say(what: string, figures: Readonly<Record<string, string>>): void {
  const words = Object.entries(figures).map(([name, figure]) => `${name} ${figure}`);
  process.stdout.write(`${what.padEnd(44)} ${words.join('   ')}\n`);
}

function sizeBelow(dir: string): number {
  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.reduce((total, entry) => total + statSync(join(entry.parentPath, entry.name)).size, 0);
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;

/** Builds it in `dir`, tells its size, and gives where it is installed. */
async function build(dir: string): Promise<string> {
  const { archive, deb, installed } = await buildPackage(dir);
  const code = sizeBelow(join(installed, 'lib'));
  say('size', {
    'tar.gz': megabytes(statSync(archive).size),
    deb: megabytes(statSync(deb).size),
    installed: megabytes(sizeBelow(installed)),
    'of it Node.js': megabytes(statSync(join(installed, 'bin/node')).size),
    'our code with libraries': megabytes(code),
  });
  return installed;
}

interface Round {
  readonly started: Started;
  readonly weight: Weight;
}

/** Starts it in turns from each place, `rounds` times after a first time that does not count. */
async function inTurns(
  machine: Machine,
  programs: Readonly<Record<string, string>>,
  start: (program: string) => Promise<Started>,
): Promise<void> {
  const measured = new Map<string, Round[]>(Object.keys(programs).map((name) => [name, []]));
  for (let round = 0; round <= rounds; round++)
    for (const [name, program] of Object.entries(programs)) {
      const started = await start(program);
      await sleep(round === 0 ? flushMs : settleMs);
      const weight = await machine.weigh(started);
      if (round > 0) measured.get(name)?.push({ started, weight });
      await machine.stop(started);
    }
  for (const [name, all] of measured)
    say(`  ${name}`, {
      ready: `${median(all.map(({ started }) => started.ms)).toFixed(0)} ms`,
      resident: `${median(all.map(({ weight }) => weight.resident)).toFixed(0)} MB`,
      'of its own': `${median(all.map(({ weight }) => weight.own)).toFixed(0)} MB`,
    });
}

const dir = mkdtempSync(join(tmpdir(), 'bench-package-'));
try {
  const installed = await build(dir);
  const node = join(installed, 'bin/node');
  const programs = { package: join(installed, 'bin/fairlead'), sources: join(checkout, 'src/main/fairlead.sh') };
  const root = join(dir, 'root');
  mkdirSync(root);
  await using machine = await Machine.boot(root, '/');
  await machine.makeKeys(join(dir, 'one'));

  process.stdout.write('fairlead --version, until it has ended\n');
  for (const [name, command] of Object.entries({ 'Node.js alone': [node, '--eval', '0'], ...programs })) {
    const words = Array.isArray(command) ? command : [command, '--version'];
    const times = JSON.parse(await machine.must(node, '--eval', timeRuns, '11', ...words)) as number[];
    say(`  ${name}`, { 'at first': `${(times[0] ?? 0).toFixed(0)} ms`, afterwards: `${median(times.slice(1)).toFixed(0)} ms` });
  }
  process.stdout.write('fairlead server, until /readyz says ok\n');
  await inTurns(machine, programs, (program) => machine.startServer(node, program, join(dir, 'one')));
  process.stdout.write('fairlead agent, until every part is well\n');
  const server = await machine.startServer(node, programs.package, join(dir, 'one'));
  await inTurns(machine, programs, (program) => machine.startAgent(node, program, join(dir, 'one')));
  await machine.stop(server);
} finally {
  rmSync(dir, { recursive: true, force: true });
}
