/**
 * What this process wrote and the informer has not seen yet. Without it a controller that looks again too soon would make
 * a second set of pods.
 */

import { objectKey } from '../../api/object-key.ts';
import type { KubeObject } from '../../api/resource-types.ts';
import type { Informer } from '../../client/informer.ts';

export class RecentWrites<T extends KubeObject> {
  readonly #informer: Informer<T>;
  readonly #written = new Map<string, T>();
  /** Deleted at once, by key, with their uid. */
  readonly #gone = new Map<string, string | undefined>();

  constructor(informer: Informer<T>) {
    this.#informer = informer;
  }

  /** Takes what the API server answered to a create, update or patch. */
  note(object: T): T {
    this.#written.set(objectKey(object), object);
    return object;
  }

  /** Takes what is there no longer, although the informer may still show it. */
  noteGone(object: T): void {
    this.#written.delete(objectKey(object));
    this.#gone.set(objectKey(object), object.metadata.uid);
  }

  /** `objects` of the informer, with newer ones from here in their places and unseen ones at the end that `belongs` picks. */
  over(objects: readonly T[], belongs: (object: T) => boolean): T[] {
    for (const [key, uid] of this.#gone) if (this.#informer.get(key)?.metadata.uid !== uid) this.#gone.delete(key);
    const there = this.#gone.size === 0 ? [...objects] : objects.filter((o) => this.#gone.get(objectKey(o)) !== o.metadata.uid);
    if (this.#written.size === 0) return there;
    // Informer and writes speak of one counter: what is not newer has been seen, even if it is gone again.
    for (const [key, object] of this.#written)
      if (!isNewer(object.metadata.resourceVersion, this.#informer.resourceVersion)) this.#written.delete(key);
    const rest = new Map(this.#written);
    const merged = there.map((object) => {
      const newer = rest.get(objectKey(object));
      if (newer) rest.delete(objectKey(object));
      return newer ?? object;
    });
    for (const object of rest.values()) if (belongs(object)) merged.push(object);
    return merged;
  }
}

function isNewer(a: string | undefined, b: string | undefined): boolean {
  return BigInt(a || '0') > BigInt(b || '0');
}
