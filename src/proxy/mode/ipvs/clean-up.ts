/** Takes away what the mode leaves in a kernel, ours and kube-proxy's. */
import type { Clock } from '../../../clock/clock.ts';
import { type Cidr, cidrContains, familyOf } from '../../../ip/ip.ts';
import type { Iptables } from '../../../linux/iptables/iptables.ts';
import type { Ruleset, TableName } from '../../../linux/iptables/ruleset.ts';
import {
  connectionsOf,
  type HeldVirtualServer,
  type IpvsOp,
  isSameServer,
  type RealServer,
  type VirtualAddress,
} from '../../../linux/ipvs/ipvs.ts';
import { asFarAsAble } from '../../../linux/lack.ts';
import { type TableFamily, tableFamilies } from '../../../linux/nftables/table.ts';
import { ownPrefix } from '../iptables/backend.ts';
import { detourChains } from './glue.ts';
import { isOfIptables, removeGlue } from './glue-sections.ts';
import type { IpvsKernel } from './ipvs-kernel.ts';
import { familyOfSet, isOurs } from './set-names.ts';

/** No other mode has these. */
const own: Readonly<Record<TableName, readonly string[]>> = {
  nat: ['KUBE-NODE-PORT', 'KUBE-LOAD-BALANCER', 'KUBE-FIRE-WALL', ...detourChains],
  filter: ['KUBE-NODE-PORT', 'KUBE-SOURCE-RANGES-FIREWALL', 'KUBE-IPVS-FILTER', 'KUBE-IPVS-OUT-FILTER', 'KUBE-REFUSE'],
  mangle: ['KUBE-IPVS-OUT-FILTER', 'KUBE-SOURCE-RANGES-FIREWALL'],
};

/** Mode iptables has these, too. */
const shared: Readonly<Record<TableName, readonly string[]>> = {
  nat: ['KUBE-SERVICES', 'KUBE-MARK-MASQ', 'KUBE-POSTROUTING'],
  filter: ['KUBE-FORWARD', 'KUBE-PROXY-FIREWALL'],
  mangle: [],
};

/** The chains to take away: those shared with mode iptables only while they are this mode's, whose rules ask sets. */
export function chainsToRemove(held: Ruleset): Map<TableName, Set<string>> {
  const isShared = isOfIptables(held);
  const tables = Object.keys(own) as TableName[];
  return new Map(tables.map((table) => [table, new Set([...own[table], ...(isShared ? [] : shared[table])])]));
}

async function cleanChains(iptables: Iptables, families: readonly TableFamily[]): Promise<void> {
  if (!(await iptables.mayHold(ownPrefix))) return;
  for (const family of families)
    await asFarAsAble(async () => {
      const held = await iptables.save(family);
      const sections = removeGlue(held, chainsToRemove(held));
      if (sections.length > 0) await iptables.restore(family, sections);
    });
}

/** In the backend that the tools of this machine do not use, as a proxy in an image may have used it. */
export async function cleanOtherBackend(kernel: IpvsKernel, families: readonly TableFamily[]): Promise<void> {
  await asFarAsAble(async () => {
    const other = await kernel.otherBackend?.();
    if (!other) return;
    try {
      await cleanChains(other, families);
    } finally {
      other.close();
    }
  });
}

/** Rules, and what they ask: a set goes when no rule of either backend asks it. */
async function cleanGlue(kernel: IpvsKernel, families: readonly TableFamily[], clock: Clock): Promise<void> {
  await asFarAsAble(() => cleanChains(kernel.iptables, families));
  await cleanOtherBackend(kernel, families);
  await asFarAsAble(() => cleanSets(kernel, families, clock));
}

/** Rules of the nft backend let go of a set a moment after they are gone. */
const [attempts, pauseMs] = [40, 50];

async function cleanSets({ ipset }: IpvsKernel, families: readonly TableFamily[], clock: Clock): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const names = (await ipset.names()).filter((name) => isOurs(name) && families.includes(familyOfSet(name)));
    const errors = await ipset.apply(names.map((name) => ({ op: 'destroy', name })));
    const refused = errors.find((error) => error !== undefined);
    if (!refused) return;
    if (attempt === attempts || refused.errno !== 'IPSET_ERR_BUSY') throw refused;
    await clock.sleep(pauseMs);
  }
}

/**
 * Virtual servers are the machine's, and may be of somebody who never heard of Services: they are ours only where the device or a set tells that
 * this mode was at work.
 */
async function wasHere({ ipset, device }: IpvsKernel): Promise<boolean> {
  let found = (await device.read()).hasDevice;
  await asFarAsAble(async () => {
    await ipset.protocol();
    found ||= (await ipset.names()).some(isOurs);
  });
  return found;
}

