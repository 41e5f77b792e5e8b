/** Keeps virtual servers, sets, addresses and glue of one family as the Services want them. One caller at a time. */
import type { Clock } from '../../../clock/clock.ts';
import { messageOf } from '../../../errors/known-error.ts';
import { type Cidr, parseCidr } from '../../../ip/ip.ts';
import type { IpsetDeclaration, IpsetOp } from '../../../linux/ipset/ipset.ts';
import { type Section, sizeOf } from '../../../linux/iptables/section.ts';
import { type RealServer, type RealTraffic, serverName } from '../../../linux/ipvs/ipvs.ts';
import { complain, type NetlinkError, Refusals } from '../../../linux/netlink/netlink-error.ts';
import type { Log } from '../../../observability/log.ts';
import type { NodeContext } from '../../plan/node-context.ts';
import type { ServicePlan } from '../../plan/service-plan.ts';
import type { ModeRules, ServiceCount, SyncResult } from '../mode.ts';
import { Comparison, type Part, type SetDifference } from './comparison.ts';
import { type Changes, type Difference, membersOf, type Retired, stepsOf } from './difference.ts';
import { Draining } from './draining.ts';
import type { IpvsKernel } from './ipvs-kernel.ts';
import { Ledger } from './ledger.ts';
import { Portions } from './portions.ts';
import type { Member } from './render.ts';
import { SetEntries, shutsOut } from './set-entries.ts';
import { type SetName, setNames } from './set-names.ts';
import { trafficOf } from './traffic.ts';

/** Looking for what nobody tells of, at virtual servers, sets, chains and connections, takes at most a two-hundredth of the time. */
export const lookShare = 200;

export interface IpvsRulesOptions {
  readonly kernel: IpvsKernel;
  readonly clock: Clock;
  readonly log: Log;
  readonly masqueradeBit: number;
  /** Virtual servers in these ranges that no Service wants are somebody else's. */
  readonly excludeCidrs: readonly string[];
}

/** Between two looks at real servers whose connections have not ended. */
const leastDrainPeriodMs = 5000;

/** Endpoints of one virtual server whose connections have not ended, with which a change would take longer than without. */
const manyWaiting = 16;

/** What a comparison with the kernel found. */
interface Compared {
  readonly difference: Difference;
  readonly glue: readonly Section[];
  /** Whether mode iptables serves until the glue takes the place of its chains. */
  readonly iptablesServes: boolean;
  readonly missingSets: readonly IpsetDeclaration[];
  readonly hasDevice: boolean;
}

function isOfDevice({ set }: Member): boolean {
  return set === 'IPVS-IPS';
}

export class IpvsRules implements ModeRules {
  readonly #options: IpvsRulesOptions;
  readonly #kernel: IpvsKernel;
  readonly #draining: Draining;
  readonly #portions: Portions;
  readonly #entries: SetEntries;
  readonly #excluded: readonly Cidr[];
  #node: NodeContext;
  #hostIps: readonly string[] = [];
  #ledger: Ledger;
  readonly #plans = new Map<string, ServicePlan>();
  #pending = new Map<string, ServicePlan | undefined>();
  /** Whether the kernel holds what the ledger calls settled. */
  #inStep = false;
  /** What is to be looked at. */
  readonly #due = new Set<Part>();
  /** The state of iptables in which the glue was found right. */
  #rightGlue: string | undefined;
  #drainPeriodMs = leastDrainPeriodMs;
  #isClosed = false;
  #turn: Promise<unknown> = Promise.resolve();
  #timer: { cancel(): void } | undefined;
  #portionTimer: { cancel(): void } | undefined;

  constructor(options: IpvsRulesOptions, node: NodeContext) {
    this.#options = options;
    this.#kernel = options.kernel;
    this.#portions = new Portions(options.kernel.ipvs);
    this.#draining = new Draining(options.kernel.ipvs, (name) => this.#portions.has(name));
    this.#entries = new SetEntries(options.kernel.ipset, node.family, options.log);
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
    return this.#inTurn(() => this.#sync().finally(() => this.#entries.tell()));
  }

