/** The scale subresource of whatever has one. */
import { rows } from '../../api/registry/registry.ts';
import { pathOf, type ResourceType } from '../../api/resource-types.ts';
import type { CrossVersionObjectReference, Scale } from '../../api/schema/types.ts';
import { isConflict } from '../../client/api-error.ts';
import type { Client } from '../../client/client.ts';
import { discover } from '../../client/discovery.ts';
import type { Clock } from '../../clock/clock.ts';

/** How long it is believed which kinds there are beside our own. */
const discoveryMs = 30_000;
const tries = 5;

export class Scales {
  readonly #client: Client;
  readonly #clock: Clock;
  #found: { readonly types: Promise<readonly ResourceType[]>; readonly at: number } | undefined;

  constructor(client: Client, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  /** Throws where no such kind is served. */
  async typeOf({ apiVersion = '', kind }: CrossVersionObjectReference): Promise<ResourceType> {
    const parts = apiVersion.split('/');
    if (parts.length > 2) throw new Error(`unexpected GroupVersion string: ${apiVersion}`);
    const group = parts.length === 2 ? parts[0] : '';
    const isIt = (type: ResourceType): boolean => type.kind === kind && type.group === group;
    const type = rows.map((row) => row.type).find(isIt) ?? (await this.#others()).find(isIt);
    if (type) return type;
    throw new Error(`no matches for kind ${JSON.stringify(kind)} in group ${JSON.stringify(group)}`);
  }

  #others(): Promise<readonly ResourceType[]> {
    const now = this.#clock.monotonic();
    if (!this.#found || now - this.#found.at > discoveryMs) {
      this.#found = { types: discover(this.#client), at: now };
      this.#found.types.catch(() => (this.#found = undefined));
    }
    return this.#found.types;
  }

  async get(type: ResourceType, namespace: string, name: string): Promise<Scale> {
    return JSON.parse(await this.#client.raw('GET', pathOf(type, namespace, name, 'scale'))) as Scale;
  }

  /** Where somebody else wrote meanwhile, once more with what is there then. */
  async set(type: ResourceType, scale: Scale, replicas: number): Promise<void> {
    const { namespace = '', name } = scale.metadata;
    for (let attempt = 1, current = scale; ; attempt++) {
      const body = JSON.stringify({ ...current, spec: { ...current.spec, replicas } });
      try {
        await this.#client.raw('PUT', pathOf(type, namespace, name, 'scale'), { body });
        return;
      } catch (err) {
        if (!isConflict(err) || attempt === tries) throw err;
        current = await this.get(type, namespace, name);
      }
    }
  }
}
