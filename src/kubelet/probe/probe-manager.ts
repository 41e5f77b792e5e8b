/**
 * Runs the probes of running containers and keeps what they say. One prober for each container and kind; it ends with its container.
 * Until a container has been ready once, its readiness and startup probes are asked in quick succession (0.1 s, 0.2 s, 0.4 s … up to
 * the period), so that a program that is up in a moment does not wait a whole period for its first endpoint. Those extra looks count
 * for success only.
 */
import type { Container, Pod, Probe } from '../../api/schema/types.ts';
import type { Clock } from '../../clock/clock.ts';
import type { Cri } from '../cri/cri.ts';
import type { ProbeResult, ProbeResults } from '../pod/actions.ts';
import type { ContainerRecord, PodRuntime } from '../pod/pod-runtime.ts';
import { allContainers, isSidecar, specOf, uidOf } from '../pod/spec.ts';
import type { PodEvents } from '../runtime/pod-events.ts';
import { check } from './check.ts';

const firstRetryMs = 100;
/** What is taken to be so before a probe has said anything, and how soon it is asked again. */
const atFirst = {
  startup: { result: 'unknown', rampMs: firstRetryMs },
  readiness: { result: 'failure', rampMs: firstRetryMs },
  liveness: { result: 'success', rampMs: Number.POSITIVE_INFINITY },
} as const;
type Kind = keyof typeof atFirst;
const kinds = Object.keys(atFirst) as Kind[];

export interface ProbeManagerOptions {
  readonly cri: Cri;
  readonly clock: Clock;
  readonly events: PodEvents;
}

interface Prober {
  readonly kind: Kind;
  readonly uid: string;
  pod: Pod;
  readonly container: Container;
  readonly containerId: string;
  readonly probe: Probe;
  podIp: string;
  result: ProbeResult;
  failures: number;
  successes: number;
  /** Until the next quick look; infinite when there are none. */
  rampMs: number;
  /** When a failure was counted last, on the clock that never jumps. */
  countedAt: number;
  timer: { cancel(): void } | undefined;
  ended: boolean;
}

export class ProbeManager implements ProbeResults {
  readonly #options: ProbeManagerOptions;
  #onResult: ((podUid: string) => void) | undefined;
  /** By container id, then kind. */
  readonly #probers = new Map<string, Map<Kind, Prober>>();

  constructor(options: ProbeManagerOptions) {
    this.#options = options;
  }

  /** Called when a result changed. */
  onResult(handler: (podUid: string) => void): void {
    this.#onResult = handler;
  }

  liveness(containerId: string): ProbeResult | undefined {
    return this.#probers.get(containerId)?.get('liveness')?.result;
  }

  startup(containerId: string): ProbeResult | undefined {
    return this.#probers.get(containerId)?.get('startup')?.result;
  }

  isStarted(containerId: string): boolean {
    return (this.startup(containerId) ?? 'success') === 'success';
  }

  isReady(containerId: string): boolean {
    return (this.#probers.get(containerId)?.get('readiness')?.result ?? 'success') === 'success';
  }

  /** Starts probers for containers that run, ends those of containers that do not. A pod that is ending is only asked whether it is ready. */
  sync(pod: Pod, runtime: PodRuntime): void {
    const uid = uidOf(pod);
    const ending = pod.metadata.deletionTimestamp !== undefined;
    const running = new Map(runtime.containers.filter((c) => c.state === 'running').map((c) => [c.id, c]));
    for (const prober of this.#all()) if (prober.uid === uid && !running.has(prober.containerId)) this.#end(prober);
    const inits = specOf(pod).initContainers ?? [];
    for (const record of running.values()) {
      const container = allContainers(pod).find((c) => c.name === record.name);
      if (!container || (inits.includes(container) && !isSidecar(container))) continue;
      for (const kind of kinds) this.#ensure(kind, pod, container, record, runtime, ending);
    }
  }

  #ensure(kind: Kind, pod: Pod, container: Container, record: ContainerRecord, runtime: PodRuntime, ending: boolean): void {
    const probe = container[`${kind}Probe`];
    const known = this.#probers.get(record.id)?.get(kind);
    const sandbox = runtime.sandboxes.find((s) => s.id === record.sandboxId);
    const podIp = sandbox?.hostNetwork ? (pod.status?.hostIP ?? '127.0.0.1') : (sandbox?.ips[0] ?? '');
    if (known) {
      known.pod = pod;
      known.podIp = podIp;
      if (ending && kind !== 'readiness') this.#end(known, true);
      return;
    }
    if (!probe || (ending && kind !== 'readiness')) return;
    const prober: Prober = {
      kind,
      uid: uidOf(pod),
      pod,
      container,
      containerId: record.id,
      probe,
      podIp,
      ...atFirst[kind],
      failures: 0,
      successes: 0,
      countedAt: this.#options.clock.monotonic(),
      timer: undefined,
      ended: false,
    };
    const probers = this.#probers.get(record.id) ?? new Map<Kind, Prober>();
    probers.set(kind, prober);
    this.#probers.set(record.id, probers);
    const age = this.#options.clock.now() - record.startedAt;
    this.#schedule(prober, Math.max(0, (probe.initialDelaySeconds ?? 0) * 1000 - age));
  }

  /** `keep` leaves the result standing. */
  #end(prober: Prober, keep = false): void {
    prober.ended = true;
    prober.timer?.cancel();
    if (keep) return;
    const probers = this.#probers.get(prober.containerId);
    probers?.delete(prober.kind);
    if (probers?.size === 0) this.#probers.delete(prober.containerId);
  }

