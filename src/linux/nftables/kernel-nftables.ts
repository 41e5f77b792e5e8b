/** The packet filter of the kernel, over netlink. */
import { closeSync, openSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { KnownError } from '../../errors/known-error.ts';
import { inNetns } from '../netns.ts';
import { AttributeWriter, eachAttribute, readAttributes, readText, readU32 } from './attribute.ts';
import { BatchSocket } from './batch-socket.ts';
import { isRule } from './compile.ts';
import { encodeBatch, familyNumber, flags, hookNumbers, messageType, subsystem } from './message.ts';
import { errnoNames, messagesIn, refusal } from './reply.ts';
import { declarationText, elementReader } from './set.ts';
import type {
  ChainHook,
  Elements,
  Hook,
  KernelChain,
  KernelRule,
  KernelSet,
  KernelTable,
  Nftables,
  SetDeclaration,
  TableFamily,
  Transaction,
} from './table.ts';
import { NftablesWatch } from './watch.ts';

const errorMessage = 2;
const doneMessage = 3;
const dumpInterrupted = 0x10;
const anonymous = 1;
const chunksInARow = 16;
class Interrupted extends Error {}

/** Speaks to the network namespace in which it was made. Calls are served one after the other. */
export class KernelNftables implements Nftables {
  readonly #socket = new BatchSocket();
  /** The namespace's descriptor, for sockets that are opened later. */
  readonly #netns = openSync('/proc/thread-self/ns/net', 'r');
  #open = true;
  #sequence = 1;
  #last: Promise<unknown> = Promise.resolve();
  /** Messages sent by `commit` so far, for budgets and metrics. */
  messagesSent = 0;

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work, work);
    this.#last = turn.catch(() => {});
    return turn;
  }

  commit(transaction: Transaction): Promise<void> {
    if (transaction.ops.length === 0) return Promise.resolve();
    return this.#inTurn(async () => {
      const batch = encodeBatch(transaction, this.#sequence);
      this.#sequence += batch.messages + 2;
      this.messagesSent += batch.messages;
      await this.#socket.send(batch.bytes);
      let failure: KnownError | undefined;
      // The kernel has answered by the time send returns: errors only, each with the number of its message.
      for (let bytes = this.#socket.receive(); bytes; bytes = this.#socket.receive()) {
        for (const message of messagesIn(bytes)) {
          const errno = message.type === errorMessage ? -message.body.readInt32LE(0) : 0;
          if (errno !== 0) failure ??= refusal(transaction, batch.opOf(message.sequence), errno);
        }
      }
      if (failure) throw failure;
    });
  }

  /** Asks for a listing; calls `each` with the attributes of every object. */
  async #dump(type: number, family: number, body: (out: AttributeWriter) => void, each: (attributes: Buffer) => void): Promise<void> {
    const out = new AttributeWriter(256);
    const sequence = this.#sequence++;
    const at = out.beginMessage((subsystem << 8) | type, flags.request | flags.dump, sequence, family);
    body(out);
    out.endMessage(at);
    await this.#socket.send(out.bytes());
    let interrupted = false;
    let chunks = 0;
    for (let bytes = this.#socket.receive(); bytes; bytes = this.#socket.receive()) {
      // The kernel fills 32 KB at a time, and takes longer for each the larger the set: others want a turn too.
      if (++chunks % chunksInARow === 0) await nextTurn();
      for (const message of messagesIn(bytes)) {
        if (message.sequence !== sequence) continue;
        if (message.flags & dumpInterrupted) interrupted = true;
        if (message.type === errorMessage) {
          const errno = -message.body.readInt32LE(0);
          if (errno === 2) return;
          throw new KnownError('KERNEL_REFUSED', `Cannot list the packet filter: ${errnoNames[errno] ?? `errno ${errno}`}`);
        }
        if (message.type === doneMessage) {
          if (interrupted) throw new Interrupted();
          return;
        }
        each(message.body.subarray(4));
      }
    }
    throw new Interrupted();
  }

  /** Repeats a reading that a change by somebody else ran into. */
  async #steady<T>(reading: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await reading();
      } catch (err) {
        if (!(err instanceof Interrupted)) throw err;
        if (attempt === 20) throw new KnownError('KERNEL_REFUSED', 'Cannot list the packet filter: it kept changing during 20 attempts');
      }
    }
  }

  read(family: TableFamily, table: string, except: ReadonlySet<string> = new Set()): Promise<KernelTable | undefined> {
    return this.#inTurn(() => this.#steady(() => this.#read(family, table, except)));
  }

  async #read(family: TableFamily, table: string, except: ReadonlySet<string>): Promise<KernelTable | undefined> {
    const number = familyNumber[family];
    let exists = false;
    const filter = (out: AttributeWriter): void => out.text(1, table);
    await this.#dump(
      messageType.getTable,
      number,
      () => {},
      (a) => {
        if (readText(readAttributes(a).get(1)) === table) exists = true;
      },
    );
    if (!exists) return undefined;
    const chains = new Map<string, { name: string; hook?: Hook; rules: KernelRule[] }>();
    await this.#dump(messageType.getChain, number, filter, (a) => {
      const attributes = readAttributes(a);
      if (readText(attributes.get(1)) !== table) return;
      const name = readText(attributes.get(3));
      const hook = readHook(attributes);
      chains.set(name, { name, ...(hook ? { hook } : {}), rules: [] });
    });
    await this.#dump(messageType.getRule, number, filter, (a) => {
      const attributes = readAttributes(a);
      if (readText(attributes.get(1)) !== table) return;
      const expressions = Uint8Array.from(attributes.get(4) ?? []);
      chains.get(readText(attributes.get(2)))?.rules.push({ is: (text) => isRule(expressions, text, family) });
    });
    const declared = new Map<string, Uint8Array>();
    await this.#dump(messageType.getSet, number, filter, (a) => {
      const attributes = readAttributes(a);
      // Anonymous sets live and die with their rule.
      if (readText(attributes.get(1)) !== table || (readU32(attributes.get(3)) & anonymous) !== 0) return;
      declared.set(readText(attributes.get(2)), Uint8Array.from(a));
    });
    const sets = new Map<string, KernelSet>();
    for (const [name, attributes] of declared) {
      const elements = except.has(name) ? new Map<string, string>() : await this.#elements(number, table, name, attributes);
      sets.set(name, { declaration: declarationText(attributes), elements });
    }
    return { family, name: table, chains: chains as ReadonlyMap<string, KernelChain>, sets };
  }

  async #elements(family: number, table: string, set: string, setAttributes: Uint8Array): Promise<Map<string, string>> {
    const elements = new Map<string, string>();
    const read = elementReader(setAttributes);
    if (!read) return elements;
    const filter = (out: AttributeWriter): void => {
      out.text(1, table);
      out.text(2, set);
    };
    await this.#dump(messageType.getElement, family, filter, (a) => {
      eachAttribute(readAttributes(a).get(3) ?? new Uint8Array(), (_, element) => {
        const found = read(element);
        if (found) elements.set(found[0], found[1]);
      });
    });
    return elements;
  }

  readElements(family: TableFamily, table: string, set: SetDeclaration): Promise<Elements> {
    const number = familyNumber[family];
    const out = new AttributeWriter(256);
    return this.#inTurn(() =>
      this.#steady(() => {
        let attributes: Uint8Array | undefined;
        out.length = 0;
        return this.#dump(
          messageType.getSet,
          number,
          (o) => o.text(1, table),
          (a) => {
            const found = readAttributes(a);
            if (readText(found.get(1)) === table && readText(found.get(2)) === set.name) attributes = Uint8Array.from(a);
          },
        ).then(() => (attributes ? this.#elements(number, table, set.name, attributes) : new Map<string, string>()));
      }),
    );
  }

  generation(): Promise<number> {
    return this.#inTurn(async () => {
      const out = new AttributeWriter(32);
      const sequence = this.#sequence++;
      out.endMessage(out.beginMessage((subsystem << 8) | messageType.getGeneration, flags.request, sequence, 0));
      await this.#socket.send(out.bytes());
      for (let bytes = this.#socket.receive(); bytes; bytes = this.#socket.receive())
        for (const message of messagesIn(bytes))
          if (message.sequence === sequence && message.type !== errorMessage)
            return readU32(readAttributes(message.body.subarray(4)).get(1));
      throw new KnownError('KERNEL_FEATURE_MISSING', 'Cannot speak to nf_tables: the kernel does not answer', {
        hint: 'Load the module nf_tables (modprobe nf_tables), or use a kernel that has it',
      });
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

function readHook(attributes: Map<number, Uint8Array>): Hook | undefined {
  const bytes = attributes.get(4);
  if (!bytes) return undefined;
  const hook = readAttributes(bytes);
  const number = readU32(hook.get(1));
  const name = (Object.keys(hookNumbers) as ChainHook[]).find((key) => hookNumbers[key] === number);
  const type = readText(attributes.get(7));
  if (!name || (type !== 'filter' && type !== 'nat')) return undefined;
  return { type, hook: name, priority: readU32(hook.get(2)) | 0 };
}
