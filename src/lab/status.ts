import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Column, type OutputFormat, renderOutput } from '../cli/output.ts';
import { enterNetns } from '../linux/enter-netns.ts';
import { netnsExists } from '../linux/netns.ts';
import { readHierarchies } from './cgroups.ts';
import type { LabContext } from './down.ts';
import type { LabPlan } from './plan.ts';
import { queryDns } from './ready.ts';
import type { LabState } from './state.ts';
import { surveyLab } from './survey.ts';

interface NodeRow {
  readonly name: string;
  readonly role: string;
  readonly address: string;
  readonly state: 'running' | 'dead';
  readonly pid: number | undefined;
  readonly restarts: number;
  readonly logs: string;
}

const columns: readonly Column<NodeRow>[] = [
  { title: 'NODE', cell: (n) => n.name },
  { title: 'ROLE', cell: (n) => n.role },
  { title: 'ADDRESS', cell: (n) => n.address },
  { title: 'STATE', cell: (n) => n.state },
  { title: 'RESTARTS', cell: (n) => String(n.restarts) },
  { title: 'PID', cell: (n) => (n.pid === undefined ? '-' : String(n.pid)), wide: true },
  { title: 'LOGS', cell: (n) => n.logs, wide: true },
];

async function restartsOf(dir: string): Promise<number> {
  const text = await readFile(join(dir, 'log', 'init.log'), 'utf8').catch(() => '');
  return text.split('\n').filter((line) => line.includes('starting it again')).length;
}

/** Whether the DNS answers inside the lab. */
async function dnsAnswers(plan: LabPlan): Promise<boolean> {
  if (!netnsExists(plan.underlayNetns)) return false;
  using _inside = enterNetns(plan.underlayNetns);
  return await queryDns(plan.dnsAddress, `kubernetes.default.svc.${plan.options.clusterDomain}`).then(
    (answer) => answer.length > 0,
    () => false,
  );
}

/** What there is of a lab, for people and programs. */
export async function labStatus(
  context: LabContext,
  plan: LabPlan,
  state: LabState,
  format: OutputFormat,
): Promise<{ readonly text: string; readonly healthy: boolean }> {
  const survey = await surveyLab(context.exec, context.tools, await readHierarchies(), plan, state);
  const rows = await Promise.all(
    plan.nodes.map(
      async (node): Promise<NodeRow> => ({
        name: node.name,
        role: node.role,
        address: node.address,
        state: survey.nodes.has(node.name) ? 'running' : 'dead',
        pid: survey.nodes.get(node.name)?.pid,
        restarts: await restartsOf(node.dir),
        logs: join(node.dir, 'log'),
      }),
    ),
  );
  const dns = await dnsAnswers(plan);
  const parts = {
    bridge: survey.underlay,
    ...(plan.options.attach ? { attached: survey.attached } : {}),
    ...(plan.options.client ? { client: survey.client } : {}),
    ...(plan.options.relay ? { relay: survey.relay } : {}),
    dns,
  };
  const healthy = rows.every((row) => row.state === 'running') && Object.values(parts).every(Boolean);
  const document = {
    name: plan.options.name,
    healthy,
    kubeconfig: plan.kubeconfig,
    server: plan.server,
    options: plan.options,
    parts,
    nodes: rows,
  };
  const table = renderOutput(format, document, rows, columns, (row) => row.name);
  if (format !== 'table' && format !== 'wide') return { text: table, healthy };
  const summary = Object.entries(parts).map(([part, there]) => `${part} ${there ? 'ok' : 'MISSING'}`);
  return { text: `${table}\n${summary.join(', ')}\nexport KUBECONFIG=${plan.kubeconfig}\n`, healthy };
}
