/** The kernel's sets in memory: the same refusals, dump and load in ipset's syntax. */
import { type HeldIpset, type Ipset, type IpsetDeclaration, type IpsetOp, isSameDeclaration } from '../ipset/ipset.ts';
import { printIpsets } from '../ipset/print.ts';
import { parseIpsets } from '../ipset/testing/parse.ts';
import { NetlinkError } from '../netlink/netlink-error.ts';

interface Held {
  set: IpsetDeclaration;
  entries: Set<string>;
}

export class FakeIpset implements Ipset {
  readonly #sets = new Map<string, Held>();
  /** Of each set but those of ports. */
  maxElements = 65_536;
  /** Names of sets that rules use, which cannot be destroyed. */
  isUsed: (name: string) => boolean = () => false;
  /** Changes asked for so far, the refused ones included. */
  messagesSent = 0;
  /** Listings of one set so far. */
  reads = 0;

  protocol(): Promise<number> {
    return Promise.resolve(7);
  }

  apply(ops: readonly IpsetOp[]): Promise<(NetlinkError | undefined)[]> {
    this.messagesSent += ops.length;
    return Promise.resolve(
      ops.map((op) => {
        const errno = this.#change(op);
        return errno === undefined ? undefined : new NetlinkError(errno, 'change sets');
      }),
    );
  }

  #change(op: IpsetOp): string | undefined {
    const name = 'set' in op ? op.set.name : op.name;
    const held = this.#sets.get(name);
    if (op.op === 'create') {
      if (!held) this.#sets.set(name, { set: op.set, entries: new Set() });
      return held && !isSameDeclaration(held.set, op.set) ? 'EEXIST' : undefined;
    }
    if (!held) return op.op === 'destroy' ? undefined : 'ENOENT';
    switch (op.op) {
      case 'destroy':
        if (this.isUsed(name)) return 'IPSET_ERR_BUSY';
        this.#sets.delete(name);
        return undefined;
      case 'flush':
        held.entries.clear();
        return undefined;
      case 'add':
        return this.#add(held, op.entry);
      case 'del':
        held.entries.delete(op.entry);
        return undefined;
      case 'swap':
        return this.#swap(held, this.#sets.get(op.other));
    }
  }

  #add({ set, entries }: Held, entry: string): string | undefined {
    const isFull = set.type !== 'bitmap:port' && entries.size >= this.maxElements;
    if (isFull && !entries.has(entry)) return 'IPSET_ERR_HASH_FULL';
    entries.add(entry);
    return undefined;
  }

  #swap(one: Held, other: Held | undefined): string | undefined {
    if (!other) return 'IPSET_ERR_EXIST_SETNAME2';
    if (one.set.type !== other.set.type || one.set.family !== other.set.family) return 'IPSET_ERR_TYPE_MISMATCH';
    [one.entries, other.entries] = [other.entries, one.entries];
    return undefined;
  }

  names(): Promise<string[]> {
    return Promise.resolve([...this.#sets.keys()]);
  }

  read(name: string): Promise<HeldIpset | undefined> {
    this.reads++;
    const held = this.#sets.get(name);
    return Promise.resolve(held && { set: held.set, entries: new Set(held.entries) });
  }

  close(): void {}

  /** All sets as `ipset save` prints them, sorted. */
  dump(): string {
    return printIpsets(this.#sets.values());
  }

  /** Adds what is in the text, as `ipset restore` does. */
  load(text: string): void {
    for (const held of parseIpsets(text)) this.#sets.set(held.set.name, held);
  }
}
