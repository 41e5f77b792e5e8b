/**
 * A transaction as one batch of nfnetlink messages. The kernel takes the whole batch from a single `send`, or nothing of
 * it (net/netfilter/nfnetlink.c).
 */
import { addFlags, MessageWriter } from '../netlink/attribute.ts';
import { NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE, NLM_F_REQUEST } from '../netlink/message.ts';
import type { EncodedBatch } from '../netlink/netlink-socket.ts';
import { addressFamilies } from '../socket-address.ts';
import { compileRule } from './compile.ts';
import { writeElement, writeSet } from './set.ts';
import type { Chain, Op, SetDeclaration, TableFamily, Transaction } from './table.ts';

export const subsystem = 10;
const familyNumber: Readonly<Record<TableFamily, number>> = { ip: addressFamilies[4], ip6: addressFamilies[6] };
export const hookNumbers = { prerouting: 0, input: 1, forward: 2, output: 3, postrouting: 4 } as const;

/** `enum nf_tables_msg_types`. */
export const messageType = {
  newTable: 0,
  getTable: 1,
  delTable: 2,
  newChain: 3,
  getChain: 4,
  delChain: 5,
  newRule: 6,
  getRule: 7,
  delRule: 8,
  newSet: 9,
  getSet: 10,
  delSet: 11,
  newElement: 12,
  getElement: 13,
  delElement: 14,
  newGeneration: 15,
  getGeneration: 16,
  trace: 17,
} as const;

const batchBegin = 0x10;
const batchEnd = 0x11;
const elementsPerMessage = 400;
/** NFT_TABLE_F_OWNER. */
const ownerFlag = 2;

/** Of nearly every message. */
const headers: Readonly<Record<TableFamily, Uint8Array>> = {
  ip: Uint8Array.of(familyNumber.ip, 0, 0, 0),
  ip6: Uint8Array.of(familyNumber.ip6, 0, 0, 0),
};

/** struct nfgenmsg. `resource` is the subsystem in the messages around a batch. */
export function nfgenmsg(family: TableFamily | undefined, resource = 0): Uint8Array {
  if (family !== undefined && resource === 0) return headers[family];
  return Uint8Array.of(family === undefined ? 0 : familyNumber[family], 0, resource >> 8, resource & 255);
}

export interface Batch extends EncodedBatch {
  /** The step that a sequence number belongs to. */
  opOf(sequence: number): Op | undefined;
}

class BatchWriter {
  readonly out: MessageWriter = new MessageWriter();
  readonly #transaction: Transaction;
  readonly #ops = new Map<number, Op>();
  #sequence: number;
  #setId = 0;
  messages = 0;
  /** Where the last message of the change starts. */
  #last = 0;

  constructor(transaction: Transaction, firstSequence: number) {
    this.#transaction = transaction;
    this.#sequence = firstSequence;
    this.#marker(batchBegin);
  }

  #marker(type: number): void {
    this.out.endMessage(this.out.beginMessage(type, NLM_F_REQUEST, this.#sequence++, nfgenmsg(undefined, subsystem)));
  }

  /** One message: its type, what follows the table's name. */
  #message(op: Op, type: number, extra: number, body?: () => void): void {
    const { family, table } = this.#transaction;
    this.#ops.set(this.#sequence, op);
    const at = this.out.beginMessage((subsystem << 8) | type, NLM_F_REQUEST | extra, this.#sequence++, nfgenmsg(family));
    this.#last = at;
    this.out.text(1, table);
    body?.();
    this.out.endMessage(at);
    this.messages++;
  }

  #chain(chain: Chain): void {
    this.out.text(3, chain.name);
    if (!chain.hook) return;
    this.out.text(7, chain.hook.type);
    this.out.u32be(5, 1);
    const at = this.out.begin(4);
    this.out.u32be(1, hookNumbers[chain.hook.hook]);
    this.out.u32be(2, chain.hook.priority);
    this.out.end(at);
  }

  #rule(op: Op, chain: string, rule: string): void {
    this.#message(op, messageType.newRule, NLM_F_CREATE | NLM_F_APPEND, () => {
      this.out.text(2, chain);
      const list = this.out.begin(4);
      for (const expression of compileRule(rule, this.#transaction.family)) {
        const at = this.out.begin(1);
        this.out.text(1, expression.name);
        this.out.attr([2, expression.data]);
        this.out.end(at);
      }
      this.out.end(list);
    });
  }

  #elements(op: Op, type: number, set: SetDeclaration, elements: readonly (readonly [string, string | undefined])[]): void {
    // An attribute is at most 64 KB long, so a long list takes several messages.
    for (let from = 0; from < elements.length; from += elementsPerMessage) {
      this.#message(op, type, type === messageType.newElement ? NLM_F_CREATE : 0, () => {
        this.out.text(2, set.name);
        const list = this.out.begin(3);
        for (const [key, data] of elements.slice(from, from + elementsPerMessage)) writeElement(this.out, set, key, data);
        this.out.end(list);
      });
    }
  }

  write(op: Op): void {
    switch (op.op) {
      case 'add-table':
        this.#message(op, messageType.newTable, NLM_F_CREATE, () => this.out.u32be(2, op.isOwned ? ownerFlag : 0));
        break;
      case 'delete-table':
        this.#message(op, messageType.delTable, 0);
        break;
      case 'add-chain':
        this.#message(op, messageType.newChain, NLM_F_CREATE, () => this.#chain(op.chain));
        for (const rule of op.chain.rules) this.#rule(op, op.chain.name, rule);
        break;
      case 'flush-chain':
        this.#message(op, messageType.delRule, 0, () => this.out.text(2, op.chain));
        break;
      case 'delete-chain':
        // A chain can only go when it is empty.
        this.#message(op, messageType.delRule, 0, () => this.out.text(2, op.chain));
        this.#message(op, messageType.delChain, 0, () => this.out.text(3, op.chain));
        break;
      case 'add-rule':
        this.#rule(op, op.chain, op.rule);
        break;
      case 'add-set':
        this.#message(op, messageType.newSet, NLM_F_CREATE, () => {
          this.out.text(2, op.set.name);
          writeSet(this.out, op.set, ++this.#setId);
        });
        break;
      case 'delete-set':
        this.#message(op, messageType.delSet, 0, () => this.out.text(2, op.set));
        break;
      case 'add-elements':
        this.#elements(op, messageType.newElement, op.set, op.elements);
        break;
      case 'delete-elements':
        this.#elements(
          op,
          messageType.delElement,
          op.set,
          op.keys.map((key) => [key, undefined]),
        );
        break;
    }
  }

  finish(): Batch {
    this.#marker(batchEnd);
    const ops = this.#ops;
    const bytes = this.out.bytes();
    addFlags(bytes, this.#last, NLM_F_ACK);
    const isLong = this.#transaction.ops.some(({ op }) => op === 'delete-table' || op === 'delete-set');
    return { bytes, isLong, messages: this.messages, opOf: (sequence) => ops.get(sequence) };
  }
}

/** Encodes a transaction; sequence numbers count up from `firstSequence`. */
export function encodeBatch(transaction: Transaction, firstSequence = 1): Batch {
  const writer = new BatchWriter(transaction, firstSequence);
  for (const op of transaction.ops) writer.write(op);
  return writer.finish();
}
