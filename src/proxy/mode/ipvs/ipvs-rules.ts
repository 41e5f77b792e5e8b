/** Keeps virtual servers, sets, addresses and glue of one family as the Services want them. One caller at a time. */
import type { Clock } from '../../../clock/clock.ts';
import { KnownError, messageOf } from '../../../errors/known-error.ts';
import { type Cidr, cidrContains, familyOf, parseCidr } from '../../../ip/ip.ts';
import type { Ipset, IpsetDeclaration, IpsetOp } from '../../../linux/ipset/ipset.ts';
import type { Iptables } from '../../../linux/iptables/iptables.ts';
import { type Section, sizeOf } from '../../../linux/iptables/section.ts';
import {
  connectionsOf,
  type HeldVirtualServer,
  type Ipvs,
  type RealTraffic,
  serverName,
  type VirtualAddress,
} from '../../../linux/ipvs/ipvs.ts';
import type { NetlinkError } from '../../../linux/netlink/netlink-error.ts';
import type { Log } from '../../../observability/log.ts';
import type { NodeContext } from '../../plan/node-context.ts';
import type { ServicePlan } from '../../plan/service-plan.ts';
import type { ModeRules, ServiceCount, SyncResult } from '../mode.ts';
import { byName, changesOf, type Difference, isNothing, ServerChanges, stepsOf } from './difference.ts';
import { Draining } from './draining.ts';
import { glueOf } from './glue.ts';
import { glueSections, isOfIptables } from './glue-sections.ts';
import { Ledger } from './ledger.ts';
import type { Member } from './render.ts';
import type { ServiceDevice } from './service-device.ts';
import { declarationOf, setNames } from './set-names.ts';
import { trafficOf } from './traffic.ts';

export interface IpvsKernel {
  readonly ipvs: Ipvs;
  readonly ipset: Ipset;
  readonly iptables: Iptables;
  readonly device: ServiceDevice;
}

export interface IpvsRulesOptions {
  readonly kernel: IpvsKernel;
  readonly clock: Clock;
  readonly log: Log;
  readonly masqueradeBit: number;
  /** Virtual servers in these ranges that no Service wants are somebody else's. */
  readonly excludeCidrs: readonly string[];
}

/** Between two looks at real servers whose connections have not ended. */
const drainPeriodMs = 5000;

/** What a comparison with the kernel found. */
interface Compared {
  readonly difference: Difference;
  readonly glue: readonly Section[];
  /** Whether mode iptables serves until the glue takes the place of its chains. */
  readonly iptablesServes: boolean;
  readonly missingSets: readonly IpsetDeclaration[];
  readonly hasDevice: boolean;
}

export class IpvsRules implements ModeRules {
  readonly #options: IpvsRulesOptions;
  readonly #kernel: IpvsKernel;
  readonly #draining: Draining;
  readonly #excluded: readonly Cidr[];
  #node: NodeContext;
  #hostIps: readonly string[] = [];
  #ledger: Ledger;
  readonly #plans = new Map<string, ServicePlan>();
  #pending = new Map<string, ServicePlan | undefined>();
  /** Whether the kernel holds what the ledger calls settled. */
  #inStep = false;
  #isClosed = false;
  #turn: Promise<unknown> = Promise.resolve();
  #timer: { cancel(): void } | undefined;

  constructor(options: IpvsRulesOptions, node: NodeContext) {
    this.#options = options;
    this.#kernel = options.kernel;
    this.#draining = new Draining(options.kernel.ipvs);
    this.#excluded = options.excludeCidrs.map((text) => parseCidr(text)).filter((cidr) => cidr !== undefined);
    this.#node = node;
    this.#ledger = this.#newLedger();
  }

  #newLedger(): Ledger {
    const { masqueradeBit } = this.#options;
    return new Ledger({ ...this.#node, hostIps: this.#hostIps, masqueradeBit });
  }

  reset(node: NodeContext): void {
    this.#node = node;
    this.#plans.clear();
    this.#pending.clear();
    this.#ledger = this.#newLedger();
    this.#inStep = false;
  }

  put(key: string, plan: ServicePlan | undefined): void {
    if (plan) this.#plans.set(key, plan);
    else this.#plans.delete(key);
    this.#pending.set(key, plan);
  }

  distrust(): void {
    this.#inStep = false;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  sync(): Promise<SyncResult> {
    return this.#inTurn(() => this.#sync());
  }

  async #sync(): Promise<SyncResult> {
    const full = !this.#inStep;
    const compared = full ? await this.#compare() : this.#takeChanges();
    this.#inStep = false;
    await this.#apply(compared);
    this.#ledger.settled();
    this.#draining.follow(this.#ledger.servers);
    this.#draining.add(compared.difference.retired);
    if (compared.difference.retired.length > 0) await this.#draining.drain(this.#ledger.servers);
    await this.#letGo();
    this.#inStep = true;
    this.#drainLater();
    const { difference, glue, missingSets } = compared;
    return { full, steps: stepsOf(difference) + missingSets.length + glue.reduce((sum, section) => sum + sizeOf(section), 0) };
  }

