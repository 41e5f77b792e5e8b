import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Column, type OutputFormat, renderOutput } from '../cli/output.ts';
import type { LabContext } from './down.ts';
import { askDns, askServers } from './inspect.ts';
import { detachedHint, isBalanced, type LabPlan } from './plan.ts';
import type { LabState } from './state.ts';
import { surveyLab } from './survey.ts';
import { ownNodes } from './wait-for-cluster.ts';

interface NodeRow {
  readonly name: string;
  readonly role: string;
  readonly address: string;
  /** Whether its init lives. */
  readonly state: 'running' | 'dead';
  /** Whether the API server calls it Ready; unknown while that does not answer. */
  readonly ready: boolean | undefined;
  /** Whether its API server answers; undefined where it runs none, or the only one. */
  readonly serving: boolean | undefined;
  /** Whether the cluster's DNS answers on it. */
  readonly dns: boolean;
  readonly pid: number | undefined;
  readonly restarts: number;
  readonly logs: string;
}

const yesOrNo = (value: boolean | undefined, unknown: string): string => (value === undefined ? unknown : value ? 'yes' : 'NO');

const columns: readonly Column<NodeRow>[] = [
  { title: 'NODE', cell: (n) => n.name },
  { title: 'ROLE', cell: (n) => n.role },
  { title: 'ADDRESS', cell: (n) => n.address },
  { title: 'STATE', cell: (n) => n.state },
  { title: 'READY', cell: (n) => yesOrNo(n.ready, '?') },
  { title: 'API', cell: (n) => yesOrNo(n.serving, '-') },
  { title: 'DNS', cell: (n) => yesOrNo(n.dns, '-') },
  { title: 'RESTARTS', cell: (n) => String(n.restarts) },
  { title: 'PID', cell: (n) => (n.pid === undefined ? '-' : String(n.pid)), wide: true },
  { title: 'LOGS', cell: (n) => n.logs, wide: true },
];

async function restartsOf(dir: string): Promise<number> {
  const text = await readFile(join(dir, 'log', 'init.log'), 'utf8').catch(() => '');
  return text.split('\n').filter((line) => line.includes('starting it again')).length;
}

/** What there is of a lab, for people and programs. */
export async function labStatus(
  context: LabContext,
  plan: LabPlan,
  state: LabState,
  format: OutputFormat,
): Promise<{ readonly text: string; readonly healthy: boolean }> {
  const survey = await surveyLab(context, plan, state);
  const own = new Set(ownNodes(plan).map((node) => node.name));
  const answering = await askDns(plan, survey.nodes);
  const { api, relay } = await askServers(plan);
  const rows = await Promise.all(
    plan.nodes.map(
      async (node): Promise<NodeRow> => ({
        name: node.name,
        role: node.role,
        address: node.address,
        state: survey.nodes.has(node.name) ? 'running' : 'dead',
        ready: api.answers ? api.ready.has(node.name) : undefined,
        serving: isBalanced(plan) && node.role === 'control-plane' ? api.serving.has(node.name) : undefined,
        dns: answering.has(node.name),
        pid: survey.nodes.get(node.name)?.pid,
        restarts: await restartsOf(node.dir),
        logs: join(node.dir, 'log'),
      }),
    ),
  );
  const parts = {
    bridge: survey.underlay,
    ...(plan.options.attach ? { attached: survey.attached } : {}),
    ...(plan.options.client ? { client: survey.client } : {}),
    ...(plan.options.relay ? { relay } : {}),
    ...(isBalanced(plan) ? { balancer: survey.balancer } : {}),
    api: api.answers,
    // Where parts are somebody else's, only they know whether names are answered.
    dns: rows.every((row) => row.dns || !own.has(row.name)) && rows.some((row) => row.dns),
  };
  const isWell = (row: NodeRow): boolean => row.state === 'running' && row.serving !== false && (row.ready === true || !own.has(row.name));
  const healthy = rows.every(isWell) && Object.values(parts).every(Boolean);
  const document = {
    name: plan.options.name,
    healthy,
    kubeconfig: plan.kubeconfig,
    server: plan.server,
    store: plan.store,
    options: plan.options,
    parts,
    nodes: rows,
  };
  const shown = columns.filter(({ title }) => title !== 'API' || isBalanced(plan));
  const table = renderOutput(format, document, rows, shown, (row) => row.name);
  if (format !== 'table' && format !== 'wide') return { text: table, healthy };
  const summary = Object.entries(parts).map(([part, there]) => `${part} ${there ? 'ok' : 'MISSING'}`);
  const way = plan.options.attach ? `export KUBECONFIG=${plan.kubeconfig}` : detachedHint(plan.options);
  return { text: `${table}\n${summary.join(', ')}\n${way}\n`, healthy };
}
