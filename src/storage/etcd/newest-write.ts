/**
 * The newest write that this server was told of. An etcd that was set back to an earlier state, and written to since, may have come as far as before: its
 * revisions tell nothing then, but that write is not there. It is asked for once for each connection, behind which there may be another etcd than before.
 */
import { isCompacted, isFuture } from './etcd-error.ts';
import type { Message, Method, Request, Response } from './messages.ts';

interface Known {
  readonly key: string;
  readonly revision: number;
  /** Undefined for a deletion. */
  readonly value: Uint8Array | undefined;
}

type KeyValue = Message<'KeyValue'>;

export class NewestWrite {
  readonly #namesCluster: string;
  #known: Known | undefined;
  #cluster: Uint8Array | undefined;

  /** `namesCluster`: a key whose value tells which cluster it is. */
  constructor(namesCluster = '') {
    this.#namesCluster = namesCluster;
  }

  /** What the key held that tells which cluster it is, if that was seen. */
  get cluster(): Uint8Array | undefined {
    return this.#cluster;
  }

  get revision(): number {
    return this.#known?.revision ?? 0;
  }

  /** A watch was given these, in order. */
  sawEvents(events: readonly Message<'Event'>[]): void {
    const event = events.at(-1);
    if (event) this.#note(event.kv!.key, event.kv!.modRevision, event.type === 0 ? event.kv!.value : undefined);
  }

  /** What was asked for and answered; gives the answer. */
  saw<Name extends Method>(method: Name, request: Request<Name>, response: Response<Name>): Response<Name> {
    if (method === 'Txn') this.#sawTxn(request as Request<'Txn'>, response as Response<'Txn'>);
    if (method === 'Range') this.#sawRange(request as Request<'Range'>, response as Response<'Range'>);
    return response;
  }

  #sawRange({ keysOnly }: Request<'Range'>, { kvs }: Response<'Range'>): void {
    if (!keysOnly) for (const { key, modRevision, value } of kvs) this.#note(key, modRevision, value);
  }

  /** What was written is its first operation. */
  #sawTxn({ success = [] }: Request<'Txn'>, { succeeded, header, responses }: Response<'Txn'>): void {
    const [first] = success;
    if (!succeeded || !first) return;
    const { requestPut: put } = first;
    if (put) this.#note(put.key ?? '', header!.revision, put.value ?? new Uint8Array(0));
    const [gone] = responses[0]?.responseDeleteRange?.prevKvs ?? [];
    if (gone) this.#note(gone.key, header!.revision, undefined);
  }

  #note(key: string, revision: number, value: Uint8Array | undefined): void {
    if (value && key === this.#namesCluster) this.#cluster = value;
    if (revision > this.revision) this.#known = { key, revision, value };
  }

  /** Whether it is there, as far as etcd has not forgotten. `read` gives what a key held at a revision, now without one. */
  async isThere(read: (key: string, revision?: number) => Promise<KeyValue | undefined>): Promise<boolean> {
    const known = this.#known;
    if (!known) return true;
    const { key, revision, value } = known;
    try {
      const then = await read(key, revision);
      if (value) return then?.modRevision === revision && Buffer.compare(then.value, value) === 0;
      return then === undefined && (await read(key, revision - 1)) !== undefined;
    } catch (err) {
      if (isFuture(err)) return false;
      if (!isCompacted(err)) throw err;
      const now = await read(key);
      return now === undefined || now.modRevision >= revision;
    }
  }
}