  /** Takes away the addresses of virtual servers that were kept for connections, when these have ended. */
  async #letGo(): Promise<void> {
    const ended = this.#ledger.leaving.filter((name) => !this.#draining.has(name));
    if (ended.length === 0) return;
    this.#ledger.forget(ended);
    await this.#apply(this.#changes());
    this.#ledger.settled();
  }

  #takeChanges(): Compared {
    this.#takePending();
    return this.#changes();
  }

  #changes(): Compared {
    return {
      difference: this.#ledger.changes((name, before) => {
        const left = this.#draining.of(name);
        return before.reals.size + left.size === 0 ? undefined : { ...before, reals: new Map([...left, ...before.reals]) };
      }),
      glue: this.#ledger.hasOtherDetours ? [{ table: 'nat', fill: this.#ledger.detours }] : [],
      iptablesServes: false,
      missingSets: [],
      hasDevice: true,
    };
  }

  #takePending(): void {
    this.#ledger.update(this.#pending);
    this.#pending = new Map();
  }

  async #compare(): Promise<Compared> {
    const { ipvs, ipset, iptables, device } = this.#kernel;
    const { family } = this.#node;
    const { bound, others, hasDevice } = await device.read();
    if (others.join() !== this.#hostIps.join()) {
      // What goes to the device, and where node ports are served, may be another now.
      this.#hostIps = others;
      this.#ledger = this.#newLedger();
      this.#pending = new Map(this.#plans);
    }
    this.#takePending();
    // First, since it finds what is to be kept for connections.
    const servers = this.#compareServers(await ipvs.read());
    const { masqueradeBit } = this.#options;
    const { randomFully } = await iptables.features(family);
    const glue = glueOf({ ...this.#node, hostIps: others, masqueradeBit }, this.#ledger.detours, randomFully);
    const members: { fresh: Member[]; gone: Member[] } = { fresh: [], gone: [] };
    const missingSets: IpsetDeclaration[] = [];
    const wanted = this.#ledger.members;
    for (const set of setNames) {
      const declaration = declarationOf(set, family);
      const held = await ipset.read(declaration.name);
      if (!held) missingSets.push(declaration);
      const { fresh, gone } = changesOf(held?.entries ?? new Set(), wanted.get(set) ?? new Set());
      members.fresh.push(...fresh.map((entry) => ({ set, entry })));
      members.gone.push(...gone.map((entry) => ({ set, entry })));
    }
    const ours = new Set([...bound].filter((ip) => this.#isOfFamily(ip)));
    const rules = await iptables.save(family);
    return {
      difference: { ...servers, members, addresses: changesOf(ours, this.#ledger.addresses) },
      glue: glueSections(rules, glue),
      iptablesServes: isOfIptables(rules),
      missingSets,
      hasDevice,
    };
  }

  #isOfFamily(ip: string): boolean {
    return familyOf(ip) === (this.#node.family === 'ip' ? 4 : 6);
  }

  #compareServers(all: readonly HeldVirtualServer[]): Pick<Difference, 'servers' | 'unwanted' | 'retired'> {
    const changes = new ServerChanges();
    const held = new Map(all.filter(({ address }) => this.#isWithin(address)).map((server) => [serverName(server.address), server]));
    this.#ledger.forget(this.#ledger.leaving.filter((name) => !held.has(name)));
    this.#draining.clear();
    for (const [name, { realServers, ...server }] of held) {
      const isExcluded = this.#excluded.some((cidr) => server.address.kind === 'address' && cidrContains(cidr, server.address.ip));
      if (!this.#ledger.servers.has(name)) {
        if (isExcluded) continue;
        if (realServers.some((one) => connectionsOf(one) > 0)) this.#ledger.keep(server);
      }
      changes.change({ ...server, reals: byName(realServers) }, this.#ledger.servers.get(name));
    }
    for (const [name, server] of this.#ledger.servers) if (!held.has(name)) changes.change(undefined, server);
    return changes;
  }

  /** Whether a virtual server may be of this family of this mode. */
  #isWithin(address: VirtualAddress): boolean {
    return address.kind === 'address' && this.#isOfFamily(address.ip);
  }

  /**
   * Sets first: a packet to an address that no set knows is refused. Then the glue: a connection that is balanced before it would never be
   * masqueraded. But what mode iptables serves it goes on serving until all else is there. What leads packets to a virtual server goes before it goes.
   */
  async #apply(compared: Compared): Promise<void> {
    const { ipvs, ipset, device } = this.#kernel;
    const { difference, missingSets, hasDevice, iptablesServes } = compared;
    const { members, addresses, servers, unwanted } = difference;
    const refusals: (NetlinkError | undefined)[] = [];
    const isOfDevice = ({ set }: Member): boolean => set === 'IPVS-IPS';
    const change = async (op: 'add' | 'del', list: readonly Member[]): Promise<void> => {
      const ops = list.map(({ set, entry }): IpsetOp => ({ op, set: declarationOf(set, this.#node.family), entry }));
      refusals.push(...(await ipset.apply(ops)));
    };
    refusals.push(...(await ipset.apply(missingSets.map((set): IpsetOp => ({ op: 'create', set })))));
    await change(
      'add',
      members.fresh.filter((member) => !isOfDevice(member)),
    );
    if (!iptablesServes) await this.#paste(compared);
    refusals.push(...(await ipvs.apply(servers)));
    if (!hasDevice) await device.ensure();
    refusals.push(...(await device.bind(addresses.fresh)));
    if (iptablesServes) await this.#paste(compared);
    await change('add', members.fresh.filter(isOfDevice));
    refusals.push(...(await device.unbind(addresses.gone)));
    await change('del', members.gone.filter(isOfDevice));
    refusals.push(...(await ipvs.apply(unwanted.map((address) => ({ op: 'delete-server', address }) as const))));
    await change(
      'del',
      members.gone.filter((member) => !isOfDevice(member)),
    );
    this.#complain(refusals);
  }

  async #paste({ glue }: Compared): Promise<void> {
    if (glue.length > 0) await this.#kernel.iptables.restore(this.#node.family, glue);
  }

  /** All others are in place by now. Throws KERNEL_REFUSED. */
  #complain(answers: readonly (NetlinkError | undefined)[]): void {
    const refused = answers.filter((error) => error !== undefined);
    const [first] = refused;
    if (!first) return;
    if (refused.length === 1) throw first;
    throw new KnownError('KERNEL_REFUSED', `${first.message}, and ${refused.length - 1} more changes were refused`, { cause: first });
  }

  #drainLater(): void {
    if (this.#draining.isEmpty || this.#isClosed) return;
    this.#timer ??= this.#options.clock.after(drainPeriodMs, () => {
      this.#timer = undefined;
      void this.#inTurn(async () => {
        // After a failure the next comparison finds them again.
        if (this.#inStep) {
          await this.#draining.drain(this.#ledger.servers);
          await this.#letGo();
        }
        this.#drainLater();
      }).catch((err: unknown) => {
        this.#inStep = false;
        this.#options.log.warn(`Cannot take away endpoints whose connections have ended: ${messageOf(err)}`);
      });
    });
  }

  /** Compares everything; when something differs, the next sync puts it right. */
  verify(): Promise<void> {
    return this.#inTurn(async () => {
      if (!this.#inStep) return;
      const { difference, glue, missingSets, hasDevice } = await this.#compare();
      this.#draining.add(difference.retired);
      if (!isNothing(difference) || glue.length + missingSets.length > 0 || !hasDevice) this.#inStep = false;
      else this.#ledger.settled();
      this.#drainLater();
    });
  }

  async counts(of?: 'ports' | 'endpoints'): Promise<readonly ServiceCount[]> {
    const { ipvs } = this.#kernel;
    const held = await ipvs.traffic();
    const used = of === 'endpoints' ? held.filter(({ connections }) => connections > 0) : [];
    const reals = new Map<string, readonly RealTraffic[]>();
    for (const { address } of used) reals.set(serverName(address), await ipvs.realTraffic(address));
    return trafficOf(this.#plans.values(), held, this.#node.family, reals);
  }

  /** Nothing is looked at any more. */
  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }
}
