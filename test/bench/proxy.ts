/**
 * The service proxy as a process: how long until it serves, how soon a change is in the kernel, what it costs. With `--peer kube-proxy=PATH` the same of
 * kube-proxy in the same mode in the same run, as ratios.
 */
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { messageOf } from '../../src/errors/known-error.ts';
import { mustRun, systemExec } from '../../src/linux/exec.ts';
import { buildPackage } from './build-package.ts';
import { fairlead, type Program } from './proxy/contestant.ts';
import { type Change, type Figures, type Limits, measure } from './proxy/measure.ts';
import type { Size } from './proxy/objects.ts';
import { p50, p99, type Row, table } from './table.ts';

const usage = `usage: npm run bench -- proxy [OPTIONS]

  --mode MODE[,MODE…]       nftables, iptables, ipvs, userspace; default: nftables,iptables
  --peer kube-proxy=PATH    measures kube-proxy, too
  --peer-mode MODE          in that mode rather than in the same: it has no userspace any more
  --legacy                  mode iptables by the legacy backend: what is called iptables on the path of the programs is iptables-legacy
  --peer-most ENDPOINTS     but not where all Services together have more: it takes minutes, later hours; default: 20000
  --size NxM[,NxM…]         Services x endpoints of each; default: 1x2,1000x2
  --package                 measures the package, which has a Node.js that no other process runs, in place of the sources
  --rounds N                of which medians are told; default: 1
  --changes N               of each kind, of which p99 is told; default: 200
  --idle SECONDS            default: 5
  --load SECONDS            until a program must serve, and follow a change; of one that does not nothing is told; default: 3600
  --first                   while changes are made, proxy and bench get a processor before all else (SCHED_FIFO): on a machine with other work
                            the slowest changes tell of that work alone
`;

interface Choice {
  readonly modes: readonly string[];
  readonly peers: readonly Program[];
  readonly peerMode: string | undefined;
  readonly isLegacy: boolean;
  readonly isPackage: boolean;
  readonly peerMost: number;
  readonly sizes: readonly Size[];
  readonly rounds: number;
  readonly limits: Limits;
}

function readChoice(args: readonly string[]): Choice {
  const { values } = parseArgs({
    args: [...args],
    options: {
      mode: { type: 'string', default: 'nftables,iptables' },
      peer: { type: 'string' },
      'peer-mode': { type: 'string' },
      'peer-most': { type: 'string', default: '20000' },
      legacy: { type: 'boolean', default: false },
      size: { type: 'string', default: '1x2,1000x2' },
      package: { type: 'boolean', default: false },
      rounds: { type: 'string', default: '1' },
      changes: { type: 'string', default: '200' },
      idle: { type: 'string', default: '5' },
      load: { type: 'string', default: '3600' },
      first: { type: 'boolean', default: false },
    },
  });
  const [name = '', path] = values.peer?.split('=') ?? [];
  if (values.peer !== undefined && path === undefined) throw new RangeError(`Cannot read --peer "${values.peer}": it is no NAME=PATH`);
  const sizes = values.size.split(',').map((text) => {
    const [services = Number.NaN, endpoints = Number.NaN] = text.split('x').map(Number);
    if (!(services > 0 && endpoints > 0)) throw new RangeError(`Cannot read --size "${text}": it is not like 1000x2`);
    return { services, endpoints };
  });
  return {
    modes: values.mode.split(','),
    peers: path === undefined ? [] : [{ name, command: [path] }],
    peerMode: values['peer-mode'],
    isLegacy: values.legacy,
    isPackage: values.package,
    peerMost: Number(values['peer-most']),
    sizes,
    rounds: Number(values.rounds),
    limits: {
      changes: Number(values.changes),
      changesMs: 20_000,
      idleMs: Number(values.idle) * 1000,
      trafficMs: 2000,
      loadMs: Number(values.load) * 1000,
      isFirst: values.first,
      hasNews: !values.legacy,
    },
  };
}

/** Without the API server of the bench, which makes the object and writes it down. */
const fromEvent = ({ inKernel, told }: Change): number => inKernel - told;

