/**
 * The machine's own part of an attached lab: one veth, its routes with fall-backs, and, when asked for, the way out for pods. This is
 * the only place that changes the root network namespace, and `detachHost` takes back every change.
 */
import { KnownError } from '../../errors/known-error.ts';
import { type Cidr, cidrOverlaps, parseCidr } from '../../ip/ip.ts';
import { type Exec, mustRun } from '../../linux/exec.ts';
import { ensureSysctl, readSysctl } from '../../linux/sysctl.ts';
import type { LabPlan } from '../plan.ts';
import type { Tools } from '../tools.ts';
import { addAddress, fallbackMetric, ipBatch, labRoutes, takesRedirects } from './underlay.ts';

interface RouteRow {
  readonly dst: string;
  readonly type?: string;
  readonly dev?: string;
  readonly gateway?: string;
  readonly metric?: number;
}

function describe(route: RouteRow): string {
  return [route.type, route.dst, route.gateway && `via ${route.gateway}`, route.dev && `dev ${route.dev}`].filter(Boolean).join(' ');
}

/** What a route keeps for itself, if anything: default routes and multicast do not. */
function ownOf(route: RouteRow): Cidr | undefined {
  if (route.dst === 'default' || route.type === 'broadcast' || route.type === 'multicast') return undefined;
  const cidr = parseCidr(route.dst);
  return cidr?.prefix === 0 ? undefined : cidr;
}

/** The first route that one of the ranges would get in the way of. */
export function findOverlap(
  routes: readonly RouteRow[],
  ranges: readonly Cidr[],
): { readonly range: Cidr; readonly route: string } | undefined {
  for (const route of routes) {
    const cidr = ownOf(route);
    const range = cidr && ranges.find((r) => cidrOverlaps(r, cidr));
    if (range) return { range, route: describe(route) };
  }
  return undefined;
}

async function readRoutes(exec: Exec, tools: Tools): Promise<RouteRow[]> {
  const args = (family: string): string[] => ['-json', family, 'route', 'show', 'table', 'all'];
  const [four, six] = await Promise.all([mustRun(exec, tools.ip, args('-4')), exec.run(tools.ip, args('-6'))]);
  // A machine without IPv6 has no routes of it, and says so.
  return [four, six.code === 0 ? six.stdout : ''].flatMap((text) => JSON.parse(text || '[]') as RouteRow[]);
}

/** Everything that this machine has a route of its own for. */
export async function routedRanges(exec: Exec, tools: Tools): Promise<Cidr[]> {
  return (await readRoutes(exec, tools)).flatMap((route) => ownOf(route) ?? []);
}

/** Refuses ranges that the machine already has a route for. Throws RANGE_OVERLAPS naming it. */
export async function checkRanges(exec: Exec, tools: Tools, plan: LabPlan): Promise<void> {
  const ranges = plan.families.flatMap(({ underlay, pods, services }) => [underlay, pods, services]);
  const overlap = findOverlap(await readRoutes(exec, tools), ranges);
  if (!overlap) return;
  const is = (key: 'pods' | 'services'): boolean => plan.families.some((one) => one[key] === overlap.range);
  const option = is('pods') ? 'pod-cidr' : is('services') ? 'service-cidr' : 'underlay';
  // The usual case: a second lab beside an attached one.
  const other = / dev fl-(\S+)/.exec(overlap.route)?.[1];
  throw new KnownError(
    'RANGE_OVERLAPS',
    `Cannot use "${overlap.range.text}" for --${option}: this machine has the route "${overlap.route}"`,
    {
      hint: `Choose ${other ? 'other ranges with --underlay, --pod-cidr and --service-cidr' : `another range with --${option}`}, or start the lab with --no-attach${other ? `, or end lab "${other}"` : ''}`,
    },
  );
}

export async function isAttached(exec: Exec, tools: Tools, plan: LabPlan): Promise<boolean> {
  return (await exec.run(tools.ip, ['link', 'show', 'dev', plan.hostLink])).code === 0;
}

