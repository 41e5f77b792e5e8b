/** `fairlead upgrade`: what it would do to this machine, and doing it. Every step finds what an earlier run has done. */
import { renderTable } from '../../cli/output.ts';
import { KnownError } from '../../errors/known-error.ts';
import type { Finding } from '../preflight/finding.ts';
import type { ServiceName } from '../service/service.ts';
import type { StepRecord, Steps } from '../steps.ts';
import { isAgentOld, isServerOld, ownNode, type UpgradeFacts } from './facts.ts';
import { judge, lateCertificates } from './judge.ts';

/** What the steps do, on the machine and in its cluster. */
export interface UpgradeWork {
  /** Gives where the snapshot of the store is. */
  saveSnapshot(): Promise<string>;
  renewCertificates(names: readonly string[]): Promise<void>;
  restart(name: ServiceName): Promise<void>;
  /** Until this machine's API server is ready, in this version. */
  waitForServer(version: string): Promise<void>;
  /** Until they have done something that was asked for now. */
  waitForControllers(): Promise<void>;
  /** Brings what init has put into the cluster to what this version would put there; true when something was changed. */
  reconcile(): Promise<boolean>;
  /** True when there was anything to do. */
  drain(): Promise<boolean>;
  /** Until it has told so since then: milliseconds since the epoch. */
  waitForNode(version: string, since: number): Promise<void>;
  uncordon(): Promise<void>;
  now(): number;
}

export interface UpgradeWish {
  readonly drain: boolean;
  readonly ignored: readonly string[];
}

export interface UpgradePlan {
  readonly nodeName: string;
  readonly installed: string;
  /** Undefined where it does not answer. */
  readonly server: string | undefined;
  readonly nodes: UpgradeFacts['nodes'];
  /** What would be done here; nothing when all is new. */
  readonly tasks: readonly string[];
  readonly findings: readonly Finding[];
  readonly canUpgrade: boolean;
}

/** Pure. */
export function planUpgrade(facts: UpgradeFacts, wish: UpgradeWish): UpgradePlan {
  const findings = judge(facts).map((one): Finding => {
    const isIgnored = wish.ignored.includes(one.id) || wish.ignored.includes('all');
    return isIgnored ? { ...one, severity: 'warning' } : one;
  });
  const canUpgrade = findings.every(({ severity }) => severity === 'warning');
  const { nodeName, installed, server, nodes } = facts;
  return {
    nodeName,
    installed,
    server: 'version' in server ? server.version : undefined,
    nodes,
    tasks: facts.role === undefined ? [] : tasksOf(facts, wish),
    findings,
    canUpgrade,
  };
}

function tasksOf(facts: UpgradeFacts, { drain }: UpgradeWish): string[] {
  const { installed, nodeName, store } = facts;
  const late = lateCertificates(facts).map(({ name }) => name);
  const isServerNext = isServerOld(facts) || late.length > 0;
  return [
    isServerOld(facts) && store?.kind === 'file' && `save a snapshot of the store ${store.path}`,
    late.length > 0 && `renew certificates: ${late.join(', ')}`,
    isServerNext && `restart "fairlead server" as ${installed}`,
    isServerOld(facts) && "bring the cluster's roles and settings up to date",
    isAgentOld(facts) && drain && `drain node "${nodeName}"`,
    isAgentOld(facts) && `restart "fairlead agent" as ${installed}`,
    ((isAgentOld(facts) && drain) || facts.isCordonedByUpgrade) && `let pods onto node "${nodeName}" again`,
  ].filter((task): task is string => task !== false);
}

/** For people. Pure. */
export function planText({ installed, server, nodes, nodeName, tasks, findings, canUpgrade }: UpgradePlan): string {
  const rows = [
    ['package', installed, 'installed here'],
    ['API server', server ?? '?', ''],
    ...nodes.map(({ name, version, isReady }) => [
      `node ${name}`,
      version,
      [name === nodeName ? 'this machine' : '', isReady ? '' : 'not Ready'].filter(Boolean).join(', '),
    ]),
  ];
  const lines = findings.map(
    ({ id, severity, cause, cure }) => `[${severity === 'error' ? 'REFUSED' : 'WARNING'} ${id}] ${cause}. ${cure}\n`,
  );
  const todo = tasks.length === 0 ? 'Nothing is to be done here.\n' : `To be done here:\n${tasks.map((task) => `  ${task}\n`).join('')}`;
  return `${renderTable(['WHAT', 'VERSION', ''], rows)}\n${canUpgrade ? todo : ''}${lines.join('')}`;
}

