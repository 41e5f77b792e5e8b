/** etcd as any client may use it: its own calls by gRPC, one for each write, with no conditions, no store, nothing tried again. */
import { Client, credentials } from '@grpc/grpc-js';
import { codec, type Message, type MessageName, paths } from '../../../src/storage/etcd/messages.ts';
import { prefixEnd } from '../../../src/storage/store.ts';
import { TestEtcd } from '../../../src/storage/testing/etcd.ts';
import { cpuOf, memoryOf, nameOf, nextText, ownCpu, type Subject } from './subject.ts';

const prefix = '/plain/configmaps/bench/';
const asIs = (bytes: Buffer): Buffer => bytes;

export class PlainEtcd implements Subject {
  readonly #etcd: TestEtcd;
  readonly #client: Client;

  private constructor(etcd: TestEtcd) {
    this.#etcd = etcd;
    this.#client = new Client(new URL(etcd.endpoints[0]!).host, credentials.createInsecure(), { 'grpc.max_receive_message_length': -1 });
  }

  static async start(program: string): Promise<Subject> {
    return new PlainEtcd(await TestEtcd.start({ program }));
  }

  get cpu(): number {
    return ownCpu() + cpuOf(this.#etcd.pids);
  }

  get memory(): number {
    return memoryOf(this.#etcd.pids);
  }

  make(i: number): Promise<void> {
    return this.put(i);
  }

  async put(i: number): Promise<void> {
    const request = codec.encode('PutRequest', { key: prefix + nameOf(i), value: Buffer.from(nextText()) });
    await this.#call('/etcdserverpb.KV/Put', request, 'PutResponse');
  }

  async list(limit: number): Promise<number> {
    let count = 0;
    for (let key: string | undefined = prefix; key !== undefined; ) {
      const request: Buffer = codec.encode('RangeRequest', { key, rangeEnd: prefixEnd(prefix), limit });
      const { kvs, more }: Message<'RangeResponse'> = await this.#call(paths.Range, request, 'RangeResponse');
      count += kvs.length;
      key = more ? `${kvs.at(-1)!.key}\0` : undefined;
    }
    return count;
  }

  /** All on one stream, as etcd's own clients have it. */
  async watch(count: number, onEvents: (events: number) => void): Promise<{ end(): void }> {
    const stream = this.#client.makeBidiStreamRequest(paths.Watch, asIs, asIs);
    const all = Promise.withResolvers<void>();
    let created = 0;
    stream.on('error', () => {});
    stream.on('data', (bytes: Buffer) => {
      const { events, created: isNew } = codec.decode('WatchResponse', bytes);
      if (isNew && ++created === count) all.resolve();
      if (events.length > 0) onEvents(events.length);
    });
    const createRequest = { key: prefix, rangeEnd: prefixEnd(prefix), prevKv: true };
    for (let i = 0; i < count; i++) stream.write(codec.encode('WatchRequest', { createRequest }));
    await all.promise;
    return { end: () => stream.cancel() };
  }

  #call<Name extends MessageName>(path: string, request: Buffer, response: Name): Promise<Message<Name>> {
    return new Promise((resolve, reject) => {
      const decode = (bytes: Buffer): Message<Name> => codec.decode(response, bytes);
      this.#client.makeUnaryRequest(path, asIs, decode, request, (err, answer) => (err ? reject(err) : resolve(answer!)));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.close();
    await this.#etcd[Symbol.asyncDispose]();
  }
}
