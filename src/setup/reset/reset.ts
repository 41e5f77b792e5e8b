/** `fairlead reset`: takes away what init or join have made of this machine, and nothing of others. What is not there is no failure. */
import { readdir, readFile, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { clusterKubeconfigs } from '../../bootstrap/pki.ts';
import { readIfThere } from '../../bootstrap/secret-file.ts';
import { KnownError, systemCode } from '../../errors/known-error.ts';
import type { Exec } from '../../linux/exec.ts';
import { unfinishedOf } from '../../linux/put-file.ts';
import { isShared } from '../config/shared-store.ts';
import { layout } from '../layout.ts';
import { restoreKernel } from '../node/kernel-settings.ts';
import { envFile, readEnv } from '../service/service.ts';
import type { SetupContext } from '../setup-context.ts';
import type { StepRecord } from '../steps.ts';

export interface ResetRequest {
  /** Ends every pod; gives how many there were. */
  readonly endPods: () => Promise<number>;
  /** Takes away links, rules and plugins. */
  readonly cleanUpNetwork: () => Promise<void>;
}

/** Files by their full names; of these directories everything, of their parents only what is empty then. */
const trees: readonly string[] = [
  layout.pkiDir,
  ...Object.keys(clusterKubeconfigs).map((name) => join(layout.kubernetesDir, name)),
  layout.kubeletConfig,
  layout.bootstrapConfig,
  envFile('server'),
  envFile('agent'),
  layout.serverDir,
  layout.agentDir,
  '/var/log/fairlead',
  '/run/fairlead',
];
/** What is mounted from elsewhere, or made by a package, stays as an empty directory. */
const emptied: readonly string[] = [layout.kubeletDir, '/var/log/pods', '/var/log/containers'];
const perhapsEmpty: readonly string[] = [layout.manifestsDir, layout.kubernetesDir, layout.configDir, layout.stateDir, '/run/flannel'];

type Env = Readonly<Record<string, string | undefined>>;

export async function readAgentEnv(): Promise<Env> {
  return readEnv((await readIfThere(envFile('agent'))) ?? '');
}

/** Of the container runtime whose pods are to end: as somebody says, or as the agent was told. Pure. */
export function runtimeFlags(
  agent: Env,
  socket: string | undefined,
): { readonly endpoint: string; readonly cniBinDir: string; readonly cniConfDir: string } {
  return {
    endpoint: socket ?? agent.FAIRLEAD_RUNTIME_ENDPOINT ?? layout.runtimeEndpoint,
    cniBinDir: agent.FAIRLEAD_CNI_BIN_DIR ?? '/opt/cni/bin',
    cniConfDir: agent.FAIRLEAD_CNI_CONF_DIR ?? '/etc/cni/net.d',
  };
}

export interface ResetResult {
  /** Of the Node that stays in the cluster; not known where an earlier run has come so far. */
  readonly nodeName?: string;
  readonly steps: readonly StepRecord[];
}

export async function runReset(context: SetupContext, request: ResetRequest): Promise<ResetResult> {
  const { steps } = context;
  const { FAIRLEAD_NODE_NAME: nodeName } = await readAgentEnv();
  const { FAIRLEAD_STORE: store } = readEnv((await readIfThere(envFile('server'))) ?? '');
  if (isShared(store)) steps.note('The objects of the cluster stay in its store, and its other control planes go on');
  await steps.run('agent', 'Agent ended', () => end(context, 'agent'));
  await steps.run('pods', 'Pods ended', async () => (await request.endPods()) > 0);
  await steps.run('server', 'Control plane ended', () => end(context, 'server'));
  await steps.run('network', 'Links, routes and rules removed', async () => {
    await request.cleanUpNetwork();
    return true;
  });
  await steps.run('mounts', `Volumes below ${layout.kubeletDir} unmounted`, () => unmountBelow(context.exec, layout.kubeletDir));
  await steps.run('kernel', 'Settings of the kernel as before', restoreKernel);
  await steps.run('files', 'Files removed', removeFiles);
  return { ...(nodeName === undefined ? {} : { nodeName }), steps: steps.records };
}

async function end({ keeper }: SetupContext, name: 'server' | 'agent'): Promise<boolean> {
  const isRunning = await keeper.isRunning(name);
  await keeper.stop(name);
  return isRunning;
}

/** The mounts below a directory, the deepest first; paths in it have octal for what is no letter (proc_pid_mountinfo(5)). Pure. */
export function mountsBelow(mountinfo: string, dir: string): string[] {
  return mountinfo
    .split('\n')
    .map((line) => (line.split(' ')[4] ?? '').replace(/\\([0-7]{3})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 8))))
    .filter((path) => path.startsWith(`${dir}/`))
    .reverse();
}

async function readMountinfo(): Promise<string> {
  return await readFile('/proc/self/mountinfo', 'utf8');
}

/** Whether there was anything. Throws COMMAND_FAILED for what stays: who removes files below it would remove those of a volume. */
export async function unmountBelow(exec: Exec, dir: string, read: () => Promise<string> = readMountinfo): Promise<boolean> {
  const mounts = mountsBelow(await read(), dir);
  const said = new Map<string, string>();
  // Lazily: what still has a file open in it lets go of it when it ends.
  for (const path of mounts) said.set(path, (await exec.run('umount', ['--lazy', path])).stderr.trim());
  const [stays] = mountsBelow(await read(), dir);
  if (stays === undefined) return mounts.length > 0;
  throw new KnownError(
    'COMMAND_FAILED',
    `Cannot remove what is below ${dir}: "${stays}" is mounted there: ${said.get(stays) || 'it was mounted anew'}`,
    {
      hint: `Unmount it, then go on: umount ${stays} && fairlead reset`,
    },
  );
}

async function removeFiles(): Promise<boolean> {
  let isChanged = false;
  for (const path of trees) {
    isChanged = (await remove(path)) || isChanged;
    await removeUnfinished(path);
  }
  for (const dir of emptied) isChanged = (await empty(dir)) || isChanged;
  for (const dir of perhapsEmpty) await rmdir(dir).catch(() => {});
  return isChanged;
}

/** What an init or a join that was killed has left beside a file. */
export async function removeUnfinished(path: string): Promise<void> {
  const dir = dirname(path);
  const names = await readdir(dir).catch(() => []);
  for (const name of names.filter(unfinishedOf(path))) await remove(join(dir, name));
}

/** Whether there was anything in it. */
async function empty(dir: string): Promise<boolean> {
  const names = await readdir(dir).catch(() => []);
  for (const name of names) await remove(join(dir, name));
  return names.length > 0;
}

/** A directory that something is mounted at is emptied. */
async function remove(path: string): Promise<boolean> {
  try {
    await rm(path, { recursive: true });
    return true;
  } catch (err) {
    const code = systemCode(err);
    if (code === 'ENOENT') return false;
    if (code !== 'EBUSY') throw err;
    return await empty(path);
  }
}
