/** Numbered writes that go on whatever happens to the control planes, and a watch that must be told each of them once and in order. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { configMaps } from '../../../src/api/resource-types.ts';
import { ApiError, isConflict } from '../../../src/client/api-error.ts';
import { Client } from '../../../src/client/client.ts';
import { loadKubeconfig } from '../../../src/client/kubeconfig.ts';
import { eventually } from '../../../src/clock/testing/eventually.ts';

const namespace = 'default';
const labels = { e2e: 'ledger' };
const labelSelector = 'e2e=ledger';

/** As client-go does after an answer that says "Retry-After: 1", and after a connection that broke. */
const retryMs = 1_000;
/** The aim is 2. A machine with ten other things to do may need several elections. */
const attempts = 10;

export class Ledger implements AsyncDisposable {
  readonly client: Client;
  /** What failed however often it was asked. */
  readonly failures: string[] = [];
  /** How many requests were asked more than once. */
  retried = 0;
  /** How often one of them was asked at most. */
  mostAttempts = 1;
  /** How often the watch was taken up again. */
  resumed = 0;
  /** The longest time that a write took, in milliseconds. */
  slowest = 0;
  readonly #names: readonly string[];
  readonly #acknowledged = new Map<string, number[]>();
  readonly #seen = new Map<string, number[]>();
  readonly #stop = new AbortController();
  #running: Promise<unknown> = Promise.resolve();

  private constructor(client: Client, writers: number) {
    this.client = client;
    this.#names = Array.from({ length: writers }, (_, i) => `ledger-${i}`);
  }

  static async open(kubeconfig: string, writers: number): Promise<Ledger> {
    const ledger = new Ledger(new Client(await loadKubeconfig(kubeconfig)), writers);
    await ledger.#begin();
    return ledger;
  }

  async #begin(): Promise<void> {
    for (const name of this.#names) {
      this.#acknowledged.set(name, []);
      this.#seen.set(name, []);
      const metadata = { name, namespace, labels };
      await this.client.create(configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { n: '0' } });
    }
    const { resourceVersion, items } = await this.client.list(configMaps, { namespace, labelSelector });
    const writers = items.map(({ metadata }) => this.#write(metadata.name ?? '', metadata.resourceVersion ?? ''));
    this.#running = Promise.all([this.#watch(resourceVersion), ...writers]);
    // What fails is told by `check`.
    this.#running.catch(() => {});
  }

  /** Asks, and again when that fails: what a user of kubectl never sees, or sees once. */
  async ask<T>(what: string, request: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++)
      try {
        return await request();
      } catch (err) {
        this.mostAttempts = Math.max(this.mostAttempts, attempt + 1);
        if (attempt === 1) this.retried++;
        if (attempt === attempts) {
          this.failures.push(`${what}: ${String(err)}`);
          throw err;
        }
        await sleep(retryMs);
      }
  }

  async #write(name: string, first: string): Promise<void> {
    let resourceVersion = first;
    for (let n = 1; !this.#stop.signal.aborted; n++) {
      const began = performance.now();
      const data = { n: String(n) };
      // Over a version that it knows: the request that a paused server still has in hand would else be carried out when it goes on.
      const write = async (): Promise<void> => {
        const change = { metadata: { resourceVersion }, data };
        const written = await this.client.patch(configMaps, name, change, { namespace }).catch((err: unknown) => {
          if (isConflict(err)) return this.client.get(configMaps, name, { namespace });
          throw err;
        });
        resourceVersion = written.metadata.resourceVersion ?? '';
        if (written.data?.n !== data.n) throw new Error(`${name} is at ${written.data?.n} and not at ${n}`);
        this.#acknowledged.get(name)?.push(n);
      };
      await this.ask(`write ${n} of ${name}`, write).catch(() => {});
      this.slowest = Math.max(this.slowest, performance.now() - began);
      await sleep(20);
    }
  }

  async #watch(from: string): Promise<void> {
    const { signal } = this.#stop;
    for (let resourceVersion = from; !signal.aborted; this.resumed++) {
      try {
        await this.client.watch(configMaps, { namespace, labelSelector, resourceVersion, signal }, ({ type, object }) => {
          resourceVersion = object.metadata.resourceVersion ?? '';
          if (type === 'MODIFIED') this.#seen.get(object.metadata.name ?? '')?.push(Number(object.data?.n));
        });
      } catch (err) {
        // To list again is what nobody shall have to.
        if (err instanceof ApiError && err.code === 410) throw err;
      }
      if (!signal.aborted) await sleep(50);
    }
  }

  /** Returns when every writer has so many more writes acknowledged. */
  async more(writes: number): Promise<void> {
    for (const numbers of this.#acknowledged.values()) {
      const wanted = numbers.length + writes;
      await eventually(`${writes} more writes`, () => numbers.length >= wanted);
    }
  }

  /** Every acknowledged write is there, and was told to the watch once and in order. */
  async check(): Promise<void> {
    const acknowledged = new Map([...this.#acknowledged].map(([name, numbers]) => [name, [...numbers]]));
    const { items } = await this.ask('the ledger', () => this.client.list(configMaps, { namespace, labelSelector }));
    for (const { metadata, data } of items) {
      const name = metadata.name ?? '';
      const numbers = acknowledged.get(name) ?? [];
      const seen = this.#seen.get(name) ?? [];
      const newest = numbers.at(-1) ?? 0;
      assert.ok(Number(data?.n) >= newest, `${name} is at ${data?.n}, and ${newest} was acknowledged`);
      await Promise.race([eventually(`the watch to be told of ${newest}`, () => (seen.at(-1) ?? 0) >= newest), this.#running]);
      assert.deepEqual(
        seen,
        [...new Set(seen)].toSorted((a, b) => a - b),
        `${name} was told in another order, or twice`,
      );
      const told = new Set(seen);
      assert.deepEqual(
        numbers.filter((n) => !told.has(n)),
        [],
        `acknowledged writes of ${name} that the watch was not told of`,
      );
    }
    assert.equal(items.length, acknowledged.size);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running.catch(() => {});
    this.client.close();
  }
}
