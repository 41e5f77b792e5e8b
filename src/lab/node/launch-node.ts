import { randomBytes } from 'node:crypto';
import { openSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureNodePki } from '../../bootstrap/pki.ts';
import { readIfThere, writeSecret } from '../../bootstrap/secret-file.ts';
import { ensureStoreMemberPki } from '../../bootstrap/store-pki.ts';
import { KnownError } from '../../errors/known-error.ts';
import { start } from '../../linux/exec.ts';
import { type Hierarchy, makeCgroups } from '../cgroups.ts';
import type { LabContext } from '../down.ts';
import { copyImageStore } from '../images/image-store.ts';
import type { LabPlan, NodePlan } from '../plan.ts';
import { type ProcessId, readProcessId } from '../process-id.ts';
import { storeOf } from '../store/stores.ts';
import { systemPath } from '../tools.ts';
import { type ContainerdOptions, containerdConfig } from './containerd-config.ts';
import { installation, onNode, program } from './installation.ts';
import { nodeServices } from './services.ts';

export interface LaunchContext extends LabContext {
  readonly plan: LabPlan;
  readonly hierarchies: readonly Hierarchy[];
  /** The prepared containerd root. */
  readonly imageStore: string;
  readonly containerd: ContainerdOptions;
  /** The nameservers that nodes ask about the world. */
  readonly nameservers: readonly string[];
  /** How long a node may take until its init answers. */
  readonly timeoutMs: number;
  /** What lets a container runtime use the relay, when there is one. */
  readonly credential: string | undefined;
}

function hostsFile(plan: LabPlan): string {
  return [
    '127.0.0.1 localhost',
    '::1 localhost ip6-localhost',
    ...plan.nodes.flatMap((n) => n.addresses.map((ip) => `${ip} ${n.name}`)),
    '',
  ].join('\n');
}

/** On a bare node "fairlead init" and "fairlead join" make them. */
async function writeKeys({ plan, clock }: LaunchContext, node: NodePlan, dir: string): Promise<void> {
  if (plan.options.bare) return;
  const now = clock.now();
  if (node.role === 'control-plane' && storeOf(plan).program)
    await ensureStoreMemberPki({ pkiDir: plan.pkiDir, dir, store: plan.store, member: node.name, addresses: node.addresses, now });
  await ensureNodePki({
    pkiDir: plan.pkiDir,
    dir,
    cluster: plan.options.name,
    server: plan.server,
    node: node.name,
    addresses: node.addresses,
    now,
  });
}

async function writeNodeFiles(context: LaunchContext, node: NodePlan): Promise<void> {
  const { plan } = context;
  const etc = join(node.dir, 'etc');
  const log = join(node.dir, 'log');
  const world = context.nameservers.map((address) => `nameserver ${address}\n`).join('');
  await Promise.all(
    ['root', 'kubelet', 'agent', 'log', 'etc'].map((name) => mkdir(join(node.dir, name), { recursive: true, mode: 0o711 })),
  );
  await Promise.all([
    copyImageStore(context.exec, context.imageStore, join(node.dir, 'containerd')),
    writeKeys(context, node, etc),
    // The node itself asks the cluster's DNS, so that Service names work on it; the DNS and pods with dnsPolicy Default ask the world.
    writeFile(
      join(etc, 'node-resolv.conf'),
      plan.options.bare ? world : `search ${plan.options.clusterDomain}\nnameserver ${plan.dnsAddress}\n`,
    ),
    writeFile(join(etc, 'resolv.conf'), world),
    writeFile(join(etc, 'hosts'), hostsFile(plan)),
    writeFile(join(etc, 'machine-id'), `${randomBytes(16).toString('hex')}\n`),
    writeFile(join(etc, 'containerd.toml'), containerdConfig(context.containerd)),
    writeSecret(join(etc, 'services'), nodeServices(plan, node, context.credential)),
    mkdir(join(log, 'pods'), { recursive: true }),
  ]);
}

/** What a server of the store changes itself is written once. */
async function writeServerFiles(plan: LabPlan, node: NodePlan, dir: string): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  for (const [name, text] of Object.entries(storeOf(plan).files(plan, node)))
    if ((await readIfThere(join(dir, name))) === undefined) await writeSecret(join(dir, name), text);
}

/** Directories of the root file system that are mounts of their own and so no part of an overlay over `/`. */
function separateFileSystems(mountinfo: string): string[] {
  const system = ['/usr', '/bin', '/sbin', '/lib', '/lib64', '/opt'];
  return system.filter((path) => mountinfo.split('\n').some((line) => line.split(' ')[4] === path));
}

