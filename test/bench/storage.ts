/**
 * The stores over their engines, each of which syncs every write to the disk of TMPDIR: writes, lists in pages, watches. With `--peer etcd` plain
 * etcd beside them, with `--peer kube-apiserver=PATH,ETCD` kube-apiserver, too, in the same run, as ratios. CPU is that of store and engine together.
 */
import { parseArgs } from 'node:util';
import { KubeApiserver } from './storage/kube-apiserver.ts';
import { type Figures, measure, pageSize, type Size, writerCounts } from './storage/measure.ts';
import { PlainEtcd } from './storage/plain-etcd.ts';
import { StoreSubject } from './storage/store-subject.ts';
import type { Subject } from './storage/subject.ts';
import { p50, p99, type Row, table } from './table.ts';

const usage = `usage: npm run bench -- storage [OPTIONS]

  --store STORE[,STORE…]              sqlite, etcd, redis, redis-replicas; default: the first three
  --peer etcd[=PATH]                  measures plain etcd, too
  --peer kube-apiserver=PATH,ETCD     measures plain etcd and kube-apiserver, too, all over the program ETCD
  --records N                         that there are; default: 10000
  --watchers N                        of all records; default: 100
  --seconds N                         of writes; default: 3
  --rounds N                          of which medians are told; default: 1
`;

interface Choice {
  /** By the name in the table. */
  readonly subjects: Readonly<Record<string, () => Promise<Subject>>>;
  readonly size: Size;
  readonly rounds: number;
}

function readPeer(peer: string | undefined): { readonly etcd: string; readonly isPeer: boolean; readonly kubeApiserver?: string } {
  if (peer === undefined) return { etcd: 'etcd', isPeer: false };
  const [, own] = /^etcd(?:=(.+))?$/.exec(peer) ?? [];
  if (peer === 'etcd' || own) return { etcd: own ?? 'etcd', isPeer: true };
  const [, kubeApiserver, etcd] = /^kube-apiserver=([^,]+),(.+)$/.exec(peer) ?? [];
  if (!kubeApiserver || !etcd) throw new RangeError(`Cannot read --peer "${peer}": it is neither etcd nor kube-apiserver=PATH,ETCD`);
  return { etcd, isPeer: true, kubeApiserver };
}

function readChoice(args: readonly string[]): Choice {
  const { values } = parseArgs({
    args: [...args],
    options: {
      store: { type: 'string', default: 'sqlite,etcd,redis' },
      peer: { type: 'string' },
      records: { type: 'string', default: '10000' },
      watchers: { type: 'string', default: '100' },
      seconds: { type: 'string', default: '3' },
      rounds: { type: 'string', default: '1' },
    },
  });
  const { etcd, isPeer, kubeApiserver } = readPeer(values.peer);
  const stores: Record<string, readonly [string, () => Promise<Subject>]> = {
    sqlite: ['SQLite', () => StoreSubject.sqlite()],
    etcd: ['etcd', () => StoreSubject.etcd(etcd)],
    redis: ['Redis', () => StoreSubject.redis()],
    'redis-replicas': ['Redis with two replicas', () => StoreSubject.redisWithReplicas()],
  };
  const chosen = values.store.split(',').map((name) => {
    const store = stores[name];
    if (!store) throw new RangeError(`Cannot read --store "${name}": it is none of ${Object.keys(stores).join(', ')}`);
    return store;
  });
  const kube = kubeApiserver ? { name: 'kube-apiserver', command: [kubeApiserver, '--allow-privileged=true'] as const, etcd } : undefined;
  const [records, watchers, secondsOfWrites, rounds] = [values.records, values.watchers, values.seconds, values.rounds].map(Number);
  return {
    subjects: {
      ...Object.fromEntries(chosen),
      ...(isPeer ? { 'plain etcd': () => PlainEtcd.start(etcd) } : {}),
      ...(kube ? { 'kube-apiserver': () => KubeApiserver.start(kube) } : {}),
    },
    size: { records: records!, watchers: watchers!, secondsOfWrites: secondsOfWrites! },
    rounds: rounds!,
  };
}

const rows: readonly Row<Figures>[] = [
  ...writerCounts.flatMap((writers): Row<Figures>[] => [
    {
      what: `writes, ${writers} ${writers === 1 ? 'writer' : 'writers'}`,
      unit: '/s',
      of: (f) => f.writes[writers]!.rate,
      isMoreBetter: true,
    },
    { what: '  one takes, p50', unit: 'ms', of: (f) => p50(f.writes[writers]!.took) },
    { what: '  p99', unit: 'ms', of: (f) => p99(f.writes[writers]!.took) },
    { what: '  CPU', unit: 'µs', of: (f) => f.writes[writers]!.cpu },
  ]),
  { what: `list of all, in pages of ${pageSize}`, unit: 'ms', of: (f) => f.list.ms },
  { what: '  CPU', unit: 'ms', of: (f) => f.list.cpuMs },
  { what: 'a write, until all watchers have it, p50', unit: 'ms', of: (f) => p50(f.fanOut.took) },
  { what: '  p99', unit: 'ms', of: (f) => p99(f.fanOut.took) },
  { what: '  CPU for each watcher', unit: 'µs', of: (f) => f.fanOut.cpu },
  { what: 'memory (PSS) of the engine', unit: 'MB', of: (f) => f.memory },
];

async function main({ subjects, size, rounds }: Choice): Promise<void> {
  const figures = new Map<string, Figures[]>(Object.keys(subjects).map((name) => [name, []]));
  for (let round = 0; round < rounds; round++)
    for (const [name, start] of Object.entries(subjects)) {
      process.stderr.write(`${name}, ${size.records} records of 2 KiB, ${size.watchers} watchers …\n`);
      await using subject = await start();
      figures.get(name)?.push(await measure(subject, size));
    }
  process.stdout.write(table(`${size.records} records of 2 KiB, ${size.watchers} watchers`, rows, figures));
}

try {
  await main(readChoice(process.argv.slice(2)));
} catch (err) {
  process.stderr.write(`${err instanceof Error ? err.message : String(err)}\n\n${usage}`);
  process.exitCode = 2;
}
