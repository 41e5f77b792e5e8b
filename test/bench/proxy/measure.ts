/** One proxy in one mode at one size: everything that is measured of it. */
import { execFileSync } from 'node:child_process';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { endpointSlices, services } from '../../../src/api/resource-types.ts';
import { onInterrupt } from '../../guest/guest.ts';
import { Connections } from './connections.ts';
import { Contestant, enterNode, fairlead, type Program } from './contestant.ts';
import { KernelNews } from './kernel-news.ts';
import { kernelShare } from './kernel-share.ts';
import { clusterIp, movingEndpoint, objectsOf, type Size, service, slice } from './objects.ts';

export interface Limits {
  /** Repetitions of each change, fewer when they take long. */
  readonly changes: number;
  readonly changesMs: number;
  readonly idleMs: number;
  readonly trafficMs: number;
  /** Whether changes are made before everything else that the machine does. */
  readonly isFirst: boolean;
  /** How long it may take until it serves, or follows a change. */
  readonly loadMs: number;
  /** Whether the kernel tells of what it has; IPVS never does. */
  readonly hasNews: boolean;
}

/** Milliseconds from the change of an object, each of which is NaN where it cannot be seen. */
export interface Change {
  /** Until the kernel has it. */
  readonly inKernel: number;
  /** Until it leaves the API server of the bench, which is no proxy's part. */
  readonly told: number;
  /** Until packets follow: of an endpoint among many, who cannot be met at will, it is not known. */
  readonly followed: number;
}

/** Milliseconds, seconds of CPU, percent of a core, megabytes, connections per second. */
export interface Figures {
  readonly fullSyncMs: number;
  readonly serves: number;
  readonly cpu: number;
  readonly moved: readonly Change[];
  readonly movedCpuMs: number;
  /** Of our own proxy in mode nftables: what each such change costs without a proxy. */
  readonly kernelShare: readonly number[];
  readonly added: readonly Change[];
  readonly idlePercent: number;
  readonly loadedMemory: number;
  readonly memory: number;
  readonly connections: number;
  readonly firstPacket: readonly number[];
}

const movingIp = clusterIp(2 ** 22 - 2);
const addedIp = (n: number): string => clusterIp(2 ** 21 + n);
const noTraffic = { connections: Number.NaN, firstPacket: [] };
const settleMs = 1500;
const busyMs = 10;

class Measurement {
  readonly #contestant: Contestant;
  readonly #connections: Connections;
  readonly #limits: Limits;
  readonly #hasNews: boolean;

  constructor(contestant: Contestant, connections: Connections, limits: Limits, mode: string) {
    this.#contestant = contestant;
    this.#connections = connections;
    this.#limits = limits;
    this.#hasNews = limits.hasNews && (mode === 'nftables' || mode === 'iptables');
  }

