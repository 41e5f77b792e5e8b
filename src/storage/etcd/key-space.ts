/** Where the store's keys lie in etcd: those that begin with `from` (`/registry`) begin with `to` there, which is the same by default. */
import { compareKeys } from '../key-order.ts';
import type { StoredRecord } from '../store.ts';
import type { Message } from './messages.ts';

export interface KeyRange {
  readonly key: string;
  readonly rangeEnd: string;
}

export class KeySpace {
  readonly #from: string;
  readonly #to: string;

  constructor(from: string, to: string) {
    this.#from = from;
    this.#to = to;
  }

  /**
   * The key of the fence: who writes it tells watchers how far they have come. It is no key of the store. It lies right before them, so
   * that a watch of all of them can take it in.
   */
  get fence(): string {
    return `${this.#to}.fairlead`;
  }

  /** The key whose writes say that all before counts as compacted. It lies between the fence and the store's keys, so who watches both is told. */
  get jump(): string {
    return `${this.#to}.jump`;
  }

  /** The key of the mark of a store that is being filled. It lies before the fence, so no watch is told of it. */
  get mark(): string {
    return `${this.#to}.copying`;
  }

  /** The Namespace kube-system: it is there as long as the cluster is, and its uid tells which one that is. */
  get namesCluster(): string {
    return `${this.#to}/namespaces/kube-system`;
  }

  /** Every key of the store. */
  get whole(): KeyRange {
    return { key: `${this.#to}/`, rangeEnd: `${this.#to}0` };
  }

  toEtcd(key: string): string {
    return key.startsWith(this.#from) ? `${this.#to}${key.slice(this.#from.length)}` : key;
  }

  fromEtcd(key: string): string {
    return key.startsWith(this.#to) ? `${this.#from}${key.slice(this.#to.length)}` : key;
  }

  range(start: string, end: string): KeyRange {
    return { key: this.toEtcd(start), rangeEnd: this.toEtcd(end) };
  }

  /** Whether the range takes in every key of the store, so that nothing but the jump lies between it and the fence. */
  isWhole({ key }: KeyRange): boolean {
    return key === `${this.#to}/`;
  }

  /** The range with the fence in it. */
  withFence({ key, rangeEnd }: KeyRange): KeyRange {
    const behind = `${this.fence}\0`;
    return {
      key: compareKeys(this.fence, key) < 0 ? this.fence : key,
      rangeEnd: compareKeys(behind, rangeEnd) > 0 ? behind : rangeEnd,
    };
  }

  record({ key, value, createRevision, modRevision }: Message<'KeyValue'>): StoredRecord {
    return { key: this.fromEtcd(key), value, createRevision, modRevision };
  }
}
