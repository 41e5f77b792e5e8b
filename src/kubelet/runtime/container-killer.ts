/** Ends containers gently: the preStop hook, then the stop signal, then SIGKILL, all within the grace period. */
import type { Container, LifecycleHandler, Pod } from '../../api/schema/types.ts';
import { orAborted } from '../../clock/aborted.ts';
import type { Clock } from '../../clock/clock.ts';
import { messageOf } from '../../errors/known-error.ts';
import type { Log } from '../../observability/log.ts';
import { type Cri, unlessMissing } from '../cri/cri.ts';
import { containerAnnotations } from '../pod/labels.ts';
import type { ContainerRecord, PodRuntime } from '../pod/pod-runtime.ts';
import { allContainers, isSidecar, specOf } from '../pod/spec.ts';
import { runHook } from './hooks.ts';
import type { PodEvents } from './pod-events.ts';

/** A container gets this long even when nobody grants it anything. */
const minGraceSeconds = 2;

export interface KillerOptions {
  readonly cri: Cri;
  readonly clock: Clock;
  readonly events: PodEvents;
  readonly log: Log;
}

export class ContainerKiller {
  readonly #options: KillerOptions;
  /** preStop hooks under way, by container; aborted with the seconds that are granted from then on. */
  readonly #hooks = new Map<string, AbortController>();

  constructor(options: KillerOptions) {
    this.#options = options;
  }

  /** Ends one container. `pod` is undefined when its object is gone; the hook then comes from the container's annotation. */
  async kill(record: ContainerRecord, pod: Pod | undefined, podIp: string, graceSeconds: number, message?: string): Promise<void> {
    const { cri, clock, events } = this.#options;
    const container = pod && allContainers(pod).find((c) => c.name === record.name);
    if (pod) events.container(pod, { name: record.name }, 'Normal', 'Killing', message ?? `Stopping container ${record.name}`);
    let endsAt = clock.monotonic() + graceSeconds * 1000;
    const hook = container ? container.lifecycle?.preStop : await this.#recordedHook(record);
    if (hook && graceSeconds > 0 && record.state === 'running') {
      const shape: Container = container ?? { name: record.name };
      const cut = new AbortController();
      this.#hooks.set(record.id, cut);
      const ran = runHook(hook, { cri, containerId: record.id, container: shape, podIp }, graceSeconds * 1000);
      const failure = await orAborted(ran, cut.signal)
        .catch((shorter: number) => {
          endsAt = Math.min(endsAt, clock.monotonic() + shorter * 1000);
          return 'the grace period was cut short';
        })
        .finally(() => this.#hooks.delete(record.id));
      if (failure && pod) events.container(pod, { name: record.name }, 'Warning', 'FailedPreStopHook', `PreStopHook failed: ${failure}`);
    }
    const left = Math.ceil((endsAt - clock.monotonic()) / 1000);
    await unlessMissing(cri.stopContainer(record.id, Math.max(minGraceSeconds, left)));
  }

  async #recordedHook(record: ContainerRecord): Promise<LifecycleHandler | undefined> {
    try {
      const { annotations } = await this.#options.cri.containerStatus(record.id);
      const text = annotations[containerAnnotations.preStopHandler];
      return text ? (JSON.parse(text) as LifecycleHandler) : undefined;
    } catch {
      return undefined;
    }
  }

  /** Ends all containers of a pod, sidecars after the others in reverse order, then its sandboxes. */
  async killPod(runtime: PodRuntime, pod: Pod | undefined, graceSeconds: number): Promise<void> {
    const { cri, clock } = this.#options;
    const podIp = runtime.sandboxes[0]?.ips[0] ?? '';
    const alive = runtime.containers.filter((c) => c.state === 'running' || c.state === 'unknown');
    const sidecars = pod ? (specOf(pod).initContainers ?? []).filter(isSidecar).map((c) => c.name) : [];
    const began = clock.monotonic();
    await Promise.all(alive.filter((c) => !sidecars.includes(c.name)).map((c) => this.kill(c, pod, podIp, graceSeconds)));
    for (const name of sidecars.toReversed()) {
      const left = Math.max(0, graceSeconds - Math.floor((clock.monotonic() - began) / 1000));
      for (const record of alive) if (record.name === name) await this.kill(record, pod, podIp, left);
    }
    for (const sandbox of runtime.sandboxes) await unlessMissing(cri.stopPodSandbox(sandbox.id));
  }

  /** The grace period was cut short while containers were ending. */
  async hasten(runtime: PodRuntime, graceSeconds: number): Promise<void> {
    const running = runtime.containers.filter((c) => c.state === 'running');
    for (const { id } of running) this.#hooks.get(id)?.abort(graceSeconds);
    await Promise.all(
      running.map((c) =>
        this.#options.cri.stopContainer(c.id, Math.max(minGraceSeconds, graceSeconds)).catch((err) => {
          this.#options.log.debug(`Cannot stop container ${c.id}: ${messageOf(err)}`);
        }),
      ),
    );
  }
}
