/** The network in which a lab's nodes meet: a bridge in a namespace of its own, kept by a bind mount rather than by a process. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { KnownError } from '../../errors/known-error.ts';
import { type Exec, mustRun } from '../../linux/exec.ts';
import { netnsExists } from '../../linux/netns.ts';
import { isBalanced, type LabPlan } from '../plan.ts';
import type { Tools } from '../tools.ts';

/** Above every metric that anybody uses: what is left when the lab's own route is gone. */
export const fallbackMetric = 4_278_198_272;

/** Routes of the host and of the client: into the lab, or nowhere. */
export function labRoutes(plan: LabPlan, device: string): string[] {
  const via = plan.gateway.address;
  return [
    `route add unreachable ${plan.underlay.text} metric ${fallbackMetric}`,
    ...[plan.pods, plan.services].flatMap((cidr) => [
      `route add unreachable ${cidr.text} metric ${fallbackMetric}`,
      `route add ${cidr.text} via ${via} dev ${device}`,
    ]),
  ];
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
  const { prefix } = plan.underlay;
  await makeNetns(exec, tools, plan.underlayNetns);
  await ipBatch(exec, tools, plan.underlayNetns, [
    'link set lo up',
    // Checksums need not be computed between nodes of one machine, and spanning tree has nothing to span.
    'link add br0 type bridge stp_state 0 forward_delay 0',
    `addr add ${plan.relayAddress}/${prefix} dev br0`,
    'link set br0 up',
    `route add ${plan.services.text} via ${plan.gateway.address}`,
    ...(isBalanced(plan) ? [`addr add ${plan.apiAddress}/${prefix} dev br0`] : []),
  ]);
  if (plan.options.client) await makeClient(exec, tools, plan);
}

async function makeClient(exec: Exec, tools: Tools, plan: LabPlan): Promise<void> {
  await makeNetns(exec, tools, plan.clientNetns);
  await ipBatch(exec, tools, plan.clientNetns, [
    'link set lo up',
    `link add eth0 type veth peer name client netns ${plan.underlayNetns}`,
    `addr add ${plan.clientAddress}/${plan.underlay.prefix} dev eth0`,
    'link set eth0 up',
    ...labRoutes(plan, 'eth0'),
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
