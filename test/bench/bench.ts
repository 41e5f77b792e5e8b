/**
 * `npm run bench -- NAME`: measures and prints, never passes or fails. Times on a shared machine are worth little alone: compare
 * figures of one run, and medians.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

interface Bench {
  readonly summary: string;
  readonly file: string;
  /** Of Node.js. */
  readonly flags?: readonly string[];
}

/** Who waits for another process is not to collect garbage meanwhile: that would be counted as the other's. */
const withoutPauses = ['--expose-gc', '--min-semi-space-size=256', '--max-semi-space-size=256', '--no-memory-reducer'];

const benches: Readonly<Record<string, Bench>> = {
  lab: { summary: 'start and stop of the lab, a new pod behind a Service, memory of every process', file: './lab.ts' },
  proxy: {
    summary: 'the service proxy in each mode, alone or against kube-proxy: load, changes, memory, connections',
    file: './proxy.ts',
    flags: withoutPauses,
  },
  'proxy-memory': { summary: 'bytes that the proxy keeps of each Service and endpoint, without a cluster', file: './proxy-memory.ts' },
  'proxy-ipvs': { summary: 'the same in mode ipvs, in a guest kernel where this one has no IPVS', file: '../guest/bench.ts' },
  counters: { summary: 'what it costs to count the connections of Services in mode nftables', file: './counters.ts' },
  package: { summary: 'the package: its size, and how fast it starts, beside the sources', file: './package.ts' },
  'proxy-rules': { summary: "its nftables rules alone, against nft -f of kube-proxy's layout", file: '../../src/proxy/bench.ts' },
  'proxy-iptables': {
    summary: "the same in mode iptables, against iptables-restore of kube-proxy's text",
    file: '../../src/proxy/mode/iptables/bench.ts',
  },
  scheduler: { summary: 'pods per second of the scheduler', file: '../../src/scheduler/bench.ts' },
  dns: { summary: 'queries per second of the DNS server', file: '../../src/dns/bench.ts' },
  'control-plane': { summary: 'pods per second made, chosen and bound, API server and all', file: '../control-plane/bench.ts' },
  storage: {
    summary: 'the stores over SQLite, etcd and Redis, alone or against plain etcd and kube-apiserver: writes, lists, watches',
    file: './storage.ts',
  },
  'storage-kills': {
    summary: 'kill -9 of the store under load, again and again: whether clients saw one history',
    file: './storage-kills.ts',
  },
  apiserver: {
    summary: 'the API server over SQLite and etcd, alone or against kube-apiserver: requests, lists, watches, memory',
    file: './apiserver.ts',
  },
  'apiserver-encodings': {
    summary: 'what informers cost the API server, as JSON and as protobuf',
    file: '../../src/apiserver/encoding-bench.ts',
  },
  'apiserver-attack': {
    summary: 'how an API server answers its nodes while a weak user attacks it',
    file: '../../src/apiserver/attack-bench.ts',
  },
};

const [name = '', ...rest] = process.argv.slice(2);
const bench = benches[name];
if (!bench) {
  const lines = Object.entries(benches).map(([key, { summary }]) => `  ${key.padEnd(16)} ${summary}`);
  process.stderr.write(`usage: npm run bench -- NAME\n\n${lines.join('\n')}\n`);
  process.exit(2);
}
const child = spawn(process.execPath, [...(bench.flags ?? []), join(import.meta.dirname, bench.file), ...rest], { stdio: 'inherit' });
// What a bench has started, it ends when it is interrupted: it must hear of that.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
const [status] = (await once(child, 'close')) as [number | null];
process.exitCode = status ?? 2;