async function lastWords(node: NodePlan): Promise<string> {
  const text = await readFile(join(node.dir, 'log', 'boot.log'), 'utf8').catch(() => '');
  return text.trim().split('\n').slice(-3).join('; ');
}

/** On cgroup v2, takes the launcher out of the node's cgroup, which must hold no process itself to pass controllers on. */
async function moveLauncher(context: LaunchContext, node: NodePlan, pid: number): Promise<void> {
  const root = context.hierarchies.find((h) => h.version === 2 && h.path === '/sys/fs/cgroup');
  // The directory is made by the node's init, so it is not there at first; a launcher that has ended needs no move.
  if (root) await writeFile(join(root.path, context.plan.cgroup, node.name, 'init', 'cgroup.procs'), String(pid)).catch(() => {});
}

async function waitForInit(context: LaunchContext, node: NodePlan, launcher: number, ended: () => boolean): Promise<ProcessId> {
  const deadline = context.clock.monotonic() + context.timeoutMs;
  for (;;) {
    const pid = Number(await readFile(join(node.dir, 'init.pid'), 'utf8').catch(() => ''));
    // It is written just before the node's root changes, so the root must be looked at too.
    const id = pid > 0 ? await readProcessId(pid) : undefined;
    if (id && (await readFile(`/proc/${pid}/root/run/ready`).catch(() => undefined))) return id;
    if (ended() || context.clock.monotonic() > deadline)
      throw new KnownError('COMMAND_FAILED', `Cannot boot node "${node.name}": ${(await lastWords(node)) || 'its init does not answer'}`, {
        hint: `See ${join(node.dir, 'log', 'boot.log')}`,
      });
    await moveLauncher(context, node, launcher);
    await context.clock.sleep(10);
  }
}

/** Boots a node: namespaces, root, network, init. Returns when its services are being started. */
export async function launchNode(context: LaunchContext, node: NodePlan): Promise<ProcessId> {
  const { plan, tools, hierarchies } = context;
  await rm(join(node.dir, 'init.pid'), { force: true });
  const [, cgroups, mountinfo] = await Promise.all([
    writeNodeFiles(context, node),
    makeCgroups(hierarchies, plan.cgroup, node.name),
    readFile('/proc/self/mountinfo', 'utf8'),
  ]);
  const isServer = node.role === 'control-plane' && !plan.options.bare;
  const serverDir = join(plan.dir, 'server', plan.controlPlanes.length > 1 ? node.name : '');
  if (isServer) await writeServerFiles(plan, node, serverDir);
  const compileCache = join(plan.cacheDir, 'compile-nodes');
  await mkdir(compileCache, { recursive: true, mode: 0o700 });
  const log = openSync(join(node.dir, 'log', 'boot.log'), 'w', 0o600);
  const child = start(tools.busybox, ['sh', fileURLToPath(new URL('./launch.sh', import.meta.url))], {
    cwd: '/',
    detached: true,
    stdio: ['ignore', log, log],
    env: {
      LC_ALL: 'C',
      PATH: systemPath,
      FL_NODE: node.name,
      FL_DIR: node.dir,
      FL_PORT: node.port,
      FL_ADDRESSES: node.addresses.map((ip, i) => `${ip}/${plan.families[i]?.underlay.prefix}`).join(' '),
      FL_MAC: node.mac,
      FL_GATEWAY: plan.options.egress === 'nat' ? plan.hostAddress : '',
      FL_SERVICE_CIDRS: plan.families.map(({ services }) => services.text).join(' '),
      FL_UNDERLAY: plan.underlayNetns,
      FL_CGROUPS: cgroups.join(' '),
      FL_HIERARCHIES: hierarchies.map((h) => `v${h.version}:${h.controllers}:${h.path}`).join(' '),
      FL_BINDS: separateFileSystems(mountinfo).join(' '),
      FL_INSTALLATION: installation,
      FL_PROGRAM: onNode(program),
      FL_CACHE: compileCache,
      FL_SERVER_DIR: isServer ? serverDir : '',
      FL_PKI_DIR: plan.pkiDir,
      FL_INIT: fileURLToPath(new URL('./node-init.sh', import.meta.url)),
      FL_BUSYBOX: tools.busybox,
      FL_UNSHARE: tools.unshare,
      FL_NSENTER: tools.nsenter,
      FL_IP: tools.ip,
    },
  });
  let ended = false;
  child.on('error', () => (ended = true));
  child.on('exit', () => (ended = true));
  try {
    return await waitForInit(context, node, child.pid ?? 0, () => ended);
  } finally {
    child.unref();
  }
}
