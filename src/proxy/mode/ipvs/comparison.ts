/** What the kernel holds of one family against what is wanted, part by part. Reads the kernel and changes nothing of it. */
import { type Cidr, cidrContains, familyOf } from '../../../ip/ip.ts';
import type { IpsetDeclaration } from '../../../linux/ipset/ipset.ts';
import type { Section } from '../../../linux/iptables/section.ts';
import { connectionsOf, serverName, type VirtualAddress } from '../../../linux/ipvs/ipvs.ts';
import { byName, type Changes, changesOf, isNone, ServerChanges } from './difference.ts';
import type { Draining } from './draining.ts';
import { glueOf } from './glue.ts';
import { glueSections, isOfIptables } from './glue-sections.ts';
import type { IpvsKernel } from './ipvs-kernel.ts';
import type { IpvsNode } from './ipvs-node.ts';
import type { Ledger } from './ledger.ts';
import type { HeldAddresses } from './service-device.ts';
import { declarationOf, type SetName, setNames } from './set-names.ts';

/** What is read in one go. */
export type Part = 'servers' | 'addresses' | 'glue' | SetName;

/** Virtual servers first: they show what is to be kept for connections. */
export const allParts: readonly Part[] = ['servers', 'addresses', ...setNames, 'glue'];

interface ComparisonOptions {
  readonly kernel: IpvsKernel;
  readonly node: IpvsNode;
  readonly ledger: Ledger;
  readonly draining: Draining;
  /** Entries for which a set has no room. An address without its entry is not bound. */
  readonly leftOut: (set: SetName) => readonly string[];
  /** Virtual servers in these ranges that no Service wants are somebody else's. */
  readonly excluded: readonly Cidr[];
}

/** What is held of one set, and of the rules. */
export interface SetDifference {
  readonly declaration: IpsetDeclaration;
  readonly isMissing: boolean;
  readonly entries: Changes<string>;
}

export interface GlueDifference {
  readonly sections: readonly Section[];
  /** Whether mode iptables serves until the glue takes the place of its chains. */
  readonly iptablesServes: boolean;
}

export class Comparison {
  readonly #options: ComparisonOptions;

  constructor(options: ComparisonOptions) {
    this.#options = options;
  }

  /** Takes note of what is to be kept for connections, and of what ends. */
  async servers(): Promise<ServerChanges> {
    const { kernel, ledger, draining, excluded } = this.#options;
    const changes = new ServerChanges();
    const all = await kernel.ipvs.read();
    const held = new Map(all.filter(({ address }) => this.#isWithin(address)).map((server) => [serverName(server.address), server]));
    ledger.forget(ledger.leaving.filter((name) => !held.has(name)));
    draining.clear();
    for (const [name, { realServers, ...server }] of held) {
      const isExcluded = excluded.some((cidr) => server.address.kind === 'address' && cidrContains(cidr, server.address.ip));
      if (!ledger.servers.has(name)) {
        if (isExcluded) continue;
        if (realServers.some((one) => connectionsOf(one) > 0)) ledger.keep(server);
      }
      changes.change({ ...server, reals: byName(realServers) }, ledger.servers.get(name));
    }
    for (const [name, server] of ledger.servers) if (!held.has(name)) changes.change(undefined, server);
    draining.add(changes.retired);
    return changes;
  }

  /** Whether a virtual server may be of this family of this mode. */
  #isWithin(address: VirtualAddress): boolean {
    return address.kind === 'address' && this.#isOfFamily(address.ip);
  }

  #isOfFamily(ip: string): boolean {
    return familyOf(ip) === (this.#options.node.family === 'ip' ? 4 : 6);
  }

  addresses({ bound }: HeldAddresses): Changes<string> {
    return changesOf(new Set([...bound].filter((ip) => this.#isOfFamily(ip))), this.#withRoom('IPVS-IPS', this.#options.ledger.addresses));
  }

  async set(name: SetName): Promise<SetDifference> {
    const { kernel, node, ledger } = this.#options;
    const declaration = declarationOf(name, node.family);
    const held = await kernel.ipset.read(declaration.name);
    return { declaration, isMissing: !held, entries: changesOf(held?.entries ?? new Set(), this.#withRoom(name, ledger.entriesOf(name))) };
  }

  #withRoom(set: SetName, wanted: ReadonlySet<string>): ReadonlySet<string> {
    const leftOut = new Set(this.#options.leftOut(set));
    return leftOut.size === 0 ? wanted : new Set([...wanted].filter((entry) => !leftOut.has(entry)));
  }

  async glue(): Promise<GlueDifference> {
    const { kernel, node, ledger } = this.#options;
    const { randomFully } = await kernel.iptables.features(node.family);
    const rules = await kernel.iptables.save(node.family);
    return { sections: glueSections(rules, glueOf(node, ledger.detours, randomFully)), iptablesServes: isOfIptables(rules) };
  }

  /** Whether the kernel holds a part as it is wanted. */
  async isRight(part: Part): Promise<boolean> {
    const { kernel, node } = this.#options;
    if (part === 'servers') {
      const { servers, unwanted } = await this.servers();
      return servers.length + unwanted.length === 0;
    }
    if (part === 'glue') return (await this.glue()).sections.length === 0;
    if (part === 'addresses') {
      const held = await kernel.device.read();
      // With other addresses of the node's own, others go to the device.
      return held.hasDevice && held.others.join() === node.hostIps.join() && isNone(this.addresses(held));
    }
    const { isMissing, entries } = await this.set(part);
    return !isMissing && isNone(entries);
  }
}
