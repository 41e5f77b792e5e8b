/** A lookup that knows only what a test tells its followers. */
import type { KubeObject, ResourceType } from '../../../api/resource-types.ts';
import type { Lookup } from '../../cache/lookup.ts';

type Follower = Parameters<Lookup['follow']>[1];

export class ToldLookup {
  readonly #followers = new Map<string, Follower[]>();

  follow(type: ResourceType, on: Follower): void {
    this.#followers.set(type.resource, [...(this.#followers.get(type.resource) ?? []), on]);
  }

  put(type: ResourceType, object: KubeObject, previous?: KubeObject): void {
    for (const on of this.#followers.get(type.resource) ?? []) on.put(object, () => previous);
  }

  delete(type: ResourceType, object: KubeObject): void {
    for (const on of this.#followers.get(type.resource) ?? []) on.delete(object);
  }

  /** As those who follow take it. */
  get lookup(): Lookup {
    return this as unknown as Lookup;
  }
}
