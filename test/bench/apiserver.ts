/**
 * The API server as a process: requests in a second, what each costs, lists, many watches, memory. With `--peer kube-apiserver=PATH,etcd` the same of
 * kube-apiserver over an etcd in the same run, as ratios. CPU and memory are those of server and store together.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Program } from './apiserver/contestant.ts';
import { encodings, type Figures, type Limits, measure, requestNames, type Size } from './apiserver/measure.ts';
import { p50, p99, type Row, table } from './table.ts';

const usage = `usage: npm run bench -- apiserver [OPTIONS]

  --peer kube-apiserver=PATH,ETCD  measures kube-apiserver, too, and both over the program ETCD
  --store STORE[,STORE]            sqlite, etcd; default: sqlite, and etcd beside a peer
  --size NxM[,NxM…]                pods x watchers; lists are of 10,000 pods at most; default: 2000x200
  --rounds N                       of which medians are told; default: 1
  --seconds N                      for each kind of request; default: 2
  --changes N                      that all watchers hear of; default: 50
  --per-connection N               watches that share a connection of HTTP/2, 100 at most; default: 1, over HTTP/1.1
`;

const command: Program['command'] = [join(import.meta.dirname, '../../src/main/fairlead.sh'), 'apiserver'];

interface Choice {
  readonly programs: readonly Program[];
  readonly sizes: readonly Size[];
  readonly rounds: number;
  readonly limits: Limits;
}

function readChoice(args: readonly string[]): Choice {
  const { values } = parseArgs({
    args: [...args],
    options: {
      peer: { type: 'string' },
      store: { type: 'string' },
      size: { type: 'string', default: '2000x200' },
      rounds: { type: 'string', default: '1' },
      seconds: { type: 'string', default: '2' },
      changes: { type: 'string', default: '50' },
      'per-connection': { type: 'string', default: '1' },
    },
  });
  const [, name, path, etcd] = /^([^=]+)=([^,]+),(.+)$/.exec(values.peer ?? '') ?? [];
  if (values.peer !== undefined && etcd === undefined) throw new RangeError(`Cannot read --peer "${values.peer}": it is no NAME=PATH,ETCD`);
  const ours = (values.store ?? (etcd ? 'sqlite,etcd' : 'sqlite')).split(',').map((store): Program => {
    if (store === 'sqlite') return { name: 'SQLite', command };
    if (store === 'etcd') return { name: 'etcd', command, etcd: etcd ?? 'etcd' };
    throw new RangeError(`Cannot read --store "${store}": it is neither sqlite nor etcd`);
  });
  const sizes = values.size.split(',').map((text) => {
    const [pods = Number.NaN, watchers = Number.NaN] = text.split('x').map(Number);
    if (!(pods > 0 && watchers > 0)) throw new RangeError(`Cannot read --size "${text}": it is not like 50000x1000`);
    return { pods, watchers };
  });
  return {
    programs: [...ours, ...(name && path && etcd ? [{ name, command: [path, '--allow-privileged=true'] as const, etcd }] : [])],
    sizes,
    rounds: Number(values.rounds),
    limits: {
      requestsMs: Number(values.seconds) * 1000,
      lists: 5,
      changes: Number(values.changes),
      perConnection: Number(values['per-connection']),
    },
  };
}

const rows: readonly Row<Figures>[] = [
  ...requestNames.flatMap((name): Row<Figures>[] => [
    { what: name, unit: '/s', of: (f) => f.requests[name]!.rate, isMoreBetter: true },
    { what: '  CPU', unit: 'µs', of: (f) => f.requests[name]!.cpu },
  ]),
  ...(Object.keys(encodings) as (keyof typeof encodings)[]).flatMap((name): Row<Figures>[] => [
    { what: `list of all pods, ${name}`, unit: 'ms', of: (f) => f.lists[name].ms },
    { what: '  CPU', unit: 'ms', of: (f) => f.lists[name].cpuMs },
  ]),
  { what: 'until all watchers are connected', unit: 'ms', of: (f) => f.connecting.ms },
  { what: '  CPU', unit: 'ms', of: (f) => f.connecting.cpuMs },
  { what: 'a change, until a watcher has it, p50', unit: 'ms', of: (f) => p50(f.deliveredMs) },
  { what: '  p99', unit: 'ms', of: (f) => p99(f.deliveredMs) },
  { what: '  CPU for each watcher', unit: 'µs', of: (f) => f.deliveryCpu },
  { what: 'memory (PSS)', unit: 'MB', of: (f) => f.memory.all },
  { what: '  without its etcd', unit: 'MB', of: (f) => f.memory.own },
];

async function main({ programs, sizes, rounds, limits }: Choice): Promise<void> {
  // The first program would be measured together with a client that is not compiled yet.
  const watchers = Math.max(...sizes.map((size) => size.watchers));
  await measure(programs[0]!, { pods: 1, watchers }, { ...limits, requestsMs: 200, changes: 5 });
  for (const size of sizes) {
    const figures = new Map<string, Figures[]>(programs.map(({ name }) => [name, []]));
    for (let round = 0; round < rounds; round++)
      for (const program of programs) {
        process.stderr.write(`${program.name}, ${size.pods} pods, ${size.watchers} watchers …\n`);
        figures.get(program.name)?.push(await measure(program, size, limits));
      }
    process.stdout.write(table(`${size.pods} pods, ${size.watchers} watchers`, rows, figures));
  }
}

try {
  await main(readChoice(process.argv.slice(2)));
} catch (err) {
  process.stderr.write(`${err instanceof Error ? err.message : String(err)}\n\n${usage}`);
  process.exitCode = 2;
}
