/** What all Services want together, and what of it changed since it was last applied. Plain memory, no kernel. */
import { serverName, type VirtualServer } from '../../../linux/ipvs/ipvs.ts';
import type { ServicePlan } from '../../plan/service-plan.ts';
import { UseCount } from '../use-count.ts';
import { type Difference, isWaitedFor, membersOf, ServerChanges } from './difference.ts';
import { type DetourChain, detourChains } from './glue.ts';
import type { IpvsNode } from './ipvs-node.ts';
import { type Balanced, type Member, Render, type Wanted } from './render.ts';
import { type SetName, setNames } from './set-names.ts';
import { WrittenPlaces } from './written-places.ts';

export class Ledger {
  readonly #render: Render;
  readonly #written: WrittenPlaces;
  readonly #services = new Map<string, Wanted>();
  readonly #servers = new Map<string, Balanced>();
  readonly #members = new Map(setNames.map((set) => [set, new UseCount()]));
  readonly #addresses = new UseCount();
  readonly #detours = new UseCount();
  /** Virtual servers that may differ from what was applied, as they were then. */
  readonly #before = new Map<string, Balanced | undefined>();
  /** Virtual servers that no Service wants, kept for connections that have not ended: what else is kept for them. */
  readonly #leaving = new Map<string, readonly Member[]>();

  constructor(node: IpvsNode) {
    this.#written = new WrittenPlaces(node);
    this.#render = new Render(node, (name) => this.#written.has(name));
  }

  /** Takes what Services have now; undefined for one that is gone. No two may have the same frontend, but for a node port. */
  update(changes: ReadonlyMap<string, ServicePlan | undefined>): void {
    const all = this.#written.update(changes);
    const after = new Map([...all].map(([key, plan]) => [key, plan && this.#render.service(plan)]));
    for (const key of after.keys()) this.#count(this.#services.get(key), -1);
    for (const [key, wanted] of after) {
      this.#count(wanted, 1);
      if (wanted) this.#services.set(key, wanted);
      else this.#services.delete(key);
    }
    for (const [name, before] of this.#before) if (before && !this.#servers.has(name)) this.keep(before);
  }

  /** Keeps a virtual server that no Service wants, with its address, for connections that have not ended. Datagrams have none. */
  keep({ address, ...server }: VirtualServer): void {
    if (!isWaitedFor(address)) return;
    const name = serverName(address);
    this.#servers.set(name, { ...server, address, reals: new Map() });
    const bound = address.kind === 'address' && this.#render.isBound(address.ip);
    const members: Member[] = bound ? [{ set: 'IPVS-IPS', entry: address.ip }] : [];
    this.#leaving.set(name, members);
    this.#use(members, 1);
  }

  /** Forgets virtual servers that were kept and are not there any more. */
  forget(gone: Iterable<string>): void {
    for (const name of gone) if (this.#release(name)) this.#servers.delete(name);
  }

  /** By name. */
  get leaving(): string[] {
    return [...this.#leaving.keys()];
  }

  #release(name: string): boolean {
    this.#use(this.#leaving.get(name) ?? [], -1);
    return this.#leaving.delete(name);
  }

  #use(bound: readonly Member[], step: 1 | -1): void {
    for (const member of bound) {
      this.#useMember(member, step);
      this.#addresses.use(member.entry, step);
    }
  }

  #useMember({ set, entry }: Member, step: 1 | -1): void {
    this.#members.get(set)?.use(entry, step);
  }

  #count(wanted: Wanted | undefined, step: 1 | -1): void {
    if (!wanted) return;
    for (const [name, server] of wanted.servers) {
      if (!this.#before.has(name)) this.#before.set(name, this.#servers.get(name));
      this.#release(name);
      if (step === 1) this.#servers.set(name, server);
      else this.#servers.delete(name);
    }
    for (const member of wanted.members) this.#useMember(member, step);
    for (const address of wanted.addresses) this.#addresses.use(address, step);
    for (const { chain, rule } of wanted.detours) this.#detours.use(`${chain} ${rule}`, step);
  }

  get servers(): ReadonlyMap<string, Balanced> {
    return this.#servers;
  }

  get addresses(): ReadonlySet<string> {
    return new Set(this.#addresses.names);
  }

  entriesOf(set: SetName): ReadonlySet<string> {
    return new Set(this.#members.get(set)?.names);
  }

  /** By chain. A mark comes before what ends the chain; otherwise the order does not matter. */
  get detours(): Map<DetourChain, string[]> {
    const chains = new Map(detourChains.map((chain) => [chain, [] as string[]]));
    for (const name of this.#detours.names) {
      const blank = name.indexOf(' ');
      chains.get(name.slice(0, blank) as DetourChain)?.push(name.slice(blank + 1));
    }
    const rank = (rule: string): string => `${rule.endsWith('KUBE-MARK-MASQ') ? 0 : 1} ${rule}`;
    for (const rules of chains.values()) rules.sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
    return chains;
  }

  get hasOtherDetours(): boolean {
    const { fresh, gone } = this.#detours.changes;
    return fresh.length + gone.length > 0;
  }

  /** Since the last `settled`. `held` says what the kernel really has of a virtual server that was wanted so when it was applied. */
  changes(held: (name: string, before: Balanced) => Balanced | undefined): Difference {
    const servers = new ServerChanges();
    for (const [name, before] of this.#before) servers.change(before && held(name, before), this.#servers.get(name));
    const members = [...this.#members].map(([set, count]) => membersOf(set, count.changes));
    return {
      servers: servers.servers,
      unwanted: servers.unwanted,
      retired: servers.retired,
      members: { fresh: members.flatMap(({ fresh }) => fresh), gone: members.flatMap(({ gone }) => gone) },
      addresses: this.#addresses.changes,
    };
  }

  /** Says that the kernel holds what is wanted now. */
  settled(): void {
    this.#before.clear();
    for (const count of [...this.#members.values(), this.#addresses, this.#detours]) count.settled();
  }
}
