/**
 * ConfigMaps and Secrets that pods use, read when a pod starts and again when its volumes are refreshed (about once a minute), as the
 * kubelet's Get strategy does. Reads of one object at nearly the same time are one request.
 */
import { configMaps, type KubeObject, type ResourceType, secrets } from '../../api/resource-types.ts';
import type { ConfigMap, Secret } from '../../api/schema/types.ts';
import { isNotFound } from '../../client/api-error.ts';
import type { Client } from '../../client/client.ts';
import type { Clock } from '../../clock/clock.ts';
import type { ConfigSource } from '../pod/env.ts';
import { onceAuthorized } from './authorized.ts';

/** Requests at nearly the same time share an answer: the containers and volumes of a starting pod ask one after the other. */
const freshMs = 1000;

interface Known {
  readonly at: number;
  readonly object: Promise<KubeObject | undefined>;
}

export class CachedConfigSource implements ConfigSource {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #known = new Map<string, Known>();

  constructor(client: Client, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  configMap(namespace: string, name: string): Promise<ConfigMap | undefined> {
    return this.#get(configMaps, namespace, name);
  }

  secret(namespace: string, name: string): Promise<Secret | undefined> {
    return this.#get(secrets, namespace, name);
  }

  /** What was read a moment ago is read again. */
  forget(): void {
    this.#known.clear();
  }

  #get<T extends KubeObject>(type: ResourceType<T>, namespace: string, name: string): Promise<T | undefined> {
    const key = `${type.resource}/${namespace}/${name}`;
    const now = this.#clock.monotonic();
    for (const [other, { at }] of this.#known) if (now - at > freshMs) this.#known.delete(other);
    const known = this.#known.get(key);
    if (known) return known.object as Promise<T | undefined>;
    const object = onceAuthorized(this.#clock, () => this.#client.get(type, name, { namespace })).catch((err) => {
      this.#known.delete(key);
      if (isNotFound(err)) return undefined;
      throw err;
    });
    this.#known.set(key, { at: now, object });
    return object;
  }
}
