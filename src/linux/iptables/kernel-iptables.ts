/**
 * iptables by its tools: no library speaks for both of its backends, and the text is what every version takes. Speaks to the network namespace
 * in which it was made.
 */
import { createHash } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { isKnownError, KnownError } from '../../errors/known-error.ts';
import { type Exec, type ExecResult, systemExec } from '../exec.ts';
import { eitherFamily } from '../lack.ts';
import { inNetns } from '../netns.ts';
import { KernelNftables } from '../nftables/kernel-nftables.ts';
import { type TableFamily, tableFamilies } from '../nftables/table.ts';
import { ChainWatch } from './chain-watch.ts';
import { type CountedRule, parseCounted } from './counted-rule.ts';
import type { Iptables, IptablesFeatures } from './iptables.ts';
import { legacyChains, legacyTableNames, readLegacyTable, uncounted } from './legacy-tables.ts';
import { type Ruleset, SaveReader, type TableName } from './ruleset.ts';
import { restoreText, type Section } from './section.ts';

/** Which of the tools: those that the machine's administrator chose, or those of one backend. */
export type Variant = '' | '-nft' | '-legacy';

/** Seconds to wait for whoever holds the lock of the legacy backend; a sync that fails is tried again. */
const lockSeconds = '5';

/** The first release whose MASQUERADE has `--random-fully`, and whose iptables-restore has `--wait`. */
const randomFullySince = [1, 6, 2];

export function readVersion(text: string): IptablesFeatures {
  const numbers = /v(\d+)\.(\d+)\.(\d+)/.exec(text)?.slice(1).map(Number) ?? [];
  const at = numbers.findIndex((n, i) => n !== randomFullySince[i]);
  const randomFully = numbers.length > 0 && (at < 0 || (numbers[at] ?? 0) > (randomFullySince[at] ?? 0));
  return { backend: text.includes('nf_tables') ? 'nft' : 'legacy', randomFully };
}

/** Of this machine's tools by name, once they were asked. */
const featuresHere = new Map<string, IptablesFeatures>();

export class KernelIptables implements Iptables {
  readonly #exec: Exec;
  readonly #variant: Variant;
  readonly #netns = openSync('/proc/thread-self/ns/net', 'r');
  readonly #nft: KernelNftables | undefined;
  readonly #features: Map<string, IptablesFeatures>;
  readonly #watches = new Map<object, { readonly open: () => ChainWatch; now: ChainWatch | undefined }>();
  #restoring = 0;
  /** The kernel's count of changes that we know of. */
  #known = 0;

  /** `exec` must run programs in the network namespace of this moment. */
  constructor(variant: Variant = '', exec: Exec = systemExec) {
    this.#exec = exec;
    this.#variant = variant;
    this.#features = exec === systemExec ? featuresHere : new Map();
    this.#nft = openNftables();
  }