const rows: readonly Row<Figures>[] = [
  { what: 'first full sync', unit: 'ms', of: (f) => f.fullSyncMs },
  { what: 'from its start until it serves', unit: 'ms', of: (f) => f.serves },
  { what: 'CPU until it serves', unit: 's', of: (f) => f.cpu },
  { what: 'endpoint moved, until the kernel has it, p50', unit: 'ms', of: (f) => p50(f.moved.map((c) => c.inKernel)) },
  { what: 'the same, p99', unit: 'ms', of: (f) => p99(f.moved.map((c) => c.inKernel)) },
  { what: 'from its event to the kernel, p50', unit: 'ms', of: (f) => p50(f.moved.map(fromEvent)) },
  { what: 'the same, p99', unit: 'ms', of: (f) => p99(f.moved.map(fromEvent)) },
  { what: 'the same, p99 without the first ten', unit: 'ms', of: (f) => p99(f.moved.slice(10).map(fromEvent)) },
  { what: 'until packets follow, p50', unit: 'ms', of: (f) => p50(f.moved.map((c) => c.followed)) },
  { what: 'the same, p99', unit: 'ms', of: (f) => p99(f.moved.map((c) => c.followed)) },
  { what: 'of that the kernel alone, p50', unit: 'ms', of: (f) => p50(f.kernelShare) },
  { what: 'the same, p99', unit: 'ms', of: (f) => p99(f.kernelShare) },
  { what: 'CPU for it', unit: 'ms', of: (f) => f.movedCpuMs },
  { what: 'Service added, until packets follow, p50', unit: 'ms', of: (f) => p50(f.added.map((c) => c.followed)) },
  { what: 'the same, p99', unit: 'ms', of: (f) => p99(f.added.map((c) => c.followed)) },
  { what: 'CPU when idle', unit: '% of a core', of: (f) => f.idlePercent },
  { what: 'memory (PSS) once it serves', unit: 'MB', of: (f) => f.loadedMemory },
  { what: 'memory (PSS) after the changes', unit: 'MB', of: (f) => f.memory },
  { what: 'new connections', unit: '/s', of: (f) => f.connections, isMoreBetter: true },
  { what: 'connecting, p50', unit: 'µs', of: (f) => p50(f.firstPacket) * 1000 },
  { what: 'the same, p99', unit: 'µs', of: (f) => p99(f.firstPacket) * 1000 },
];

async function bench(ours: Program, { modes, peers, peerMode, peerMost, sizes, rounds, limits }: Choice): Promise<void> {
  for (const mode of modes)
    for (const size of sizes) {
      const programs = size.services * size.endpoints > peerMost ? [ours] : [ours, ...peers];
      const figures = new Map<string, Figures[]>(programs.map(({ name }) => [name, []]));
      for (let round = 0; round < rounds; round++)
        for (const program of programs) {
          process.stderr.write(`${program.name} in mode ${mode}, ${size.services} x ${size.endpoints} …\n`);
          try {
            figures.get(program.name)?.push(await measure(program, program === ours ? mode : (peerMode ?? mode), size, limits));
          } catch (err) {
            process.stderr.write(`${program.name} in mode ${mode}, ${size.services} x ${size.endpoints}: ${messageOf(err)}\n`);
            process.exitCode = 1;
          }
        }
      process.stdout.write(table(`mode ${mode}, ${size.services} Services x ${size.endpoints} endpoints`, rows, figures));
    }
}

/** The program of a package that is built in `dir`, with compiled code that a first start has left. */
async function packaged(dir: string, [mode = '']: readonly string[], limits: Limits): Promise<Program> {
  process.stderr.write('building the package …\n');
  const { installed } = await buildPackage(dir);
  const program: Program = { name: fairlead.name, command: [join(installed, 'bin/fairlead'), 'proxy'] };
  await measure(program, mode, { services: 1, endpoints: 2 }, { ...limits, changes: 0, idleMs: 0, trafficMs: 1 });
  return program;
}

/** Programs that this one starts find the legacy backend's tools, and a lock that nobody else holds. */
async function useLegacyTools(dir: string): Promise<void> {
  for (const family of ['ip', 'ip6'])
    for (const verb of ['', '-save', '-restore']) {
      const tool = (await mustRun(systemExec, 'which', [`${family}tables-legacy${verb}`])).trim();
      symlinkSync(tool, join(dir, `${family}tables${verb}`));
    }
  process.env.PATH = `${dir}:${process.env.PATH}`;
  process.env.XTABLES_LOCKFILE = join(dir, 'lock');
}

async function main(choice: Choice): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'bench-proxy-'));
  process.once('exit', () => rmSync(dir, { recursive: true, force: true }));
  if (choice.isLegacy) await useLegacyTools(dir);
  await bench(choice.isPackage ? await packaged(dir, choice.modes, choice.limits) : fairlead, choice);
}

try {
  await main(readChoice(process.argv.slice(2)));
} catch (err) {
  process.stderr.write(`${messageOf(err)}\n\n${usage}`);
  process.exitCode = 2;
}
