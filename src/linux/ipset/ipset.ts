/** Sets of the kernel (ipset) as values, and the seam through which they are changed. Entries are texts as ipset(8) writes them. */
import type { Family } from '../../ip/ip.ts';
import type { NetlinkError } from '../netlink/netlink-error.ts';

/**
 * What its entries are: `10.96.0.1`, `10.96.0.1,tcp:80`, `10.96.0.1,tcp:80,10.0.0.1`, `10.96.0.1,tcp:80,10.0.0.0/8` (one address has no
 * prefix), `30080`.
 */
export type IpsetType = 'hash:ip' | 'hash:ip,port' | 'hash:ip,port,ip' | 'hash:ip,port,net' | 'bitmap:port';

export interface IpsetDeclaration {
  /** At most 31 characters. */
  readonly name: string;
  readonly type: IpsetType;
  /** A bitmap of ports is of no family. */
  readonly family?: Family;
}

export type IpsetOp =
  | { readonly op: 'create'; readonly set: IpsetDeclaration }
  | { readonly op: 'destroy'; readonly name: string }
  | { readonly op: 'flush'; readonly name: string }
  | { readonly op: 'swap'; readonly name: string; readonly other: string }
  | { readonly op: 'add'; readonly set: IpsetDeclaration; readonly entry: string }
  | { readonly op: 'del'; readonly set: IpsetDeclaration; readonly entry: string };

export interface HeldIpset {
  readonly set: IpsetDeclaration;
  readonly entries: ReadonlySet<string>;
}

/** The sets of one network namespace. */
export interface Ipset {
  /** Of the messages. Throws KERNEL_FEATURE_MISSING. */
  protocol(): Promise<number>;
  /**
   * Makes the changes in order. One element per change: undefined when the kernel agreed. What is there already, or is not there any more, is
   * no refusal of `create`, `add`, `del` and `destroy`.
   */
  apply(ops: readonly IpsetOp[]): Promise<readonly (NetlinkError | undefined)[]>;
  /** Names of all sets, whoever made them. */
  names(): Promise<string[]>;
  /** One set with its entries; undefined when there is none, or when it is of a type that is not known here. */
  read(name: string): Promise<HeldIpset | undefined>;
  close(): void;
}

export function isSameDeclaration(a: IpsetDeclaration, b: IpsetDeclaration): boolean {
  return a.name === b.name && a.type === b.type && a.family === b.family;
}
