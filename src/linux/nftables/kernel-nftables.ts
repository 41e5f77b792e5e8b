/** The packet filter of the kernel, over netlink. */
import { closeSync, openSync } from 'node:fs';
import { KnownError } from '../../errors/known-error.ts';
import { type Attr, decodeAttrs, eachAttr, readText, readU32be, text } from '../netlink/attribute.ts';
import { isErrno } from '../netlink/netlink-error.ts';
import { NETLINK_NETFILTER, NetlinkSocket } from '../netlink/netlink-socket.ts';
import { inNetns } from '../netns.ts';
import { encodeBatch, hookNumbers, messageType, nfgenmsg, subsystem } from './batch.ts';
import { isRule } from './compile.ts';
import { ruleText } from './decompile.ts';
import { refusal } from './refusal.ts';
import { declarationText, elementReader, packetsAt, rangeReader } from './set.ts';
import type {
  ChainHook,
  CountedElement,
  Elements,
  Hook,
  KernelChain,
  KernelRule,
  KernelSet,
  KernelTable,
  Nftables,
  SetDeclaration,
  SetNames,
  TableFamily,
  Transaction,
} from './table.ts';
import { NftablesWatch } from './watch.ts';

const anonymous = 1;
/** A transaction goes out in one send, however large: ten thousand Services take some 10 MB. */
const room = 256 << 20;
const listing = 'list the packet filter';

/** Speaks to the network namespace in which it was made. Calls are served one after the other. */
export class KernelNftables implements Nftables {
  readonly #socket: NetlinkSocket;
  /** The namespace's descriptor, for sockets that are opened later. */
  readonly #netns = openSync('/proc/thread-self/ns/net', 'r');
  #open = true;
  #last: Promise<unknown> = Promise.resolve();
  /** Messages sent by `commit` so far, for budgets and metrics. */
  messagesSent = 0;

  /** `aside` is NetlinkSocket's. */
  constructor(aside: true | 'if-long' = true) {
    this.#socket = openSocket(aside);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work, work);
    this.#last = turn.catch(() => {});
    return turn;
  }

