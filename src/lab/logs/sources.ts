/** Which files, and which lines of them, somebody means who asks for the logs of a lab. Pure. */
import { join } from 'node:path';
import { KnownError } from '../../errors/known-error.ts';
import { agentParts, type StoreName, serverParts } from '../lab-options.ts';
import { isBalanced, type LabPlan, type NodePlan } from '../plan.ts';

export interface LogSource {
  /** `worker-1/agent`, in front of its lines where they are mixed with others. */
  readonly label: string;
  readonly file: string;
  /** Only the lines of one part of a process that holds several. */
  readonly part?: string;
}

/** The parts that sign what `agent` and `server` say: those that a lab can do without, and others. */
const inAgent = [...agentParts, 'cni'];
const inServer = ['apiserver', ...serverParts, 'cluster-dns', 'informers', 'store'];
/** What a node's init keeps, itself, and its first moments. */
const everywhere = ['agent', 'containerd', 'init', 'boot'];
/** What each store runs on a control plane. Said again here, since who asks for help need not load the stores. */
const ofStore: Readonly<Record<StoreName, readonly string[]>> = { sqlite: [], etcd: ['etcd'], redis: ['redis', 'sentinel'] };

/** Everything that may stand for PART. */
export const logParts: readonly string[] = ['server', ...Object.values(ofStore).flat(), ...everywhere, ...inAgent, ...inServer];

function sourcesOnNode(plan: LabPlan, node: NodePlan, part: string | undefined): LogSource[] {
  const ofFile = (name: string): LogSource => ({ label: `${node.name}/${name}`, file: join(node.dir, 'log', `${name}.log`) });
  const isServer = node.role === 'control-plane';
  const mine = [...(isServer ? ['server', ...ofStore[plan.store]] : []), ...everywhere];
  if (part === undefined) return mine.map(ofFile);
  if (mine.includes(part)) return [ofFile(part)];
  const process = inAgent.includes(part) ? 'agent' : inServer.includes(part) && isServer ? 'server' : undefined;
  return process === undefined ? [] : [{ ...ofFile(process), label: `${node.name}/${part}`, part }];
}

/** The logs of NODE (all of them, and of what runs beside them, when there is none), of its PART when one is given. Throws USAGE. */
export function logSources(plan: LabPlan, where: string | undefined, part: string | undefined): LogSource[] {
  const kept = [...(plan.options.relay ? ['relay'] : []), ...(isBalanced(plan) ? ['balancer'] : [])];
  const beside = kept.map((label): LogSource => ({ label, file: join(plan.dir, label, `${label}.log`) }));
  const names = [...plan.nodes.map((node) => node.name), ...kept];
  // A part alone is meant on every node: "lab logs dns".
  if (where !== undefined && part === undefined && !names.includes(where) && logParts.includes(where))
    return logSources(plan, undefined, where);
  const one = part === undefined ? beside.filter(({ label }) => label === where) : [];
  if (one.length > 0) return one;
  if (where !== undefined && !plan.nodes.some((node) => node.name === where))
    throw new KnownError('USAGE', `Cannot show logs of "${where}": lab "${plan.options.name}" has no such node or part`, {
      hint: `It has: ${names.join(', ')}; parts: ${logParts.join(', ')}. For another lab: --name NAME`,
    });
  const nodes = plan.nodes.filter((node) => where === undefined || node.name === where);
  const found = nodes.flatMap((node) => sourcesOnNode(plan, node, part));
  if (found.length === 0)
    throw new KnownError('USAGE', `Cannot show logs of part "${part}": ${where ?? 'no node'} runs no such part`, {
      hint: `Parts: ${logParts.join(', ')}`,
    });
  return where === undefined && part === undefined ? [...found, ...beside] : found;
}

/** When a line was written, as text that sorts; undefined for one that goes on with the line before. */
export function timeOf(line: string): string | undefined {
  const [, time] = /^(?:time="|\{"level":"\w+","ts":")?(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?)/.exec(line) ?? [];
  return time;
}

/** Whether a line is of a part. Lines that go on with one of it are too. */
export function partFilter(part: string | undefined): (line: string) => boolean {
  if (part === undefined) return () => true;
  const word = new RegExp(` part=${part}(?: |$)`);
  let inside = false;
  return (line) => {
    if (timeOf(line) !== undefined) inside = word.test(line);
    return inside;
  };
}
