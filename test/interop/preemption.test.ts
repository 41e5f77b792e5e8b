/**
 * Whom a pod of higher priority has evicted, by kube-scheduler and by our scheduler on the same objects: the same pods, the same node, the same words. Each scenario
 * is there before the scheduler begins, so that nothing depends on what it hears first.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { nodes, podDisruptionBudgets, pods, priorityClasses } from '../../src/api/resource-types.ts';
import type { PodSpec } from '../../src/api/schema/types.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { ControlPlane } from '../control-plane/testing/control-plane.ts';
import { pauseContainer } from '../control-plane/testing/manifests.ts';
import { findProgram } from './testing/programs.ts';

const inDefault = { namespace: 'default' };
const fairlead = join(import.meta.dirname, '../../src/main/fairlead.ts');
const names = ['n1', 'n2', 'n3'] as const;

interface Running {
  readonly on: (typeof names)[number];
  readonly cpu: string;
  readonly priority?: 'low' | 'middle' | 'high';
  /** The day on which it started. */
  readonly day?: number;
  readonly app?: string;
  readonly spec?: Partial<PodSpec>;
}

interface Scenario {
  readonly running: Readonly<Record<string, Running>>;
  /** How many disruptions are allowed of an app. */
  readonly budgets?: Readonly<Record<string, number>>;
  /** The pod that comes, and asks for 3 of the 4 CPUs of a node. */
  readonly comes?: { readonly app?: string; readonly spec?: Partial<PodSpec> };
  /** Who goes, and for which node; or what the pod is told. */
  readonly result: string;
}

const hostname = 'kubernetes.io/hostname';
const near = (app: string) => [{ labelSelector: { matchLabels: { app } }, topologyKey: hostname }];
const apartFrom = (app: string): Partial<PodSpec> => ({
  affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: near(app) } },
});
const nearTo = (app: string): Partial<PodSpec> => ({
  affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: near(app) } },
});
/** Its plugin for devices, of which there are none here, speaks first. */
const noClaims = 'no new claims to deallocate, ';
const nodesAre = '0/3 nodes are available:';
const short = `${nodesAre} 3 Insufficient cpu. preemption:`;
const full = (on: Running['on'], more: Partial<Running> = {}): Running => ({ on, cpu: '4', ...more });

