/** How often the server behind an APIService is looked at. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ApiService, apiServices } from '../../api/aggregation/aggregation.ts';
import { Registry } from '../../api/registry/registry.ts';
import { type KubeObject, type ResourceType, services } from '../../api/resource-types.ts';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { silentLog } from '../../observability/log.ts';
import type { Lookup } from '../cache/lookup.ts';
import type { Writer } from '../resource/writer.ts';
import { ServiceClient } from '../service-client/service-client.ts';
import { Aggregation } from './aggregation.ts';
// Loaded by the first look otherwise, which takes time that no clock of a test knows.
import './availability.ts';

const service = { metadata: { name: 'fruit', namespace: 'default' } } as KubeObject;
const remote: ApiService = {
  metadata: { name: 'v1.fruit.example.com', uid: 'a' },
  spec: { group: 'fruit.example.com', version: 'v1', service: { namespace: 'default', name: 'fruit', port: 443 } },
} as ApiService;

/** Its Service is asked for once in each look, and never found. */
class Bed {
  readonly clock = new FakeClock();
  readonly stop = new AbortController();
  readonly #on = new Map<ResourceType, (object: KubeObject) => void>();
  looks = 0;
  readonly ended: Promise<void>;

  constructor() {
    const lookup: Pick<Lookup, 'find' | 'follow'> = {
      find: () => {
        this.looks++;
        return Promise.resolve(undefined);
      },
      follow: (type, { put }) => void this.#on.set(type, (object) => put(object as never, () => undefined)),
    };
    const aggregation = new Aggregation({
      ...{ clock: this.clock, log: silentLog, signal: this.stop.signal, registry: new Registry(), proxyClient: {} },
      ...{
        lookup: lookup as Lookup,
        client: new ServiceClient(lookup as Lookup),
        writer: { update: async () => ({}) } as unknown as Writer,
      },
    });
    aggregation.follow();
    this.ended = aggregation.keep();
  }

  tell(type: ResourceType, object: KubeObject): void {
    this.#on.get(type)!(object);
  }

  /** How many looks there are in the next `ms`. */
  async looksIn(ms: number): Promise<number> {
    const before = this.looks;
    await this.clock.advance(ms);
    return this.looks - before;
  }
}

test('changes of the Service bring looks, and no more of them for good', async () => {
  const bed = new Bed();
  bed.tell(apiServices as ResourceType, remote);
  assert.equal(await bed.looksIn(0), 1);
  for (let i = 0; i < 10; i++) {
    bed.tell(services as ResourceType, service);
    assert.equal(await bed.looksIn(0), 1);
  }
  // One that is not well is looked at every five seconds.
  assert.equal(await bed.looksIn(5_000), 1);
  assert.equal(await bed.looksIn(50_000), 10);
  assert.equal(bed.clock.pending, 1);
  bed.stop.abort();
  await bed.ended;
  assert.equal(bed.clock.pending, 0);
});