  commit(transaction: Transaction): Promise<void> {
    if (transaction.ops.length === 0) return Promise.resolve();
    return this.#inTurn(async () => {
      const doing = `change table "${transaction.family} ${transaction.table}"`;
      const { batch, refusals } = await this.#socket.transact((firstSeq) => encodeBatch(transaction, firstSeq), doing);
      this.messagesSent += batch.messages;
      const [refused] = refusals;
      if (refused) throw refusal(transaction, batch.opOf(refused[0]), refused[1]);
    });
  }

  /** Calls `each` with the attributes of every object of a listing; there is none in a table that is not there. */
  async #dump(type: number, family: TableFamily, filter: readonly Attr[], each: (attributes: Buffer) => void): Promise<void> {
    const request = { type: (subsystem << 8) | type, body: nfgenmsg(family), attrs: filter };
    try {
      for (const message of await this.#socket.dump(request, listing)) each(message.data.subarray(4));
    } catch (err) {
      if (!isErrno(err, 'ENOENT')) throw err;
    }
  }

  read(family: TableFamily, table: string, except: SetNames = new Set()): Promise<KernelTable | undefined> {
    return this.#inTurn(() => this.#read(family, table, except));
  }

  async #read(family: TableFamily, table: string, except: SetNames): Promise<KernelTable | undefined> {
    let exists = false;
    const filter: readonly Attr[] = [[1, text(table)]];
    await this.#dump(messageType.getTable, family, [], (a) => {
      if (readText(decodeAttrs(a).get(1)) === table) exists = true;
    });
    if (!exists) return undefined;
    const chains = new Map<string, { name: string; hook?: Hook; rules: KernelRule[] }>();
    await this.#dump(messageType.getChain, family, filter, (a) => {
      const attributes = decodeAttrs(a);
      if (readText(attributes.get(1)) !== table) return;
      const name = readText(attributes.get(3));
      const hook = readHook(attributes);
      chains.set(name, { name, ...(hook ? { hook } : {}), rules: [] });
    });
    await this.#dump(messageType.getRule, family, filter, (a) => {
      const attributes = decodeAttrs(a);
      if (readText(attributes.get(1)) !== table) return;
      const expressions = attributes.get(4) ?? Buffer.alloc(0);
      chains.get(readText(attributes.get(2)))?.rules.push(new ListedRule(expressions, family));
    });
    const declared = new Map<string, Buffer>();
    await this.#dump(messageType.getSet, family, filter, (a) => {
      const attributes = decodeAttrs(a);
      // Anonymous sets live and die with their rule.
      if (readText(attributes.get(1)) !== table || (readU32be(attributes.get(3)) & anonymous) !== 0) return;
      declared.set(readText(attributes.get(2)), a);
    });
    const sets = new Map<string, KernelSet>();
    for (const [name, attributes] of declared) {
      const elements = except.has(name) ? new Map<string, string>() : await this.#elements(family, table, name, attributes);
      sets.set(name, { declaration: declarationText(attributes), elements });
    }
    return { family, name: table, chains: chains as ReadonlyMap<string, KernelChain>, sets };
  }

  async #elements(family: TableFamily, table: string, set: string, setAttributes: Buffer): Promise<Map<string, string>> {
    const elements = new Map<string, string>();
    const ranges = rangeReader(setAttributes);
    if (ranges) {
      await this.#eachListed(family, table, set, (element) => ranges.take(element));
      for (const range of ranges.ranges()) elements.set(range, '');
    } else await this.#eachElement(family, table, set, setAttributes, (_, key, data) => elements.set(key, data));
    return elements;
  }

  async #eachElement(
    family: TableFamily,
    table: string,
    set: string,
    setAttributes: Buffer,
    visit: (element: Buffer, key: string, data: string) => void,
  ): Promise<void> {
    const read = elementReader(setAttributes);
    if (!read) return;
    await this.#eachListed(family, table, set, (element) => {
      const found = read(element);
      if (found) visit(element, ...found);
    });
  }

  async #eachListed(family: TableFamily, table: string, set: string, visit: (element: Buffer) => void): Promise<void> {
    await this.#dump(messageType.getElement, family, setNamed(table, set), (a) => {
      eachAttr(decodeAttrs(a).get(3) ?? Buffer.alloc(0), (_, element) => visit(element));
    });
  }

  /** The attributes of a set; undefined when there is none of this name. */
  async #attributesOf(family: TableFamily, table: string, set: string): Promise<Buffer | undefined> {
    const request = { type: (subsystem << 8) | messageType.getSet, body: nfgenmsg(family), attrs: setNamed(table, set) };
    try {
      const [message] = await this.#socket.get(request, listing);
      return message?.data.subarray(4);
    } catch (err) {
      if (isErrno(err, 'ENOENT')) return undefined;
      throw err;
    }
  }

  readElements(family: TableFamily, table: string, { name }: SetDeclaration): Promise<Elements> {
    return this.#inTurn(async () => {
      const attributes = await this.#attributesOf(family, table, name);
      return attributes ? await this.#elements(family, table, name, attributes) : new Map<string, string>();
    });
  }

  readCounters(family: TableFamily, table: string, { name }: SetDeclaration): Promise<readonly CountedElement[]> {
    return this.#inTurn(async () => {
      const counted: CountedElement[] = [];
      const attributes = await this.#attributesOf(family, table, name);
      if (attributes)
        await this.#eachElement(family, table, name, attributes, (element, key) => counted.push({ key, packets: packetsAt(element) }));
      return counted;
    });
  }

  generation(): Promise<number> {
    const request = { type: (subsystem << 8) | messageType.getGeneration, body: nfgenmsg(undefined) };
    return this.#inTurn(async () => {
      try {
        const [message] = await this.#socket.get(request, listing);
        return readU32be(decodeAttrs(message?.data, 4).get(1));
      } catch (err) {
        throw noNftables(err);
      }
    });
  }

  /** Names of all chains of whatever table in the family. */
  chainNames(family: TableFamily): Promise<string[]> {
    return this.#inTurn(async () => {
      const names: string[] = [];
      try {
        await this.#dump(messageType.getChain, family, [], (a) => names.push(readText(decodeAttrs(a).get(3))));
      } catch (err) {
        throw noNftables(err);
      }
      return names;
    });
  }

  watch(table: string, onChange: () => void): NftablesWatch {
    return inNetns(`/proc/self/fd/${this.#netns}`, () => new NftablesWatch(table, onChange, this.#socket.port));
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    closeSync(this.#netns);
    this.#socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

class ListedRule implements KernelRule {
  readonly #expressions: Buffer;
  readonly #family: TableFamily;

  constructor(expressions: Buffer, family: TableFamily) {
    this.#expressions = expressions;
    this.#family = family;
  }

  is(text: string): boolean {
    return isRule(this.#expressions, text, this.#family);
  }

  get text(): string | undefined {
    return ruleText(this.#expressions, this.#family);
  }
}

function setNamed(table: string, set: string): readonly Attr[] {
  return [
    [1, text(table)],
    [2, text(set)],
  ];
}

function readHook(attributes: Map<number, Buffer>): Hook | undefined {
  const bytes = attributes.get(4);
  if (!bytes) return undefined;
  const hook = decodeAttrs(bytes);
  const number = readU32be(hook.get(1));
  const name = (Object.keys(hookNumbers) as ChainHook[]).find((key) => hookNumbers[key] === number);
  const type = readText(attributes.get(7));
  if (!name || (type !== 'filter' && type !== 'nat')) return undefined;
  return { type, hook: name, priority: readU32be(hook.get(2)) | 0 };
}

function openSocket(aside: true | 'if-long'): NetlinkSocket {
  try {
    return new NetlinkSocket(NETLINK_NETFILTER, { aside, room });
  } catch (err) {
    throw noNftables(err);
  }
}

function noNftables(cause: unknown): KnownError {
  return new KnownError('KERNEL_FEATURE_MISSING', 'Cannot speak to nf_tables: the kernel does not answer', {
    hint: 'Load the module nf_tables (modprobe nf_tables), or use a kernel that has it',
    cause,
  });
}