const scenarios: Readonly<Record<string, Scenario>> = {
  'the least important one': {
    running: { a: full('n1', { priority: 'middle' }), b: full('n2', { priority: 'low' }), c: full('n3', { priority: 'middle' }) },
    result: 'b for n2',
  },
  'no more than must, where fewest do': {
    running: {
      ...{ a1: { on: 'n1', cpu: '2' }, a2: { on: 'n1', cpu: '2' }, b1: { on: 'n2', cpu: '3' }, b2: { on: 'n2', cpu: '1' } },
      ...{ c1: { on: 'n3', cpu: '2' }, c2: { on: 'n3', cpu: '1' }, c3: { on: 'n3', cpu: '1' } },
    },
    result: 'b1 for n2',
  },
  'the youngest': { running: { a: full('n1', { day: 2 }), b: full('n2', { day: 1 }), c: full('n3', { day: 3 }) }, result: 'c for n3' },
  'nobody where all are as important': {
    running: { a: full('n1', { priority: 'high' }), b: full('n2', { priority: 'high' }), c: full('n3', { priority: 'high' }) },
    result: `${short} ${nodesAre} 3 No preemption victims found for incoming pod.`,
  },
  'nobody where not all that are in the way may go': {
    running: {
      ...{ a1: { on: 'n1', cpu: '2', priority: 'high' }, a2: { on: 'n1', cpu: '2' } },
      ...{ b: full('n2', { priority: 'high' }), c: full('n3', { priority: 'high' }) },
    },
    result: `${short} ${nodesAre} 1 Insufficient cpu, 2 No preemption victims found for incoming pod.`,
  },
  'nobody for a pod that no empty node has room for': {
    running: { a: full('n1'), b: full('n2'), c: full('n3') },
    comes: { spec: { containers: [{ ...pauseContainer, ports: [], resources: { requests: { cpu: '9' } } }] } },
    result: `${short} ${nodesAre} 3 Preemption is not helpful for scheduling.`,
  },
  'nobody on nodes where the pod may not go': {
    running: { a: full('n1', { priority: 'low' }), b: full('n2', { priority: 'high' }), c: full('n3') },
    comes: { spec: { nodeSelector: { [hostname]: 'n2' } } },
    result:
      `${nodesAre} 1 Insufficient cpu, 2 node(s) didn't match Pod's node affinity/selector. ` +
      `preemption: ${nodesAre} 1 No preemption victims found for incoming pod, 2 Preemption is not helpful for scheduling.`,
  },
  'nobody for a pod that waits': {
    running: { a: full('n1'), b: full('n2'), c: full('n3') },
    comes: { spec: { priorityClassName: 'gentle' } },
    result: `${short} not eligible due to preemptionPolicy=Never.`,
  },
  'one that no budget protects, although it is more important': {
    running: { a: full('n1', { app: 'x' }), b: full('n2', { priority: 'middle' }), c: full('n3', { app: 'x' }) },
    budgets: { x: 0 },
    result: 'b for n2',
  },
  'one that a budget protects, where nobody else may go': {
    running: {
      a: full('n1', { app: 'x', priority: 'middle' }),
      b: full('n2', { app: 'x' }),
      c: full('n3', { app: 'x', priority: 'middle' }),
    },
    budgets: { x: 0 },
    result: 'b for n2',
  },
  'a more important one in place of one of the same node that a budget protects': {
    running: {
      ...{ a1: { on: 'n1', cpu: '1', app: 'x' }, a2: { on: 'n1', cpu: '1', priority: 'middle' }, a3: { on: 'n1', cpu: '2' } },
      ...{ b: full('n2', { priority: 'high' }), c: full('n3', { priority: 'high' }) },
    },
    budgets: { x: 0 },
    result: 'a2 a3 for n1',
  },
  'whoever keeps it away': {
    running: {
      ...{ a1: { on: 'n1', cpu: '100m', app: 'y', spec: apartFrom('it') }, a2: { on: 'n1', cpu: '100m' } },
      ...{ b: full('n2', { priority: 'high' }), c: full('n3', { priority: 'high' }) },
    },
    comes: { app: 'it' },
    result: 'a1 for n1',
  },
  'whom it wants to be away from': {
    running: {
      ...{
        a1: { on: 'n1', cpu: '100m', app: 'x' },
        a2: { on: 'n1', cpu: '100m', app: 'x', priority: 'middle' },
        a3: { on: 'n1', cpu: '100m' },
      },
      ...{ b: full('n2', { priority: 'high' }), c: full('n3', { priority: 'high' }) },
    },
    comes: { spec: apartFrom('x') },
    result: 'a1 a2 for n1',
  },
  'nobody whom it must be near': {
    running: {
      ...{ a1: { on: 'n1', cpu: '1', app: 'x', priority: 'high' }, a2: { on: 'n1', cpu: '3' } },
      ...{ b: full('n2', { app: 'x' }), c: full('n3', { priority: 'high' }) },
    },
    comes: { spec: nearTo('x') },
    result: 'a2 for n1',
  },
};