export interface UpgradeResult {
  readonly nodeName: string;
  readonly version: string;
  /** Where the snapshot of the store is, when one was made. */
  readonly snapshot: string | undefined;
  readonly steps: readonly StepRecord[];
}

/** Throws CHECK_FAILED, having touched nothing, where the plan is refused. */
export async function runUpgrade(facts: UpgradeFacts, wish: UpgradeWish, steps: Steps, work: UpgradeWork): Promise<UpgradeResult> {
  const plan = planUpgrade(facts, wish);
  await steps.run('preflight', 'Preflight checks', async () => {
    refuse(plan, steps);
    return true;
  });
  const snapshot = facts.role === 'control-plane' ? await upgradeServer(facts, steps, work) : undefined;
  if (facts.services.some(({ name }) => name === 'agent')) await upgradeAgent(facts, wish, steps, work);
  return { nodeName: facts.nodeName, version: facts.installed, snapshot, steps: steps.records };
}

function refuse({ findings, installed }: UpgradePlan, steps: Steps): void {
  for (const { id, severity, cause, cure } of findings) if (severity === 'warning') steps.warn(`[WARNING ${id}] ${cause}. ${cure}`);
  const errors = findings.filter(({ severity }) => severity === 'error');
  if (errors.length === 0) return;
  throw new KnownError('CHECK_FAILED', `Cannot upgrade this machine to ${installed}: ${errors.map(({ cause }) => cause).join('; ')}`, {
    hint: errors.map(({ cure }) => cure).join('; '),
  });
}

/** Gives where the snapshot of the store is. */
async function upgradeServer(facts: UpgradeFacts, steps: Steps, work: UpgradeWork): Promise<string | undefined> {
  const { installed, store } = facts;
  const isOld = isServerOld(facts);
  let snapshot: string | undefined;
  if (store?.kind === 'file')
    await steps.run('snapshot', 'Snapshot of the store', async () => {
      // Anew whenever the old server has gone on since.
      if (isOld) snapshot = await work.saveSnapshot();
      return isOld;
    });
  const late = lateCertificates(facts).map(({ name }) => name);
  await steps.run('certificates', 'Certificates hold for long enough', async () => {
    if (late.length > 0) await work.renewCertificates(late);
    return late.length > 0;
  });
  const isRestarted = await steps.run('server', `Control plane runs ${installed}`, async () => {
    const isNeeded = isOld || late.length > 0;
    if (isNeeded) await work.restart('server');
    await work.waitForServer(installed);
    return isNeeded;
  });
  await steps.run('controllers', 'Controllers act', async () => {
    await work.waitForControllers();
    return isRestarted;
  });
  await steps.run('objects', 'Roles and settings of the cluster', () => work.reconcile());
  return snapshot;
}

async function upgradeAgent(facts: UpgradeFacts, { drain }: UpgradeWish, steps: Steps, work: UpgradeWork): Promise<void> {
  const { installed, nodeName, isCordonedByUpgrade } = facts;
  const isOld = isAgentOld(facts);
  if (drain) await steps.run('drain', `Node "${nodeName}" drained`, async () => isOld && (await work.drain()));
  const before = work.now();
  await steps.run('agent', `Agent of node "${nodeName}" started again`, async () => {
    if (isOld) await work.restart('agent');
    return isOld;
  });
  await steps.run('node-ready', `Node "${nodeName}" is Ready with ${installed}`, async () => {
    await work.waitForNode(installed, isOld ? before : 0);
    return ownNode(facts)?.version !== installed;
  });
  if (!drain && !isCordonedByUpgrade) return;
  await steps.run('uncordon', `Node "${nodeName}" takes pods again`, async () => {
    const isNeeded = isCordonedByUpgrade || isOld;
    if (isNeeded) await work.uncordon();
    return isNeeded;
  });
}
