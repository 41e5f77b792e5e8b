/**
 * kube-proxy's /debug/pprof, of V8: what the main thread does, and what it holds of what came since the start, for `go tool pprof`. What is about Go
 * alone is refused by name. Source: net/http/pprof.
 */
import type { IncomingMessage } from 'node:http';
import type { HeapProfiler, Profiler } from 'node:inspector';
import { Session } from 'node:inspector/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Clock } from '../clock/clock.ts';
import type { Page, Pages } from '../observability/health-pages.ts';
import { encodeProfile, type Frame, type Sample } from './pprof.ts';

/** net/http/pprof's, in seconds. */
const usually = 30;
/** V8 keeps each sample: a day of them would be more than the process can hold. */
const longest = 300;
/** Go's, in bytes. */
const heapInterval = 524_288;
/** In microseconds: a tenth of Go's, as a change takes a millisecond. */
const cpuInterval = 1000;

const offered = {
  cmdline: 'the words that this process was started with',
  heap: 'bytes on the heap of V8, by who took them since the start; what is outside of it, such as buffers, is not there',
  profile: 'CPU of the main thread; ?seconds=N, 30 unless said, 300 at most',
} as const;

/** Why Node.js has none. */
const lacking: Readonly<Record<string, string>> = {
  allocs: 'V8 forgets what was collected; heap has what is still held',
  block: 'nothing waits for a lock',
  goroutine: 'there are no goroutines',
  mutex: 'nothing waits for a lock',
  symbol: 'profiles name functions themselves',
  threadcreate: 'the kernel lists threads in /proc/PID/task',
  trace: 'it is of a Go program',
};

const line = ([name, what]: readonly [string, string]): string => `${name}: ${what}<br>\n`;
const offers = Object.entries(offered).map(([name, what]) => line([`<a href="/debug/pprof/${name}">${name}</a>`, what]));
const index = `<html>
<head>
<title>/debug/pprof/</title>
</head>
<body>
/debug/pprof/<br>
<br>
${offers.join('')}<br>
not there:<br>
${Object.entries(lacking).map(line).join('')}</body>
</html>
`;

/** Each node with the way to the root, which itself is nobody. */
function* ways<N extends { readonly callFrame: Frame }>(
  node: N,
  childrenOf: (node: N) => readonly N[],
  above: readonly Frame[] = [],
): Generator<readonly [node: N, stack: readonly Frame[]]> {
  for (const child of childrenOf(node)) {
    const stack = [child.callFrame, ...above];
    yield [child, stack];
    yield* ways(child, childrenOf, stack);
  }
}

/** Time between two samples is his who was at work at the first. */
export function cpuSamples({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): Sample[] {
  const found = new Map<number, { count: number; micros: number }>();
  samples.forEach((id, i) => {
    const { count, micros } = found.get(id) ?? { count: 0, micros: 0 };
    found.set(id, { count: count + 1, micros: micros + Math.max(0, timeDeltas[i + 1] ?? 0) });
  });
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const childrenOf = ({ children = [] }: Profiler.ProfileNode) => children.flatMap((id) => byId.get(id) ?? []);
  const [root] = nodes;
  return Array.from(root ? ways(root, childrenOf) : []).flatMap(([{ id, callFrame }, stack]) => {
    const { count, micros } = found.get(id) ?? { count: 0, micros: 0 };
    return count > 0 && callFrame.functionName !== '(idle)' ? [{ stack, values: [count, micros * 1000] }] : [];
  });
}

export function heapSamples({ head }: HeapProfiler.SamplingHeapProfile): Sample[] {
  const all = ways(head, ({ children }) => children);
  return Array.from(all).flatMap(([{ selfSize }, stack]) => (selfSize > 0 ? [{ stack, values: [selfSize] }] : []));
}

async function download(name: string, profile: Parameters<typeof encodeProfile>[0]): Promise<Page> {
  const headers = { 'content-disposition': `attachment; filename="${name}"` };
  return { code: 200, type: 'application/octet-stream', headers, body: await promisify(gzip)(encodeProfile(profile)) };
}

export class Profiling {
  readonly #session = new Session();
  readonly #clock: Clock;
  readonly #startedMs: number;
  #isBusy = false;

  private constructor(clock: Clock) {
    this.#clock = clock;
    this.#startedMs = clock.now();
  }

  static async start(clock: Clock): Promise<Profiling> {
    const profiling = new Profiling(clock);
    profiling.#session.connect();
    await profiling.#session.post('Profiler.enable');
    await profiling.#session.post('Profiler.setSamplingInterval', { interval: cpuInterval });
    await profiling.#session.post('HeapProfiler.startSampling', { samplingInterval: heapInterval });
    return profiling;
  }

  get pages(): readonly (readonly [path: string, page: Pages[string]])[] {
    const list = (): Page => ({ code: 200, body: index, type: 'text/html; charset=utf-8' });
    const own: Readonly<Record<keyof typeof offered, Pages[string]>> = {
      cmdline: () => ({ code: 200, body: process.argv.join('\0') }),
      heap: () => this.#heap(),
      profile: (request) => this.#cpu(request),
    };
    const refused = Object.entries(lacking).map(([name, why]) => [name, () => ({ code: 404, body: `no ${name} here: ${why}\n` })] as const);
    return [
      ['/debug/pprof', list],
      ['/debug/pprof/', list],
      ...[...Object.entries(own), ...refused].map(([name, page]) => [`/debug/pprof/${name}`, page] as const),
    ];
  }

  async #cpu({ url = '', socket }: IncomingMessage): Promise<Page> {
    if (this.#isBusy) return { code: 500, body: 'Could not enable CPU profiling: cpu profiling already in use\n' };
    const asked = Number(new URL(url, 'http://n').searchParams.get('seconds'));
    if (asked > longest) return { code: 400, body: `seconds may be ${longest} at most\n` };
    const gone = new AbortController();
    const leave = (): void => gone.abort();
    this.#isBusy = true;
    socket.once('close', leave);
    try {
      await this.#session.post('Profiler.start');
      await this.#clock.sleep((asked > 0 ? asked : usually) * 1000, gone.signal).catch(() => {});
      const { profile } = await this.#session.post('Profiler.stop');
      return await download('profile', {
        types: [
          ['samples', 'count'],
          ['cpu', 'nanoseconds'],
        ],
        samples: cpuSamples(profile),
        period: cpuInterval * 1000,
        startedMs: this.#clock.now() - (profile.endTime - profile.startTime) / 1000,
        durationMs: (profile.endTime - profile.startTime) / 1000,
      });
    } finally {
      socket.off('close', leave);
      this.#isBusy = false;
    }
  }

  async #heap(): Promise<Page> {
    const { profile } = await this.#session.post('HeapProfiler.getSamplingProfile');
    const [now, startedMs] = [this.#clock.now(), this.#startedMs];
    return await download('heap', {
      types: [['inuse_space', 'bytes']],
      samples: heapSamples(profile),
      period: heapInterval,
      startedMs: now,
      durationMs: now - startedMs,
    });
  }

  close(): void {
    this.#session.disconnect();
  }
}