describe('preemption by kube-scheduler and ours', () => {
  const kubeScheduler = findProgram('kube-scheduler');
  let cp: ControlPlane;
  let dir: string;
  let kubeconfig: string;

  before(async () => {
    cp = await ControlPlane.start({ controllers: ['serviceaccount-controller'], scheduler: false, kubelet: false, nodes: names.length });
    dir = await mkdtemp(join(tmpdir(), 'fairlead-preemption-'));
    kubeconfig = join(dir, 'kubeconfig');
    await writeFile(kubeconfig, cp.adminKubeconfig(), { mode: 0o600 });
    const classes = { low: { value: 1 }, middle: { value: 10 }, high: { value: 100 }, gentle: { value: 100, preemptionPolicy: 'Never' } };
    for (const [name, spec] of Object.entries(classes))
      await cp.client.create(priorityClasses, { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name }, ...spec });
  });
  after(async () => {
    await cp?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  async function create(name: string, app: string | undefined, spec: Partial<PodSpec>, cpu: string): Promise<void> {
    const containers = [{ ...pauseContainer, ports: [], resources: { requests: { cpu } } }];
    const metadata = { name, namespace: 'default', labels: { name, ...(app === undefined ? {} : { app }) } };
    await cp.client.create(pods, { apiVersion: 'v1', kind: 'Pod', metadata, spec: { containers, ...spec } });
  }

  async function set({ running, budgets = {}, comes = {} }: Scenario): Promise<void> {
    for (const [name, { on, cpu, priority = 'low', day = 1, app, spec }] of Object.entries(running)) {
      await create(name, app, { nodeName: on, priorityClassName: priority, ...spec }, cpu);
      const status = { phase: 'Running', startTime: `2026-01-0${day}T00:00:00Z` };
      await cp.client.patch(pods, name, { status }, { ...inDefault, subresource: 'status' });
    }
    for (const [app, disruptionsAllowed] of Object.entries(budgets)) {
      const spec = { selector: { matchLabels: { app } }, minAvailable: 1 };
      await cp.client.create(podDisruptionBudgets, {
        ...{ apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata: { name: app, namespace: 'default' }, spec },
      });
      const status = { disruptionsAllowed, currentHealthy: 1, desiredHealthy: 1, expectedPods: 1, observedGeneration: 1 };
      await cp.client.patch(podDisruptionBudgets, app, { status }, { ...inDefault, subresource: 'status' });
    }
    await create('it', comes.app, { priorityClassName: 'high', ...comes.spec }, '3');
  }

  /** Who goes, marked as upstream does, and for which node; or what the pod is told. */
  async function seen(): Promise<string> {
    const all = await cp.podsOf('default');
    const it = all.find(({ metadata }) => metadata.name === 'it');
    const victims = all.filter(({ metadata }) => metadata.deletionTimestamp !== undefined);
    for (const { status, metadata } of victims) {
      const target = status?.conditions?.find(({ type }) => type === 'DisruptionTarget');
      assert.deepEqual(
        [target?.status, target?.reason, target?.message],
        ['True', 'PreemptionByScheduler', 'default-scheduler: preempting to accommodate a higher priority pod'],
        metadata.name,
      );
    }
    const scheduled = it?.status?.conditions?.find(({ type }) => type === 'PodScheduled');
    const node = it?.status?.nominatedNodeName;
    if (node)
      return `${victims
        .map(({ metadata }) => metadata.name)
        .toSorted()
        .join(' ')} for ${node}`;
    return scheduled?.message ?? '';
  }

  async function clear(): Promise<void> {
    await cp.client.deleteCollection(podDisruptionBudgets, inDefault);
    await cp.client.deleteCollection(pods, { ...inDefault, gracePeriodSeconds: 0 });
    await eventually(async () => assert.equal((await cp.podsOf('default')).length, 0));
  }

  async function decides(scenario: Scenario, command: string, args: readonly string[], isIt: (seen: string) => void): Promise<void> {
    await set(scenario);
    const process = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    const ended = once(process, 'exit');
    let said = '';
    process.stderr.on('data', (chunk) => {
      said += chunk;
    });
    try {
      await eventually(async () => isIt(await seen()), { timeoutMs: 60_000 }).catch((err: unknown) => {
        throw new Error(`${String(err)}\n${said.slice(-2_000)}`);
      });
    } finally {
      process.kill();
      await ended;
      await clear();
    }
  }

  for (const [who, scenario] of Object.entries(scenarios)) {
    const { result } = scenario;
    test(`ours has evicted: ${who}`, async () => {
      const args = [fairlead, 'scheduler', `--kubeconfig=${kubeconfig}`, '--leader-elect=false', '--secure-port=0'];
      // Behind the message each node may have its own reasons.
      await decides(scenario, process.execPath, args, (now) => assert.ok(now.startsWith(result), now));
    });
    test(`kube-scheduler has evicted: ${who}`, { skip: kubeScheduler === undefined && 'kube-scheduler not found' }, async () => {
      const args = ['kubeconfig', 'authentication-kubeconfig', 'authorization-kubeconfig'].map((flag) => `--${flag}=${kubeconfig}`);
      await decides(scenario, kubeScheduler ?? '', [...args, '--leader-elect=false', '--secure-port=0'], (now) =>
        assert.equal(now.replace(noClaims, ''), result),
      );
    });
  }

  test('had the nodes that it thinks of', async () => assert.equal((await cp.client.list(nodes)).items.length, names.length));
});
