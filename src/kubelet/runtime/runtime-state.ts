/** Whether the container runtime and its network are ready, as the runtime says itself, and what it is called. */
import type { Clock } from '../../clock/clock.ts';
import { messageOf } from '../../errors/known-error.ts';
import type { Cri } from '../cri/cri.ts';
import type { RuntimeStatus } from '../cri/messages.ts';

/** As upstream: a runtime that does not answer for so long is down. */
const downMs = 30_000;
const notAsked = 'container runtime status check may not have completed yet';

export class RuntimeState {
  readonly #cri: Cri;
  readonly #clock: Clock;
  #onNetworkReady: (() => void) | undefined;
  #runtimeProblem: string | undefined = notAsked;
  #networkProblem: string | undefined = `container runtime network not ready: ${notAsked}`;
  #version = '';
  /** The runtime may have been replaced since its version was asked for. */
  #askVersion = true;
  #answeredAt = Number.NEGATIVE_INFINITY;

  constructor(cri: Cri, clock: Clock) {
    this.#cri = cri;
    this.#clock = clock;
  }

  /** Called when pods can get a network from now on. */
  onNetworkReady(handler: () => void): void {
    this.#onNetworkReady = handler;
  }

  /** Why nothing can run, or undefined. */
  get runtimeProblem(): string | undefined {
    return this.#runtimeProblem;
  }

  /** Why pods cannot be given a network, or undefined. */
  get networkProblem(): string | undefined {
    return this.#networkProblem;
  }

  /** Such as `containerd://1.7.24`. */
  get version(): string {
    return this.#version;
  }

  /** Asks the runtime; true when it says something else than before. */
  async update(): Promise<boolean> {
    const [runtimeBefore, networkBefore] = [this.#runtimeProblem, this.#networkProblem];
    try {
      const [{ status }, version] = await Promise.all([this.#cri.status(), this.#askVersion ? this.#cri.version() : undefined]);
      this.#askVersion = false;
      if (version) this.#version = `${version.runtimeName}://${version.runtimeVersion}`;
      this.#runtimeProblem = problemOf(status, 'RuntimeReady', 'container runtime');
      this.#networkProblem = problemOf(status, 'NetworkReady', 'container runtime network');
      this.#answeredAt = this.#clock.monotonic();
    } catch (err) {
      this.#askVersion = true;
      // A runtime that is only started anew must not cost the node its pods' traffic.
      if (this.#clock.monotonic() - this.#answeredAt > downMs) this.#runtimeProblem = `container runtime is down: ${messageOf(err)}`;
    }
    if (networkBefore !== undefined && this.#networkProblem === undefined) this.#onNetworkReady?.();
    return runtimeBefore !== this.#runtimeProblem || networkBefore !== this.#networkProblem;
  }
}

function problemOf(status: RuntimeStatus | undefined, type: string, what: string): string | undefined {
  const condition = status?.conditions.find((c) => c.type === type);
  if (condition?.status) return undefined;
  return `${what} not ready: ${type}=false reason:${condition?.reason ?? ''} message:${condition?.message ?? 'not reported'}`;
}
