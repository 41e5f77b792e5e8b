/**
 * Nodes on which room is kept for pods that wait until those which they have preempted are gone: by what the API says
 * (`status.nominatedNodeName`), and by what was decided a moment ago.
 */
import type { Pod } from '../api/schema/types.ts';

export interface Nomination {
  readonly key: string;
  readonly pod: Pod;
  readonly node: string;
}

export class Nominations {
  readonly #byKey = new Map<string, Nomination>();

  /** For which node; undefined takes it back. */
  set(key: string, pod: Pod, node: string | undefined): void {
    if (node) this.#byKey.set(key, { key, pod, node });
    else this.#byKey.delete(key);
  }

  /** A pod that waits, as the API tells it. News from before the decision was written say nothing of it. */
  told(key: string, pod: Pod, previous: Pod | undefined): void {
    const node = pod.status?.nominatedNodeName;
    const isSilent = !node && !previous?.status?.nominatedNodeName;
    this.set(key, pod, isSilent ? this.nodeOf(key) : node);
  }

  forget(key: string): void {
    this.#byKey.delete(key);
  }

  nodeOf(key: string): string | undefined {
    return this.#byKey.get(key)?.node;
  }

  /** There are few at a time. */
  all(): readonly Nomination[] {
    return [...this.#byKey.values()];
  }
}
