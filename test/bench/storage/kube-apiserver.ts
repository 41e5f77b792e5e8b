/** kube-apiserver over etcd: the records are ConfigMaps, so it does more for each than a store. The CPU is the server's and etcd's, not the client's. */
import { Contestant, type Program } from '../apiserver/contestant.ts';
import { nameOf, nextText, type Subject } from './subject.ts';

const maps = '/api/v1/namespaces/default/configmaps';

export class KubeApiserver implements Subject {
  readonly #server: Contestant;

  private constructor(server: Contestant) {
    this.#server = server;
  }

  static async start(program: Program): Promise<Subject> {
    return new KubeApiserver(await Contestant.start(program));
  }

  get cpu(): number {
    return this.#server.cpu;
  }

  get memory(): number {
    return this.#server.memory.all;
  }

  async make(i: number): Promise<void> {
    await this.#server.caller.call('POST', maps, { body: mapOf(i) });
  }

  async put(i: number): Promise<void> {
    await this.#server.caller.call('PUT', `${maps}/${nameOf(i)}`, { body: mapOf(i) });
  }

  async list(limit: number): Promise<number> {
    let count = 0;
    for (let next: string | undefined = ''; next !== undefined; ) {
      const answer = await this.#server.caller.call('GET', `${maps}?limit=${limit}&continue=${next}&labelSelector=bench`);
      const { items, metadata } = JSON.parse(answer.toString()) as { items: object[]; metadata: { continue?: string } };
      count += items.length;
      next = metadata.continue || undefined;
    }
    return count;
  }

  async watch(count: number, onEvents: (events: number) => void): Promise<{ end(): void }> {
    const { caller } = this.#server;
    const answer = JSON.parse((await caller.call('GET', `${maps}?limit=1`)).toString()) as { metadata: { resourceVersion: string } };
    const path = `${maps}?watch=true&labelSelector=bench&resourceVersion=${answer.metadata.resourceVersion}`;
    const watchers = await Promise.all(Array.from({ length: count }, () => caller.watch(path, onEvents)));
    return { end: () => watchers.forEach((watcher) => void watcher.close()) };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#server[Symbol.asyncDispose]();
  }
}

function mapOf(i: number): string {
  return JSON.stringify({ metadata: { name: nameOf(i), labels: { bench: '' } }, data: { text: nextText() } });
}
