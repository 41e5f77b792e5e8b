/** The informers of a process, each resource once. */
import type { KubeObject, ResourceType } from '../api/resource-types.ts';
import { pathOf } from '../api/resource-types.ts';
import type { Client } from './client.ts';
import { Informer, type InformerOptions } from './informer.ts';
import { agesOf } from './watch-age.ts';

type Selection = Pick<InformerOptions, 'namespace' | 'labelSelector' | 'fieldSelector' | 'transform'>;

/** Informers shared by the parts of one process: each resource and selection is watched once. */
export class InformerSet {
  readonly client: Client;
  readonly #options: InformerOptions;
  readonly #informers = new Map<string, Informer<never>>();
  #signal: AbortSignal | undefined;

  constructor(client: Client, options: Omit<InformerOptions, keyof Selection> = {}) {
    this.client = client;
    this.#options = options;
  }

  /** The informer of a resource; starts at once when the set runs already. Of several transforms for one selection the first holds. */
  of<T extends KubeObject>(type: ResourceType<T>, selection: Selection = {}): Informer<T> {
    const key = [pathOf(type, selection.namespace), selection.labelSelector, selection.fieldSelector].join('|');
    const known = this.#informers.get(key);
    if (known) return known as unknown as Informer<T>;
    const informer = new Informer(this.client, type, { ...this.#options, ...selection });
    this.#informers.set(key, informer as unknown as Informer<never>);
    if (this.#signal) void informer.start(this.#signal);
    return informer;
  }

  /** Starts every informer, also those asked for later. Resolves when they have ended. */
  async start(signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    await Promise.all([...this.#informers.values()].map((i) => i.start(signal)));
  }

  /** How long ago the server was last heard, in milliseconds, by resource: the oldest of its informers. */
  get agesMs(): ReadonlyMap<string, number> {
    return agesOf(this.#informers.values());
  }

  /** Resolves when every informer asked for so far holds its first list. */
  get synced(): Promise<void> {
    return Promise.all([...this.#informers.values()].map((i) => i.synced)).then(() => {});
  }
}
