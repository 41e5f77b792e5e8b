/**
 * What this process wrote and its informer has not shown yet: without it a controller that looks again too soon would make a second set
 * of pods. Upstream's ControllerExpectations count creations and deletions and wait until all are seen; here the answers themselves
 * stand in for the old copies, so that nobody has to wait.
 */

import { objectKey } from '../../api/object-key.ts';
import type { KubeObject } from '../../api/resource-types.ts';
import type { Informer } from '../../client/informer.ts';

export class Expectations<T extends KubeObject> {
  readonly #informer: Informer<T>;
  readonly #written = new Map<string, T>();
  /** Deleted at once, by key, with their uid. */
  readonly #gone = new Map<string, string | undefined>();

  constructor(informer: Informer<T>) {
    this.#informer = informer;
  }

  /** Takes what the API server answered to a create, update or patch. */
  expect(object: T): T {
    this.#written.set(objectKey(object), object);
    return object;
  }

  /** Takes what is there no longer, although the informer may still show it. */
  expectGone(object: T): void {
    this.#written.delete(objectKey(object));
    this.#gone.set(objectKey(object), object.metadata.uid);
  }

  /** The informer's copy, or what it is expected to become. */
  get(key: string): T | undefined {
    const copy = this.#informer.get(key);
    return this.over(copy ? [copy] : [], (object) => objectKey(object) === key)[0];
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
