/**
 * A table of nf_tables as plain data. Names, rules and elements are text in nft's own syntax: the same strings that a
 * reader sees in `nft list`, that golden files hold, and that `compile` turns into the kernel's form.
 */
export type TableFamily = 'ip' | 'ip6';

export const tableFamilies: readonly TableFamily[] = ['ip', 'ip6'];
export type ChainHook = 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting';

/** Where the kernel calls a base chain. The policy is always accept. */
export interface Hook {
  readonly type: 'filter' | 'nat';
  readonly hook: ChainHook;
  readonly priority: number;
}

export interface Chain {
  readonly name: string;
  readonly hook?: Hook;
  /** Rules such as `ip daddr . meta l4proto . th dport vmap @services`. */
  readonly rules: readonly string[];
}

export interface SetDeclaration {
  readonly name: string;
  /** The fields of a key, as data types (`ipv4_addr`) or, in a `typeof` declaration, as expressions (`ip daddr`). */
  readonly key: readonly string[];
  /** Absent in a set; `verdict` alone, or the fields of the value. */
  readonly data?: readonly string[];
  /** Declared by expressions, which is the only way to say that a field is a number. */
  readonly typeof?: boolean;
  readonly interval?: boolean;
  /** Filled by rules: its elements come and go with the traffic and are not part of what is wanted. Those of a map run out; those of a set count. */
  readonly dynamic?: { readonly size: number };
}

/** Key text to data text (`''` in a set): `10.96.0.1 . tcp . 80` to `goto lb-3`. */
export type Elements = ReadonlyMap<string, string>;

export interface Table {
  readonly family: TableFamily;
  readonly name: string;
  readonly chains: readonly Chain[];
  readonly sets: readonly SetDeclaration[];
  readonly elements: ReadonlyMap<string, Elements>;
}

/** An element of a dynamic set, with what rules counted at it. */
export interface CountedElement {
  readonly key: string;
  readonly packets: number;
}

/** One step of a transaction. Steps are applied in order, all or none. */
export type Op =
  /** `isOwned`: it goes with the socket that made it, and others cannot change it (NFT_TABLE_F_OWNER). */
  | { readonly op: 'add-table'; readonly isOwned?: boolean }
  | { readonly op: 'delete-table' }
  | { readonly op: 'add-chain'; readonly chain: Chain }
  | { readonly op: 'flush-chain'; readonly chain: string }
  | { readonly op: 'delete-chain'; readonly chain: string }
  | { readonly op: 'add-rule'; readonly chain: string; readonly rule: string }
  | { readonly op: 'add-set'; readonly set: SetDeclaration }
  | { readonly op: 'delete-set'; readonly set: string }
  | { readonly op: 'add-elements'; readonly set: SetDeclaration; readonly elements: readonly (readonly [key: string, data: string])[] }
  | { readonly op: 'delete-elements'; readonly set: SetDeclaration; readonly keys: readonly string[] };

/** The steps for one table. */
export interface Transaction {
  readonly family: TableFamily;
  readonly table: string;
  readonly ops: readonly Op[];
}

/** A table as the kernel holds it. Rules stay in the kernel's form. */
export interface KernelTable {
  readonly family: TableFamily;
  readonly name: string;
  readonly chains: ReadonlyMap<string, KernelChain>;
  readonly sets: ReadonlyMap<string, KernelSet>;
}

export interface KernelChain {
  readonly name: string;
  readonly hook?: Hook;
  readonly rules: readonly KernelRule[];
}

export interface KernelRule {
  /** Compares it with a text. */
  is(text: string): boolean;
  /** Its text; undefined for a rule of a form that is not known here. */
  readonly text: string | undefined;
}

export interface KernelSet {
  /** As printed by `declarationText`, so that declarations compare as strings. */
  readonly declaration: string;
  readonly elements: Elements;
}

/** Names of sets: a Set, or a rule. */
export type SetNames = Pick<ReadonlySet<string>, 'has'>;

/** The kernel's packet filter, as far as it is needed. */
export interface Nftables {
  /** Applies a transaction, all or nothing. Throws KERNEL_REFUSED naming the step, or KERNEL_FEATURE_MISSING. */
  commit(transaction: Transaction): Promise<void>;
  /** Reads a table; undefined when there is none. `except` names sets whose elements are of no interest. */
  read(family: TableFamily, table: string, except?: SetNames): Promise<KernelTable | undefined>;
  /** Reads the elements of one set; empty when it does not exist. */
  readElements(family: TableFamily, table: string, set: SetDeclaration): Promise<Elements>;
  /** Reads the elements of one set with what was counted; none when it does not exist. */
  readCounters(family: TableFamily, table: string, set: SetDeclaration): Promise<readonly CountedElement[]>;
  /** Counts every change that anybody made in this network namespace. */
  generation(): Promise<number>;
  /** Calls `onChange` soon after somebody else changed the table, in whatever family, or may have. */
  watch(table: string, onChange: () => void): { close(): void };
  close(): void;
}