  forget(podUid: string): void {
    for (const prober of this.#all()) if (prober.uid === podUid) this.#end(prober);
  }

  close(): void {
    for (const prober of this.#all()) this.#end(prober);
  }

  #all(): Prober[] {
    return [...this.#probers.values()].flatMap((probers) => [...probers.values()]);
  }

  #schedule(prober: Prober, ms: number): void {
    if (prober.ended) return;
    prober.timer = this.#options.clock.after(ms, () => void this.#look(prober));
  }

  async #look(prober: Prober): Promise<void> {
    const { kind, probe, container, containerId, podIp } = prober;
    const periodMs = Math.max(1, probe.periodSeconds ?? 10) * 1000;
    // The other two wait for the startup probe; its success wakes them.
    if (kind !== 'startup' && !this.isStarted(containerId)) {
      this.#schedule(prober, Math.min(periodMs, 1000));
      return;
    }
    const timeoutMs = Math.max(1, probe.timeoutSeconds ?? 1) * 1000;
    const result = await check(probe, { cri: this.#options.cri, containerId, container, podIp, timeoutMs });
    if (prober.ended) return;
    if (result.ok) this.#succeeded(prober);
    else this.#failed(prober, result.output, periodMs);
    // A container that will be killed, or has started, needs no more of this.
    if ((kind === 'startup' && prober.result !== 'unknown') || (kind === 'liveness' && prober.result === 'failure')) return;
    const ramping = !result.ok && prober.rampMs < periodMs;
    this.#schedule(prober, ramping ? prober.rampMs : periodMs);
    if (ramping) prober.rampMs *= 2;
  }

  #succeeded(prober: Prober): void {
    prober.failures = 0;
    prober.successes++;
    // From now on it is asked once a period.
    prober.rampMs = Number.POSITIVE_INFINITY;
    if (prober.successes >= (prober.probe.successThreshold ?? 1)) this.#set(prober, 'success');
    if (prober.kind !== 'startup') return;
    for (const other of this.#probers.get(prober.containerId)?.values() ?? []) {
      if (other.kind === 'startup') continue;
      other.timer?.cancel();
      this.#schedule(other, 0);
    }
  }

  #failed(prober: Prober, output: string, periodMs: number): void {
    prober.successes = 0;
    const now = this.#options.clock.monotonic();
    const early = prober.rampMs < periodMs && now - prober.countedAt < periodMs;
    if (early) return;
    prober.countedAt = now;
    prober.failures++;
    const { kind, pod, container, probe } = prober;
    const name = `${kind[0]?.toUpperCase()}${kind.slice(1)}`;
    this.#options.events.container(pod, container, 'Warning', 'Unhealthy', `${name} probe failed: ${output}`);
    if (prober.failures >= (probe.failureThreshold ?? 3)) this.#set(prober, 'failure');
  }

  #set(prober: Prober, result: ProbeResult): void {
    if (prober.result === result) return;
    prober.result = result;
    this.#onResult?.(prober.uid);
  }
}
