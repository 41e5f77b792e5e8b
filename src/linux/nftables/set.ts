/** Declarations and elements of sets in the kernel's form, and back. */
import { type Attr, decodeAttrs, firstAttr, type MessageWriter, readU32be, u32be } from '../netlink/attribute.ts';
import { verdictAttribute, verdictText } from './compile.ts';
import {
  decodeFields,
  decodeInterval,
  encodeFields,
  encodeInterval,
  type FieldType,
  fieldType,
  typeNumber,
  typeofNotes,
  typesOfNumber,
  widthOf,
} from './field-type.ts';
import { parseVerdict } from './rule.ts';
import type { SetDeclaration } from './table.ts';

const flag = { interval: 0x4, map: 0x8, timeout: 0x10, eval: 0x20, concat: 0x80 } as const;
const verdictType = 0xffffff00;
/** NFT_SET_ELEM_INTERVAL_END: the first key behind a range. */
const intervalEnd = 1;

/** A declaration as numbers: what the kernel keeps of it. */
interface Layout {
  readonly key: readonly FieldType[];
  readonly data: readonly FieldType[] | 'verdict' | undefined;
  readonly flags: number;
}

const layouts = new WeakMap<SetDeclaration, Layout>();

function layoutOf(set: SetDeclaration): Layout {
  const known = layouts.get(set);
  if (known) return known;
  const key = set.key.map(fieldType);
  const data = set.data?.[0] === 'verdict' ? ('verdict' as const) : set.data?.map(fieldType);
  let flags = data ? flag.map : 0;
  if (set.interval) flags |= flag.interval | (key.length > 1 ? flag.concat : 0);
  if (set.dynamic) flags |= flag.eval | (set.data ? flag.timeout : 0);
  const layout = { key, data, flags };
  layouts.set(set, layout);
  return layout;
}

function notesOf(set: SetDeclaration, layout: Layout): Uint8Array {
  const note = (type: number, value: Uint8Array): Uint8Array => Uint8Array.of(type, value.length, ...value);
  const concat = Uint8Array.of(0, 4, 13, 0, 0, 0, 1, 0);
  const order = (type: number, fields: readonly string[] | undefined): Uint8Array =>
    note(type, Uint8Array.of(fields?.length === 1 && fields[0] !== 'verdict' ? 2 : 0, 0, 0, 0));
  const describe = (type: number, fields: readonly string[]): Uint8Array[] => {
    if (set.typeof) return [note(type, typeofNotes(fields))];
    return fields.length > 1 ? [note(type, concat)] : [];
  };
  const parts = [order(0, set.key)];
  if (set.data) parts.push(order(1, set.data));
  parts.push(...describe(3, set.key));
  if (set.data && layout.data !== 'verdict') parts.push(...describe(4, set.data));
  if (set.data) parts.push(note(6, new Uint8Array(4)));
  return Buffer.concat(parts);
}

/** The attributes of NFT_MSG_NEWSET after table and name. `id` is unique in the transaction. */
export function writeSet(out: MessageWriter, set: SetDeclaration, id: number): void {
  const layout = layoutOf(set);
  out.u32be(3, layout.flags);
  out.u32be(4, typeNumber(layout.key));
  out.u32be(5, widthOf(layout.key));
  if (layout.data) {
    out.u32be(6, layout.data === 'verdict' ? verdictType : typeNumber(layout.data));
    out.u32be(7, layout.data === 'verdict' ? 0 : widthOf(layout.data));
  }
  out.u32be(10, id);
  const description: Attr[] = [];
  if (set.dynamic) description.push([1, u32be(set.dynamic.size)]);
  if (layout.flags & flag.concat) description.push([2, layout.key.map((type): Attr => [1, [[1, u32be(type.length)]]])]);
  if (description.length > 0) out.attr([9, description]);
  out.raw(13, notesOf(set, layout));
}

/** A text by which declarations compare: what was declared, or what the kernel lists. */
export function declarationText(set: SetDeclaration | Buffer): string {
  if (!Buffer.isBuffer(set)) {
    const { key, data, flags } = layoutOf(set);
    const value = data === undefined ? 0 : data === 'verdict' ? verdictType : typeNumber(data);
    return `${flags} ${typeNumber(key)} ${value}`;
  }
  const attributes = decodeAttrs(set);
  return [3, 4, 6].map((type) => readU32be(attributes.get(type))).join(' ');
}

/**
 * One element inside NFTA_SET_ELEM_LIST_ELEMENTS. `data` is left out when the element is to be deleted. A range of a set whose key is one field
 * is two: its first key, and the first one behind it (nft_set_rbtree); of concatenations the kernel takes both ends as one (nft_set_pipapo).
 */
