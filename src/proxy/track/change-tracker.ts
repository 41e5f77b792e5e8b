/** Which Services need another look. Listens to informers; a sync takes what has gathered. */

import { objectKey } from '../../api/object-key.ts';
import type { EndpointSlice, Service } from '../../api/schema/types.ts';
import { endpointsLastChangeTriggerTime, labelServiceName } from '../../api/well-known.ts';
import type { Informer } from '../../client/informer.ts';

/** The `namespace/name` of the Service that a slice belongs to. */
function serviceOf(slice: EndpointSlice): string[] {
  const name = slice.metadata.labels?.[labelServiceName];
  return name ? [`${slice.metadata.namespace}/${name}`] : [];
}

export interface Sources {
  readonly services: Informer<Service>;
  readonly slices: Informer<EndpointSlice>;
}

export interface Changes {
  /** Keys of Services. */
  readonly services: ReadonlySet<string>;
  /** When the changes were triggered, in milliseconds since the epoch, as far as slices say. */
  readonly triggers: readonly number[];
}

interface TrackerEvents {
  /** Called for each change, with the Services that it is about. */
  readonly changed: (what: 'service' | 'slice', keys: readonly string[]) => void;
}

export class ChangeTracker {
  readonly #sources: Sources;
  #services = new Set<string>();
  #triggers: number[] = [];
  #slices = 0;
  #synced = false;
  /** Resolves when everything that is there was seen. */
  readonly synced: Promise<void>;

  /** Listens until the signal aborts. */
  constructor(sources: Sources, events: TrackerEvents, signal?: AbortSignal) {
    this.#sources = sources;
    sources.slices.addIndex('service', serviceOf);
    const service = (object: Service): void => {
      this.#services.add(objectKey(object));
      events.changed('service', [objectKey(object)]);
    };
    const slice = (object: EndpointSlice): void => {
      const keys = serviceOf(object);
      for (const key of keys) this.#services.add(key);
      const trigger = Date.parse(object.metadata.annotations?.[endpointsLastChangeTriggerTime] ?? '');
      // What was triggered before we started says nothing about us.
      if (this.#synced && trigger > 0) this.#triggers.push(trigger);
      this.#slices++;
      events.changed('slice', keys);
    };
    sources.services.on({ add: service, update: service, delete: service }, signal);
    const moved = (now: EndpointSlice, before: EndpointSlice): void => {
      for (const key of serviceOf(before)) this.#services.add(key);
      slice(now);
    };
    sources.slices.on({ add: slice, update: moved, delete: slice }, signal);
    this.synced = Promise.all([sources.services.synced, sources.slices.synced]).then(() => {
      this.#synced = true;
    });
  }

  get pendingServices(): number {
    return this.#services.size;
  }

  get pendingSlices(): number {
    return this.#slices;
  }

  service(key: string): Service | undefined {
    return this.#sources.services.get(key);
  }

  slicesOf(key: string): EndpointSlice[] {
    return this.#sources.slices.byIndex('service', key);
  }

  /** Every Service needs another look, because the node changed. */
  markAll(): void {
    for (const object of this.#sources.services.list()) this.#services.add(objectKey(object));
  }

  /** Gives what has gathered and begins anew. */
  take(): Changes {
    const changes = { services: this.#services, triggers: this.#triggers };
    this.#services = new Set();
    this.#triggers = [];
    this.#slices = 0;
    return changes;
  }
}