  #tool(family: TableFamily, verb: '' | '-save' | '-restore'): string {
    return `${family}tables${this.#variant}${verb}`;
  }

  async #run(family: TableFamily, verb: '' | '-save' | '-restore', ...[args, options]: [readonly string[], Parameters<Exec['run']>[2]?]) {
    try {
      return await this.#exec.run(this.#tool(family, verb), args, options);
    } catch (err) {
      if (!(err instanceof KnownError && err.code === 'TOOL_MISSING')) throw err;
      throw new KnownError('TOOL_MISSING', err.message, { hint: 'Install the package iptables', cause: err });
    }
  }

  /** Throws when somebody held the lock all the while: that is no answer. */
  async #ask(family: TableFamily, table: TableName, ...words: readonly string[]): Promise<ExecResult> {
    const result = await this.#run(family, '', ['-w', lockSeconds, '-t', table, ...words]);
    if (saysLocked(result)) throw locked(this.#tool(family, ''));
    return result;
  }

  async features(family: TableFamily): Promise<IptablesFeatures> {
    const tool = this.#tool(family, '');
    const known = this.#features.get(tool);
    if (known) return known;
    const { stdout } = await this.#run(family, '', ['--version']);
    const { code, stderr } = await this.#ask(family, 'nat', '-S', 'POSTROUTING');
    if (code !== 0)
      throw new KnownError('KERNEL_FEATURE_MISSING', `Cannot use "${tool}": ${lastLine(stderr)}`, {
        hint: 'Load the modules of iptables (modprobe iptable_nat ip6table_nat), or use a kernel that has them',
      });
    const features = readVersion(stdout);
    this.#features.set(tool, features);
    return features;
  }

  async save(family: TableFamily): Promise<Ruleset> {
    const reader = new SaveReader();
    const { code, stderr } = await this.#run(family, '-save', [], { onOutput: (piece) => reader.push(piece) });
    if (code !== 0) throw new KnownError('COMMAND_FAILED', `Cannot run "${this.#tool(family, '-save')}": ${lastLine(stderr)}`);
    return reader.ruleset;
  }

  async restore(family: TableFamily, sections: Iterable<Section>): Promise<void> {
    const { backend, randomFully } = await this.features(family);
    const patience = randomFully ? ['--wait', lockSeconds] : [];
    let count = 0;
    const counted = function* (): Generator<Section> {
      for (const section of sections) {
        count++;
        yield section;
      }
    };
    this.#hush(1);
    try {
      const input = restoreText(counted(), backend === 'legacy');
      const result = await this.#run(family, '-restore', ['--noflush', ...patience], { input });
      if (saysLocked(result)) throw locked(this.#tool(family, '-restore'));
      if (result.code !== 0) throw refusal(this.#tool(family, '-restore'), result.stderr);
      this.#known += count;
    } finally {
      this.#hush(-1);
    }
  }

  /** Ten thousand Services are a hundred thousand notices, and all of them our own. */
  #hush(step: 1 | -1): void {
    this.#restoring += step;
    for (const watch of this.#watches.values())
      if (this.#restoring > 0) {
        watch.now?.close();
        watch.now = undefined;
      } else watch.now ??= watch.open();
  }

  async hasChain(family: TableFamily, table: TableName, chain: string): Promise<boolean> {
    return (await this.#ask(family, table, '-S', chain)).code === 0;
  }

  async counted(family: TableFamily, table: TableName, chain?: string): Promise<CountedRule[]> {
    const { code, stdout } = await this.#ask(family, table, '-v', '-S', ...(chain === undefined ? [] : [chain]));
    return code === 0 ? parseCounted(stdout) : [];
  }

  async mayHold(prefix: string, family?: TableFamily): Promise<boolean> {
    for (const one of family ? [family] : tableFamilies) {
      if (this.#variant !== '-nft' && this.#legacyMayHold(one, prefix)) return true;
      if (this.#variant !== '-legacy' && (await this.#nftChains(one)).some((name) => name.startsWith(prefix))) return true;
    }
    return false;
  }

  /** None in a kernel that has the legacy backend alone. */
  async #nftChains(family: TableFamily): Promise<readonly string[]> {
    try {
      return (await this.#nft?.chainNames(family)) ?? [];
    } catch (err) {
      if (isKnownError(err, 'KERNEL_FEATURE_MISSING')) return [];
      throw err;
    }
  }

  /** A table that the kernel does not give may hold anything. */
  #legacyMayHold(family: TableFamily, prefix: string): boolean {
    return this.#legacyTables(family).some(
      ([, entries]) => entries === undefined || legacyChains(family, entries).some((name) => name.startsWith(prefix)),
    );
  }

  /** By name, the tables that the legacy backend has made. */
  #legacyTables(family: TableFamily): (readonly [name: string, entries: Buffer | undefined])[] {
    return inNetns(`/proc/self/fd/${this.#netns}`, () =>
      legacyTableNames(family).map((name) => [name, readLegacyTable(family, name)] as const),
    );
  }

  async state(family: TableFamily): Promise<string | undefined> {
    const { backend } = await this.features(family);
    if (backend === 'nft') return this.#nft && String(await this.#nft.generation());
    const hash = createHash('sha256');
    for (const [name, entries] of this.#legacyTables(family)) {
      if (!entries) return undefined;
      hash.update(`${name} ${entries.length} `).update(uncounted(family, entries));
    }
    return hash.digest('base64');
  }

  async foreignChanges(): Promise<number | undefined> {
    const { backend } = await eitherFamily((family) => this.features(family));
    if (backend === 'legacy' || !this.#nft) return undefined;
    const now = await this.#nft.generation();
    const foreign = now - this.#known;
    this.#known = now;
    return foreign;
  }

  watch(prefix: string, onTouched: () => void): { close(): void } {
    const open = (): ChainWatch => inNetns(`/proc/self/fd/${this.#netns}`, () => new ChainWatch(prefix, onTouched));
    const key = {};
    this.#watches.set(key, { open, now: this.#restoring > 0 ? undefined : open() });
    return {
      close: () => {
        this.#watches.get(key)?.now?.close();
        this.#watches.delete(key);
      },
    };
  }

  close(): void {
    for (const { now } of this.#watches.values()) now?.close();
    this.#watches.clear();
    this.#nft?.close();
    closeSync(this.#netns);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** A kernel may have the legacy backend alone. */
function openNftables(): KernelNftables | undefined {
  try {
    return new KernelNftables();
  } catch {
    return undefined;
  }
}

/** The exit code, RESOURCE_PROBLEM, may mean other things. Source: libxtables/xtables.c, iptables/xshared.c */
function saysLocked({ code, stderr }: ExecResult): boolean {
  return code === 4 && stderr.includes('xtables lock');
}

function locked(tool: string): KnownError {
  return new KnownError('COMMAND_FAILED', `Cannot run "${tool}": another program held the lock of iptables for ${lockSeconds} s`, {
    hint: '"fuser -v /run/xtables.lock" names it',
  });
}

const lastLine = (text: string): string => text.trim().split('\n').at(-1) ?? '';

function refusal(tool: string, stderr: string): KnownError {
  const said = stderr
    .trim()
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('Try `'));
  return new KnownError('KERNEL_REFUSED', `Cannot change rules by "${tool}": ${said.slice(-2).join('; ') || 'it ended with an error'}`);
}
