/**
 * Tables of the legacy backend as the kernel holds them, without its tools: a look starts no program. Sources: include/uapi/linux/netfilter/x_tables.h,
 * netfilter_ipv4/ip_tables.h, netfilter_ipv6/ip6_tables.h, as 64 bit machines have them.
 */
import { closeSync, readFileSync } from 'node:fs';
import { systemCode } from '../../errors/known-error.ts';
import { i32, loadLibc } from '../libc.ts';
import type { TableFamily } from '../nftables/table.ts';

interface Layout {
  /** AF_INET and SOL_IP, or those of IPv6. */
  readonly domain: number;
  readonly level: number;
  /** Where an entry (`struct ipt_entry`) says where its target is and where the next entry, and where it has its two counts. */
  readonly target: number;
  readonly next: number;
  readonly counts: number;
}

const layouts: Readonly<Record<TableFamily, Layout>> = {
  ip: { domain: 2, level: 0, target: 88, next: 90, counts: 96 },
  ip6: { domain: 10, level: 41, target: 140, next: 142, counts: 152 },
};
const [raw, rawProtocol] = [3, 255];
const [getInfo, getEntries] = [64, 65];
const nameLength = 32;
/** `struct ipt_getinfo`; its last number is the size of all entries. */
const infoLength = 84;
/** Of `struct ipt_get_entries`, before the first entry. */
const headLength = 40;
const countsLength = 16;
/** In `struct xt_error_target`: a chain of one's own begins with such a target, which bears the chain's name. */
const [targetName, chainName] = [2, 32];
/** Between asking for the size and for the entries somebody may change the table. */
const attempts = 5;

const textAt = (bytes: Buffer, at: number): string => bytes.toString('latin1', at, bytes.indexOf(0, at));

/** Names of the tables that somebody has used, in the network namespace of this thread. */
export function legacyTableNames(family: TableFamily): string[] {
  try {
    return readFileSync(`/proc/thread-self/net/${family}_tables_names`, 'utf8').split('\n').filter(Boolean);
  } catch (err) {
    if (systemCode(err) === 'ENOENT') return [];
    throw err;
  }
}

/** All entries of a table, in the network namespace of this thread; undefined when the kernel does not give them. */
export function readLegacyTable(family: TableFamily, table: string): Buffer | undefined {
  const { domain, level } = layouts[family];
  const libc = loadLibc();
  const fd = libc.socket(domain, raw, rawProtocol);
  if (fd < 0) return undefined;
  try {
    const info = Buffer.alloc(infoLength);
    info.write(table);
    for (let attempt = 0; attempt < attempts; attempt++) {
      if (libc.getsockopt(fd, level, getInfo, info, i32(infoLength)) !== 0) return undefined;
      const size = info.readUInt32LE(infoLength - 4);
      const answer = Buffer.alloc(headLength + size);
      answer.write(table);
      answer.writeUInt32LE(size, nameLength);
      if (libc.getsockopt(fd, level, getEntries, answer, i32(answer.length)) === 0) return answer.subarray(headLength);
    }
    return undefined;
  } finally {
    closeSync(fd);
  }
}

/** Where each entry begins. */
function* entriesOf(bytes: Buffer, { next }: Layout): Generator<number> {
  for (let at = 0, step = 0; at < bytes.length; at += step) {
    yield at;
    step = bytes.readUInt16LE(at + next);
    if (step === 0) return;
  }
}

/** Names of the chains that are not the kernel's own. */
export function legacyChains(family: TableFamily, bytes: Buffer): string[] {
  const layout = layouts[family];
  const chains: string[] = [];
  for (const at of entriesOf(bytes, layout)) {
    const target = at + bytes.readUInt16LE(at + layout.target);
    if (textAt(bytes, target + targetName) === 'ERROR') chains.push(textAt(bytes, target + chainName));
  }
  // The last entry ends the table, and is no chain.
  return chains.slice(0, -1);
}

/** The same bytes for the same rules, whatever they have counted. */
export function uncounted(family: TableFamily, bytes: Buffer): Buffer {
  const layout = layouts[family];
  const rules = Buffer.from(bytes);
  for (const at of entriesOf(bytes, layout)) rules.fill(0, at + layout.counts, at + layout.counts + countsLength);
  return rules;
}
