import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname } from 'node:path';
import { KnownError } from '../errors/known-error.ts';
import { start } from '../linux/exec.ts';
import { netnsExists } from '../linux/netns.ts';
import { onNode } from './node/installation.ts';
import type { LabPlan, NodePlan } from './plan.ts';
import { isAlive } from './process-id.ts';
import type { LabState } from './state.ts';
import { systemPath, type Tools } from './tools.ts';

/** For nsenter(1): to be on a node altogether. */
export const allNamespaces: readonly string[] = ['--mount', '--uts', '--ipc', '--net', '--pid', '--cgroup', '--root', '--wd'];

/** The arguments of nsenter(1) for a node (all of its namespaces) or for the client (its network only). Throws LAB_NOT_RUNNING. */
async function enterArguments(plan: LabPlan, state: LabState, where: string): Promise<string[]> {
  if (where === 'client' && netnsExists(plan.clientNetns)) return [`--net=${plan.clientNetns}`];
  const names = [...plan.nodes.map((n) => n.name), ...(plan.options.client ? ['client'] : [])].join(', ');
  const id = state.nodes[where];
  if (!id)
    throw new KnownError('LAB_NOT_RUNNING', `Cannot enter "${where}": lab "${plan.options.name}" has no such node`, {
      hint: `It has: ${names}. For another lab: --name NAME`,
    });
  if (!(await isAlive(id)))
    throw new KnownError('LAB_NOT_RUNNING', `Cannot enter "${where}": it is not running`, {
      hint: `Start it again: fairlead lab up --name ${plan.options.name}`,
    });
  return [`--target=${id.pid}`, ...allNamespaces];
}

/** The environment of a command on a node. Only the control plane has the administrator's kubeconfig; kubectl on a worker is its kubelet. */
export function nodeEnvironment(role: NodePlan['role']): Record<string, string> {
  const { TERM } = process.env;
  return {
    PATH: `/var/lib/fairlead/bin:${dirname(onNode(process.execPath))}:${systemPath}`,
    HOME: '/root',
    KUBECONFIG: role === 'control-plane' ? '/etc/kubernetes/admin.conf' : '/etc/fairlead/kubelet.kubeconfig',
    CONTAINER_RUNTIME_ENDPOINT: 'unix:///run/containerd/containerd.sock',
    CONTAINERD_NAMESPACE: 'k8s.io',
    ...(TERM === undefined ? {} : { TERM }),
  };
}

function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** Runs a command with this process's streams; gives its exit code. */
export async function labExec(tools: Tools, plan: LabPlan, state: LabState, where: string, command: readonly string[]): Promise<number> {
  const args = await enterArguments(plan, state, where);
  const env = where === 'client' ? process.env : nodeEnvironment(plan.nodes.find((n) => n.name === where)?.role ?? 'worker');
  const child = start(tools.nsenter, [...args, '--', ...command], { stdio: 'inherit', env });
  // The terminal sends its signals to the command too; this process only waits for its answer.
  const ignore = (): void => {};
  process.on('SIGINT', ignore).on('SIGQUIT', ignore);
  // A signal meant for this process alone is meant for the command, which is nsenter's child in its PID namespace.
  const passOn = (name: NodeJS.Signals): void => {
    for (const pid of childrenOf(child.pid ?? 0)) process.kill(pid, name);
  };
  process.on('SIGTERM', passOn).on('SIGHUP', passOn);
  return await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
  });
}