export function writeElement(out: MessageWriter, set: SetDeclaration, key: string, data: string | undefined): void {
  const layout = layoutOf(set);
  if (set.interval && layout.key.length === 1) {
    writeRange(out, ...encodeInterval(layout.key, key));
    return;
  }
  const element = out.begin(1);
  const [first, last] = set.interval ? encodeInterval(layout.key, key) : [encodeFields(layout.key, key), undefined];
  writeValue(out, 1, first);
  if (last) writeValue(out, 10, last);
  if (data !== undefined && layout.data === 'verdict') {
    out.attr([2, [verdictAttribute(parseVerdict(data))]]);
  } else if (data !== undefined && layout.data && layout.data !== 'verdict') {
    writeValue(out, 2, encodeFields(layout.data, data));
  }
  out.end(element);
}

function writeRange(out: MessageWriter, first: Uint8Array, last: Uint8Array): void {
  const start = out.begin(1);
  writeValue(out, 1, first);
  out.end(start);
  const behind = Uint8Array.from(last);
  // Nothing is behind the last key of all.
  if (!addOne(behind)) return;
  const end = out.begin(1);
  writeValue(out, 1, behind);
  out.u32be(3, intervalEnd);
  out.end(end);
}

/** The next key, or the one before, in place. False where there is none. */
function addOne(key: Uint8Array, step: 1 | -1 = 1): boolean {
  for (let at = key.length - 1; at >= 0; at--) {
    const before = key[at] ?? 0;
    key[at] = before + step;
    if (before !== (step === 1 ? 255 : 0)) return true;
  }
  return false;
}

function writeValue(out: MessageWriter, type: number, bytes: Uint8Array): void {
  const at = out.begin(type);
  out.raw(1, bytes);
  out.end(at);
}

/** Reads elements of a set whose NFT_MSG_NEWSET attributes are given. Undefined when its types are not ours. */
export function elementReader(setAttributes: Buffer): ((element: Buffer) => [key: string, data: string] | undefined) | undefined {
  const attributes = decodeAttrs(setAttributes);
  const flags = readU32be(attributes.get(3));
  const key = typesOfNumber(readU32be(attributes.get(4)));
  const dataType = readU32be(attributes.get(6));
  const data = flags & flag.map && dataType !== verdictType ? typesOfNumber(dataType) : [];
  if (!key || !data) return undefined;
  return (element) => {
    const first = firstAttr(firstAttr(element, 1), 1);
    if (!first) return undefined;
    const last = flags & flag.interval ? firstAttr(firstAttr(element, 10), 1) : undefined;
    const text = last ? decodeInterval(key, first, last) : decodeFields(key, first);
    const value = dataType === 0 ? undefined : firstAttr(element, 2);
    const verdict = firstAttr(value, 2);
    const plain = firstAttr(value, 1);
    return [text, verdict ? verdictText(verdict) : plain ? decodeFields(data, plain) : ''];
  };
}

/**
 * Reads a set of ranges whose elements are their ends: gives the reader one element after the other, and asks it for the ranges at last. Undefined
 * when the set is no such.
 */
export function rangeReader(setAttributes: Buffer): { take(element: Buffer): void; ranges(): string[] } | undefined {
  const attributes = decodeAttrs(setAttributes);
  const key = typesOfNumber(readU32be(attributes.get(4)));
  if ((readU32be(attributes.get(3)) & (flag.interval | flag.concat | flag.map)) !== flag.interval || key?.length !== 1) return undefined;
  const ends: { readonly at: Buffer; readonly isEnd: boolean }[] = [];
  return {
    take(element) {
      const at = firstAttr(firstAttr(element, 1), 1);
      if (at) ends.push({ at, isEnd: (readU32be(firstAttr(element, 3)) & intervalEnd) !== 0 });
    },
    ranges() {
      // One range may begin where another ends. The end of none stands before the first in some versions of nft.
      ends.sort((a, b) => Buffer.compare(a.at, b.at) || Number(b.isEnd) - Number(a.isEnd));
      return ends.flatMap(({ at, isEnd }, i) => {
        if (isEnd) return [];
        const last = Buffer.from(ends[i + 1]?.at ?? Buffer.alloc(at.length));
        addOne(last, -1);
        return [decodeInterval(key, at, last)];
      });
    },
  };
}

/** What the counter of an element has counted (NFTA_SET_ELEM_EXPR, NFTA_EXPR_DATA, NFTA_COUNTER_PACKETS); 0 without one. */
export function packetsAt(element: Buffer): number {
  const counter = firstAttr(firstAttr(element, 7), 2);
  return Number(firstAttr(counter, 2)?.readBigUInt64BE(0) ?? 0n);
}
