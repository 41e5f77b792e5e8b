/** When each node was last heard of, on this process's own clock (two machines' clocks are never compared), and which are ready. */
import type { Node } from '../../api/schema/types.ts';
import type { Clock } from '../../clock/clock.ts';
import { graceMs } from './desired.ts';

export class NodeHealth {
  readonly #clock: Clock;
  readonly #heard = new Map<string, { readonly version: string; readonly at: number }>();
  readonly #ready = new Set<string>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes the version of a Lease; the same one again is no sign of life. */
  renewed(name: string, version: string): void {
    if (this.#heard.get(name)?.version !== version) this.#heard.set(name, { version, at: this.#clock.monotonic() });
  }

  /** By its status, as kubelets of old say that they live. */
  reported(name: string): void {
    this.#heard.set(name, { version: '', at: this.#clock.monotonic() });
  }

  /** Takes a node as it is now. Whether it was the first one ready, or the last. */
  observe({ metadata: { name }, status }: Node): boolean {
    if (!this.#heard.has(name)) this.reported(name);
    const before = this.#ready.size;
    if (status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True')) this.#ready.add(name);
    else this.#ready.delete(name);
    return (before === 0) !== (this.#ready.size === 0);
  }

  forget(name: string): void {
    this.#heard.delete(name);
    this.#ready.delete(name);
  }

  /** Milliseconds until the node counts as silent, if nothing is heard of it; negative when it does. */
  silentIn(name: string): number {
    const now = this.#clock.monotonic();
    return (this.#heard.get(name)?.at ?? now) + graceMs - now;
  }

  /** Without any node ready and heard of it is the control plane that is cut off (upstream's full disruption). */
  get isAnyWell(): boolean {
    return this.#ready.values().some((name) => this.silentIn(name) >= 0);
  }
}