  async #sync(): Promise<SyncResult> {
    const full = !this.#inStep;
    const compared = full ? await this.#compare() : this.#takeChanges();
    this.#inStep = false;
    const retired = await this.#apply(compared);
    this.#ledger.settled();
    this.#draining.follow(this.#ledger.servers);
    // Most have no connections, and go at once. Who comes to many that wait is looked at with these: it would be a listing of all of them.
    const alone = retired.filter(({ address }) => this.#draining.of(serverName(address)).size < manyWaiting);
    this.#draining.add(retired);
    if (alone.length > 0) await this.#draining.drain(this.#ledger.servers, alone);
    await this.#letGo();
    this.#inStep = true;
    this.#drainLater();
    this.#goOnLater();
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
        const reals = this.#heldOf(name, before.reals);
        return reals.size === 0 ? undefined : { ...before, reals };
      }),
      glue: this.#ledger.hasOtherDetours ? [{ table: 'nat', fill: this.#ledger.detours }] : [],
      iptablesServes: false,
      missingSets: [],
      hasDevice: true,
    };
  }

  /** What the kernel has of the real servers of a virtual server for which all of these were wanted. */
  #heldOf(name: string, wanted: ReadonlyMap<string, RealServer>): ReadonlyMap<string, RealServer> {
    const held = new Map([...this.#draining.of(name), ...wanted]);
    for (const [late, real] of this.#portions.take(name))
      if (real) held.set(late, real);
      else held.delete(late);
    return held;
  }

  #takePending(): void {
    this.#ledger.update(this.#pending);
    this.#pending = new Map();
  }

  async #compare(): Promise<Compared> {
    this.#entries.compared();
    this.#portions.clear();
    const held = await this.#kernel.device.read();
    if (held.others.join() !== this.#hostIps.join()) {
      // What goes to the device, and where node ports are served, may be another now.
      this.#hostIps = held.others;
      this.#ledger = this.#newLedger();
      this.#pending = new Map(this.#plans);
    }
    this.#takePending();
    const comparison = this.#comparison;
    const { servers, unwanted, retired } = await comparison.servers();
    const sets: SetDifference[] = [];
    const members: Changes<Member>[] = [];
    for (const name of setNames) {
      const set = await comparison.set(name);
      sets.push(set);
      members.push(membersOf(name, set.entries));
    }
    const addresses = comparison.addresses(held);
    const { sections, iptablesServes } = await comparison.glue();
    this.#due.clear();
    return {
      difference: {
        servers,
        unwanted,
        retired,
        members: { fresh: members.flatMap(({ fresh }) => fresh), gone: members.flatMap(({ gone }) => gone) },
        addresses,
      },
      glue: sections,
      iptablesServes,
      missingSets: sets.filter(({ isMissing }) => isMissing).map(({ declaration }) => declaration),
      hasDevice: held.hasDevice,
    };
  }

  get #comparison(): Comparison {
    const node = { ...this.#node, hostIps: this.#hostIps, masqueradeBit: this.#options.masqueradeBit };
    const leftOut = (set: SetName): readonly string[] => this.#entries.leftOut(set);
    return new Comparison({
      kernel: this.#kernel,
      node,
      ledger: this.#ledger,
      draining: this.#draining,
      leftOut,
      excluded: this.#excluded,
    });
  }

  /**
   * Sets first: a packet to an address that no set knows is refused. Then the glue: a connection that is balanced before it would never be
   * masqueraded. But what mode iptables serves it goes on serving until all else is there. What leads packets to a virtual server goes before it goes.
   * Gives those whose connections are waited for.
   */
  async #apply(compared: Compared): Promise<readonly Retired[]> {
    const { ipvs, ipset, device } = this.#kernel;
    const { difference, missingSets, hasDevice, iptablesServes } = compared;
    const { members, addresses, servers, unwanted } = difference;
    const refusals = new Refusals();
    refusals.add(await ipset.apply(missingSets.map((set): IpsetOp => ({ op: 'create', set }))));
    // Who is let in comes before all others are shut out, and goes after that: nobody is dropped between.
    const [shut, open] = [members.fresh.filter(shutsOut), members.fresh.filter((member) => !shutsOut(member))];
    refusals.add(await this.#entries.change('add', [...open, ...shut]));
    if (!iptablesServes) await this.#paste(compared);
    const now = this.#portions.cut({ ops: servers, retired: difference.retired });
    refusals.add(await ipvs.apply(now.ops));
    if (!hasDevice) await device.ensure();
    refusals.add(await this.#bind(addresses.fresh));
    if (iptablesServes) await this.#paste(compared);
    refusals.add(await device.unbind(addresses.gone));
    refusals.add(await this.#entries.change('del', members.gone.filter(isOfDevice)));
    for (const address of unwanted) this.#portions.take(serverName(address));
    refusals.add(await ipvs.apply(unwanted.map((address) => ({ op: 'delete-server', address }) as const)));
    refusals.add(await this.#takeOut(members.gone.filter((member) => !isOfDevice(member))));
    refusals.add(await this.#shut(difference), this.#entries.refusals);
    complain(refusals.all);
    return now.retired;
  }

  /** Without its entry in `KUBE-IPVS-IPS`, all ports that the node listens on would be open at an address. */
  #bind(ips: readonly string[]): Promise<readonly (NetlinkError | undefined)[]> {
    return this.#kernel.device.bind(ips.filter((entry) => this.#entries.hasRoomFor({ set: 'IPVS-IPS', entry })));
  }

  /** What is left out of a full set gets the room at once, before anything else goes: who goes from one set to another is in one of them. */
  async #takeOut(gone: readonly Member[]): Promise<readonly NetlinkError[]> {
    const isOfFull = ({ set }: Member): boolean => this.#entries.isFull(set);
    const rest = gone.filter((member) => !shutsOut(member));
    const [first, others] = [rest.filter(isOfFull), rest.filter((member) => !isOfFull(member))];
    const refusals = new Refusals();
    refusals.add(await this.#entries.change('del', [...gone.filter(shutsOut), ...first]));
    const next = this.#entries.takeRoom();
    if (next.length > 0) refusals.add(await this.#letIn(next));
    refusals.add(await this.#entries.change('del', others));
    return refusals.all;
  }

  async #letIn(members: readonly Member[]): Promise<(NetlinkError | undefined)[]> {
    const refusals = await this.#entries.change('add', members);
    return [...refusals, ...(await this.#bind(members.filter(isOfDevice).map(({ entry }) => entry)))];
  }

  /** Who bound them before, such as kube-proxy, left them open. */
  #shut({ members, addresses }: Difference): Promise<readonly (NetlinkError | undefined)[]> {
    const fresh = new Set(addresses.fresh);
    const open = members.fresh.filter((member) => isOfDevice(member) && !this.#entries.hasRoomFor(member) && !fresh.has(member.entry));
    return this.#kernel.device.unbind(open.map(({ entry }) => entry));
  }

  async #paste({ glue }: Compared): Promise<void> {
    if (glue.length > 0) await this.#kernel.iptables.restore(this.#node.family, glue);
  }

  #drainLater(): void {
    if (this.#draining.isEmpty || this.#isClosed) return;
    this.#timer ??= this.#options.clock.after(this.#drainPeriodMs, () => {
      this.#timer = undefined;
      void this.#inTurn(() => this.#drain().finally(() => this.#entries.tell())).catch((err: unknown) => {
        this.#inStep = false;
        this.#options.log.warn(`Cannot take away endpoints whose connections have ended: ${messageOf(err)}`);
      });
    });
  }

  async #drain(): Promise<void> {
    // After a failure the next comparison finds them again.
    if (this.#inStep) {
      const { clock } = this.#options;
      const begun = clock.monotonic();
      await this.#draining.drain(this.#ledger.servers);
      await this.#letGo();
      this.#goOnLater();
      this.#drainPeriodMs = Math.max(leastDrainPeriodMs, lookShare * (clock.monotonic() - begun));
    }
    this.#drainLater();
  }

  /** A sync that waits comes before the next portion. */
  #goOnLater(): void {
    if ((this.#portions.isDone && this.#draining.isSwept) || this.#isClosed) return;
    this.#portionTimer ??= this.#options.clock.after(0, () => {
      this.#portionTimer = undefined;
      void this.#inTurn(() => this.#goOn().finally(() => this.#entries.tell())).catch((err: unknown) => {
        this.#inStep = false;
        this.#options.log.warn(`Cannot change the endpoints of a virtual server: ${messageOf(err)}`);
      });
    });
  }

  async #goOn(): Promise<void> {
    // After a failure the next comparison finds what is missing.
    if (!this.#inStep) return;
    if (this.#portions.isDone) await this.#draining.sweep();
    else await this.#nextPortion();
    await this.#letGo();
    this.#drainLater();
    this.#goOnLater();
  }

  async #nextPortion(): Promise<void> {
    const { answers, retired } = await this.#portions.next();
    complain(answers);
    this.#draining.add(retired);
    // One listing for all of them.
    await this.#draining.drain(this.#ledger.servers, retired);
  }

  /** These parts of the kernel may not be as they were left. */
  suspect(parts: readonly Part[]): void {
    for (const part of parts) this.#due.add(part);
  }

  /** Looks at one part after the other until a change waits; what differs the next sync puts right. True when nothing is left to look at. */
  async verify(isWaiting: () => boolean): Promise<boolean> {
    for (const part of this.#due) {
      this.#due.delete(part);
      await this.#inTurn(() => this.#look(part));
      if (isWaiting()) break;
    }
    return this.#due.size === 0;
  }

  async #look(part: Part): Promise<void> {
    // The next sync compares everything anyway. What is still to come is not missing, nor too much what is still to go.
    if (!this.#inStep || (part === 'servers' && !(this.#portions.isDone && this.#draining.isSwept))) return;
    if (!(await (part === 'glue' ? this.#isGlueRight() : this.#comparison.isRight(part)))) this.#inStep = false;
    this.#drainLater();
  }

  /** Reading rules starts a program: only when they may be others than they were when they were right. */
  async #isGlueRight(): Promise<boolean> {
    // Before they are read: of a change that comes meanwhile the next look hears.
    const state = await this.#kernel.iptables.state(this.#node.family);
    if (state !== undefined && state === this.#rightGlue) return true;
    const isRight = await this.#comparison.isRight('glue');
    this.#rightGlue = isRight ? state : undefined;
    return isRight;
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
    this.#portionTimer?.cancel();
  }
}