/** What of this mode is to go. */
export interface Leaving {
  readonly families: readonly TableFamily[];
  /** Virtual servers in these ranges are somebody else's. */
  readonly excluded: readonly Cidr[];
}

function isOfFamilies(ip: string, families: readonly TableFamily[]): boolean {
  return families.includes(familyOf(ip) === 4 ? 'ip' : 'ip6');
}

/** Of Services; none where the kernel has no balancer. */
async function serversOf({ ipvs }: IpvsKernel, { families, excluded }: Leaving): Promise<HeldVirtualServer[]> {
  let found: HeldVirtualServer[] = [];
  await asFarAsAble(async () => {
    await ipvs.version();
    found = await ipvs.read();
  });
  return found.filter(
    ({ address }) =>
      address.kind === 'address' && isOfFamilies(address.ip, families) && !excluded.some((cidr) => cidrContains(cidr, address.ip)),
  );
}

function deletionOf({ address }: HeldVirtualServer): IpvsOp {
  return { op: 'delete-server', address };
}

/**
 * Takes addresses off the device, but for those of virtual servers that stay, and the device itself when none is left. It tells that this mode was here
 * for as long as virtual servers of a family that stays are, which may be at addresses of other links alone.
 */
async function emptyDevice(kernel: IpvsKernel, { families, excluded }: Leaving, kept: ReadonlySet<string>): Promise<void> {
  const { device } = kernel;
  const { hasDevice, bound } = await device.read();
  const leaving = [...bound].filter((ip) => isOfFamilies(ip, families) && !kept.has(ip));
  const staying = tableFamilies.filter((family) => !families.includes(family));
  const isLast =
    kept.size === 0 && leaving.length === bound.size && (await serversOf(kernel, { families: staying, excluded })).length === 0;
  if (!isLast) await device.unbind(leaving);
  else if (hasDevice) await device.remove();
}

export async function cleanUpIpvs(kernel: IpvsKernel, leaving: Leaving, clock: Clock): Promise<void> {
  if (!(await wasHere(kernel))) return;
  await kernel.ipvs.apply((await serversOf(kernel, leaving)).map(deletionOf));
  await emptyDevice(kernel, leaving, new Set());
  await cleanGlue(kernel, leaving.families, clock);
}

/** Whether a real server is the virtual server's own address. */
function isItself(address: VirtualAddress, { ip, port }: RealServer): boolean {
  return address.kind === 'address' && address.ip === ip && address.port === port;
}

/**
 * What lets a virtual server have its connections to the end, and gives new ones to whoever listens at its address: a mode that relays by itself
 * does, and others translate before packets come here.
 */
function retire({ realServers, ...server }: HeldVirtualServer): IpvsOp[] {
  const { address } = server;
  if (address.kind === 'mark') return [];
  const plain = { address, scheduler: 'rr' };
  const ops: IpvsOp[] = isSameServer(server, plain) ? [] : [{ op: 'set-server', server: plain }];
  const itself = realServers.find((real) => isItself(address, real));
  const real = { ip: address.ip, port: address.port, weight: 1 };
  if (!itself) ops.push({ op: 'add-real', address, real });
  // Of the time before this mode came back: it let it end.
  else if (itself.weight === 0) ops.push({ op: 'set-real', address, real });
  for (const { ip, port } of realServers.filter((real) => real.weight > 0 && !isItself(address, real)))
    ops.push({ op: 'set-real', address, real: { ip, port, weight: 0 } });
  return ops;
}

function isCarrying({ address, realServers }: HeldVirtualServer): boolean {
  return realServers.some((real) => connectionsOf(real) > 0 && !isItself(address, real));
}

/**
 * The same once another mode serves new connections, but for the virtual servers that still carry some, and their addresses. True when nothing is
 * left.
 */
export async function drainIpvs(kernel: IpvsKernel, leaving: Leaving, clock: Clock): Promise<boolean> {
  const { ipvs } = kernel;
  if (!(await wasHere(kernel))) return true;
  let servers = await serversOf(kernel, leaving);
  const retiring = servers.flatMap(retire);
  await ipvs.apply(retiring);
  // None has begun since.
  if (retiring.length > 0) servers = await serversOf(kernel, leaving);
  const kept = servers.filter(isCarrying);
  await ipvs.apply(servers.filter((server) => !isCarrying(server)).map(deletionOf));
  await cleanGlue(kernel, leaving.families, clock);
  await emptyDevice(kernel, leaving, new Set(kept.map(({ address }) => (address.kind === 'address' ? address.ip : ''))));
  return kept.length === 0;
}
