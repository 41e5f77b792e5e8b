/** The network in which a lab's nodes meet: a bridge in a namespace of its own, kept by a bind mount rather than by a process. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { KnownError } from '../../errors/known-error.ts';
import { nthIp } from '../../ip/ip.ts';
import { type Exec, mustRun } from '../../linux/exec.ts';
import { netnsExists } from '../../linux/netns.ts';
import { type FamilyPlan, isBalanced, type LabPlan } from '../plan.ts';
import type { Tools } from '../tools.ts';

/** Above every metric that anybody uses: what is left when the lab's own route is gone. */
export const fallbackMetric = 4_278_198_272;

/** Routes of the host and of the client: into the lab, or nowhere. */
export function labRoutes(plan: LabPlan, device: string): string[] {
  return plan.families.flatMap(({ underlay, pods, services, gatewayAddress }) => [
    `route add unreachable ${underlay.text} metric ${fallbackMetric}`,
    ...[pods, services].flatMap((cidr) => [
      `route add unreachable ${cidr.text} metric ${fallbackMetric}`,
      `route add ${cidr.text} via ${gatewayAddress} dev ${device}`,
    ]),
  ]);
}

/** One of IPv6 can be used at once: nobody else has it. */
export function addAddress(address: string, { underlay }: Pick<FamilyPlan, 'underlay'>, device: string): string {
  return `addr add ${address}/${underlay.prefix} dev ${device}${underlay.family === 6 ? ' nodad' : ''}`;
}

export async function ipBatch(exec: Exec, tools: Tools, netns: string | undefined, lines: readonly string[]): Promise<void> {
  const input = `${lines.join('\n')}\n`;
  const command = netns === undefined ? [tools.ip] : [tools.nsenter, `--net=${netns}`, tools.ip];
  const [file = '', ...args] = [...command, '-batch', '-'];
  const result = await exec.run(file, args, { input });
  if (result.code === 0) return;
  const said = result.stderr.trim().split('\n')[0] ?? '';
  const number = Number(/Command failed -:(\d+)/.exec(result.stderr)?.[1] ?? 0);
  const line = lines[number - 1] ?? lines.join('; ');
  if (/Unknown device type|not supported/i.test(said))
    throw new KnownError('KERNEL_FEATURE_MISSING', `Cannot run "ip ${line}": ${said}`, {
      hint: 'Start a kernel that has bridge and veth devices (CONFIG_BRIDGE, CONFIG_VETH)',
    });
  throw new KnownError('COMMAND_FAILED', `Cannot run "ip ${line}": ${said}`);
}

async function makeNetns(exec: Exec, tools: Tools, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeFile(path, '', { flag: 'a' });
  await mustRun(exec, tools.unshare, [`--net=${path}`, 'true']);
}

/** Makes the bridge, and the client's namespace when the plan has one. */
export async function makeUnderlay(exec: Exec, tools: Tools, plan: LabPlan): Promise<void> {
  await makeNetns(exec, tools, plan.underlayNetns);
  await ipBatch(exec, tools, plan.underlayNetns, [
    'link set lo up',
    // Checksums need not be computed between nodes of one machine, and spanning tree has nothing to span.
    'link add br0 type bridge stp_state 0 forward_delay 0',
    // That of the first family is the relay's.
    ...plan.families.map((one) => addAddress(nthIp(one.underlay, 126), one, 'br0')),
    'link set br0 up',
    ...plan.families.map(({ services, gatewayAddress }) => `route add ${services.text} via ${gatewayAddress}`),
    ...(isBalanced(plan) ? plan.families.map((one) => addAddress(one.apiAddress, one, 'br0')) : []),
  ]);
  if (plan.options.client) await makeClient(exec, tools, plan);
}

/**
 * A node without rules yet sends a packet for a Service back where it came from, and with IPv6 tells the sender to go around it. Whoever
 * believes that does not find the Service for half a minute; a node cannot be told to keep quiet, but its neighbour not to listen.
 */
export function takesRedirects(device: string): string {
  return `/proc/sys/net/ipv6/conf/${device}/accept_redirects`;
}

async function makeClient(exec: Exec, tools: Tools, plan: LabPlan): Promise<void> {
  await makeNetns(exec, tools, plan.clientNetns);
  await ipBatch(exec, tools, plan.clientNetns, [
    'link set lo up',
    `link add eth0 type veth peer name client netns ${plan.underlayNetns}`,
    ...plan.families.map((one) => addAddress(one.clientAddress, one, 'eth0')),
    'link set eth0 up',
    ...labRoutes(plan, 'eth0'),
  ]);
  await mustRun(exec, tools.nsenter, [
    `--net=${plan.clientNetns}`,
    tools.busybox,
    'sh',
    '-c',
    `[ ! -e ${takesRedirects('eth0')} ] || echo 0 >${takesRedirects('eth0')}`,
  ]);
  await ipBatch(exec, tools, plan.underlayNetns, ['link set client master br0 up']);
}

/** Lets go of a namespace; the kernel takes its links away. */
export async function dropNetns(exec: Exec, tools: Tools, path: string): Promise<boolean> {
  let dropped = false;
  // Two launches that raced may have mounted twice.
  while (netnsExists(path)) {
    await mustRun(exec, tools.umount, [path]);
    dropped = true;
  }
  await rm(path, { force: true });
  return dropped;
}