/** Links the machine to the bridge. Gives the settings it changed, with their values before. */
export async function attachHost(exec: Exec, tools: Tools, plan: LabPlan): Promise<void> {
  await ipBatch(exec, tools, undefined, [
    `link add ${plan.hostLink} type veth peer name host netns ${plan.underlayNetns}`,
    ...plan.families.map((one) => addAddress(one.hostAddress, one, plan.hostLink)),
    `link set ${plan.hostLink} up`,
  ]);
  await ipBatch(exec, tools, plan.underlayNetns, ['link set host master br0 up']);
  const redirects = takesRedirects(plan.hostLink).replace('/proc/sys/', '');
  if (readSysctl(redirects) !== undefined) ensureSysctl(redirects, '0');
  await ipBatch(exec, tools, undefined, labRoutes(plan, plan.hostLink));
  await checkWay(exec, tools, plan);
}

/** A policy rule or a VPN may still send lab addresses elsewhere: then nothing must be sent at all. */
async function checkWay(exec: Exec, tools: Tools, plan: LabPlan): Promise<void> {
  for (const address of [plan.kubernetesAddress, plan.apiAddress]) {
    const answer = (await exec.run(tools.ip, ['route', 'get', address])).stdout;
    if (answer.includes(`dev ${plan.hostLink} `)) continue;
    throw new KnownError('RANGE_OVERLAPS', `Cannot attach the lab: "ip route get ${address}" says "${answer.split('\n')[0]?.trim()}"`, {
      hint: `See "ip rule" for what sends it there, choose other ranges, or start the lab with --no-attach`,
    });
  }
}

/** What `--egress=nat` turns on. */
const forwarding = 'net/ipv4/ip_forward';

/** The settings that `--egress=nat` changes, as they are. */
export function egressSysctls(): Record<string, string> {
  const value = readSysctl(forwarding);
  return value === undefined ? {} : { [forwarding]: value };
}

/** Lets nodes and pods reach the world through this machine. */
export async function openEgress(exec: Exec, tools: Tools, plan: LabPlan): Promise<void> {
  const table = plan.nftTable;
  // Nothing of the machine's own is let in by this: only what comes from the lab's link goes out, masqueraded.
  const rules = `table ip ${table}
delete table ip ${table}
table ip ${table} {
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    iifname "${plan.hostLink}" oifname != "${plan.hostLink}" masquerade
  }
}
`;
  await mustRun(exec, tools.nft, ['-f', '-'], { input: rules });
  ensureSysctl(forwarding, '1');
}

/** Takes back everything; says what there was. Works without knowing how far an attach came. */
export async function detachHost(exec: Exec, tools: Tools, plan: LabPlan, sysctls: Readonly<Record<string, string>>): Promise<string[]> {
  const found: string[] = [];
  if (await isAttached(exec, tools, plan)) {
    await mustRun(exec, tools.ip, ['link', 'del', 'dev', plan.hostLink]);
    found.push(`link ${plan.hostLink}`);
  }
  const ours = new Set(plan.families.flatMap(({ underlay, pods, services }) => [underlay.text, pods.text, services.text]));
  for (const route of await readRoutes(exec, tools))
    if (route.type === 'unreachable' && route.metric === fallbackMetric && ours.has(parseCidr(route.dst)?.text ?? '')) {
      await mustRun(exec, tools.ip, ['route', 'del', 'unreachable', route.dst, 'metric', String(fallbackMetric)]);
      found.push(`route ${route.dst}`);
    }
  if (plan.options.egress === 'nat') {
    const tables = await mustRun(exec, tools.nft, ['list', 'tables']);
    if (tables.includes(`table ip ${plan.nftTable}\n`)) {
      await mustRun(exec, tools.nft, ['delete', 'table', 'ip', plan.nftTable]);
      found.push(`nft table ${plan.nftTable}`);
    }
  }
  for (const [name, value] of Object.entries(sysctls)) if (ensureSysctl(name, value)) found.push(`sysctl ${name}`);
  return found;
}