  /** Tries until connections to a Service arrive where they should; how long that took. */
  async #until(ip: string, endpoint: string, begun: number = performance.now()): Promise<number> {
    const { loadMs } = this.#limits;
    const first = performance.now();
    while (this.#connections.arrival(ip) !== endpoint) {
      this.#contestant.check();
      if (performance.now() - begun > loadMs)
        throw new Error(`Connections to ${ip} do not arrive at ${endpoint} within ${loadMs / 1000} s`);
      // Connections without end would fill the kernel's table of them, which the proxies read.
      if (performance.now() - first < busyMs) await setImmediate();
      else await sleep(1);
    }
    return performance.now() - begun;
  }

  /** Until the Services that it found are served. */
  async load(program: Program, mode: string): Promise<Pick<Figures, 'serves' | 'cpu' | 'fullSyncMs'>> {
    this.#contestant.start(program);
    const serves = await this.#until(movingIp, movingEndpoint(0));
    const { cpu } = this.#contestant;
    // In mode ipvs kube-proxy tells no syncs apart; there was only the first by now.
    const metric = mode === 'ipvs' ? 'sync_proxy_rules_duration_seconds' : 'sync_full_proxy_rules_duration_seconds';
    return { serves, cpu, fullSyncMs: await this.#contestant.meanMs(metric) };
  }

  /** Makes changes, and times each. `make` gives what the kernel then has new, and who answers at which address, when that can be seen. */
  async #changes(make: (n: number) => { readonly news: string; readonly ip?: string; readonly endpoint: string }): Promise<Change[]> {
    const { changes, changesMs, loadMs } = this.#limits;
    using kernel = this.#hasNews ? new KernelNews() : undefined;
    // What loading left behind: a hundred milliseconds of ours would be counted as the proxy's.
    globalThis.gc?.();
    const first = performance.now();
    const made: Change[] = [];
    for (let n = 0; n < changes && performance.now() - first < changesMs; n++) {
      await sleep(20 + (n % 10));
      const begun = performance.now();
      const { news, ip, endpoint } = make(n);
      // Nobody tries meanwhile: that would take one of the cores.
      const told = kernel && Promise.race([kernel.of(news, loadMs), this.#contestant.ended()]);
      const inKernel = told ? (await told) - begun : Number.NaN;
      const followed = ip === undefined ? Number.NaN : await this.#until(ip, endpoint, begun);
      made.push({ inKernel, followed, told: this.#contestant.api.toldAt - begun });
    }
    return made;
  }

  /** The only endpoint of a Service is another one; of one large Service one among its many. */
  moved(size: Size): Promise<Change[]> {
    const isLarge = size.services === 1 && size.endpoints > 2;
    const [last] = isLarge ? objectsOf(size).slices.slice(-1) : [];
    const addresses = last?.endpoints?.slice(1).flatMap((endpoint) => endpoint.addresses) ?? [];
    return this.#changes((n) => {
      const endpoint = movingEndpoint(n + 1);
      const [of, number] = last?.metadata.name?.split('-') ?? ['moving', '0'];
      this.#contestant.api.put(endpointSlices, slice(of ?? '', Number(number), [...addresses, endpoint]));
      return { news: endpoint, endpoint, ...(isLarge ? {} : { ip: movingIp }) };
    });
  }

  added(): Promise<Change[]> {
    return this.#changes((n) => {
      this.#contestant.api.put(endpointSlices, slice(`added${n}`, 0, [movingEndpoint(0)]));
      this.#contestant.api.put(services, service(`added${n}`, addedIp(n)));
      return { news: addedIp(n), ip: addedIp(n), endpoint: movingEndpoint(0) };
    });
  }

  async idlePercent(): Promise<number> {
    const { idleMs } = this.#limits;
    await sleep(settleMs);
    const before = this.#contestant.cpu;
    await sleep(idleMs);
    return ((this.#contestant.cpu - before) / idleMs) * 100_000;
  }

  /** Connections through one Service after the other, as fast as one thread makes them. */
  traffic(count: number): Pick<Figures, 'connections' | 'firstPacket'> {
    const times: number[] = [];
    const begun = performance.now();
    let lost = 0;
    for (let now = begun, n = 0; now - begun < this.#limits.trafficMs; n = (n + 7919) % count) {
      if (this.#connections.arrival(clusterIp(n)) === undefined) lost++;
      const after = performance.now();
      times.push(after - now);
      now = after;
    }
    if (lost > times.length / 100) throw new Error(`${lost} of ${times.length} connections did not arrive`);
    return { connections: (times.length / (performance.now() - begun)) * 1000, firstPacket: times };
  }
}

/** Rejects with what the program said last. */
export async function measure(program: Program, mode: string, size: Size, limits: Limits): Promise<Figures> {
  const made = objectsOf(size);
  const node = `fl-bench-${process.pid}`;
  let begun: Contestant | undefined;
  // From before there is a node until after it is gone.
  const calm = onInterrupt(() => {
    begun?.abandon();
    removeNode(node);
  });
  try {
    await using _node = await enterNode(node);
    await using contestant = Contestant.create(mode);
    begun = contestant;
    contestant.api.replace(services, [...made.services, service('moving', movingIp)]);
    contestant.api.replace(endpointSlices, [...made.slices, slice('moving', 0, [movingEndpoint(0)])]);
    return await measureIn(contestant, program, mode, size, limits).catch(async (err: unknown) => {
      throw await contestant.explained(err);
    });
  } finally {
    calm();
  }
}

/** Of a bench that is interrupted. In a session of its own: what interrupts the whole process group does not interrupt this. */
function removeNode(name: string): void {
  try {
    execFileSync('setsid', ['--wait', 'ip', 'netns', 'del', name], { stdio: 'ignore' });
  } catch {
    // It was not there yet, or is gone already.
  }
}

async function measureIn(contestant: Contestant, program: Program, mode: string, size: Size, limits: Limits): Promise<Figures> {
  using connections = new Connections();
  const measurement = new Measurement(contestant, connections, limits, mode);
  const loaded = await measurement.load(program, mode);
  const before = contestant.cpu;
  const loadedMemory = contestant.memory;
  if (limits.isFirst) await contestant.schedule('fifo');
  const moved = await measurement.moved(size);
  const movedCpuMs = ((contestant.cpu - before) / moved.length) * 1000;
  const added = await measurement.added();
  if (limits.isFirst) await contestant.schedule('other');
  const idlePercent = await measurement.idlePercent();
  const { memory } = contestant;
  // A relay has accepted what its endpoint hears of later.
  const traffic = mode === 'userspace' ? noTraffic : measurement.traffic(size.services);
  await contestant.stop();
  const knowsTable = program.name === fairlead.name && mode === 'nftables';
  if (limits.isFirst) await contestant.schedule('fifo');
  const share = knowsTable ? await kernelShare(movingIp, limits.changes) : [];
  if (limits.isFirst) await contestant.schedule('other');
  return { ...loaded, loadedMemory, moved, movedCpuMs, kernelShare: share, added, idlePercent, memory, ...traffic };
}
