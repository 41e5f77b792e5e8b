import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Progress } from '../../cli/progress.ts';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { Steps } from '../steps.ts';
import type { UpgradeFacts } from './facts.ts';
import { controlPlaneFacts as control, workerFacts as worker } from './testing/facts.ts';
import { planText, planUpgrade, runUpgrade, type UpgradeWish, type UpgradeWork } from './upgrade.ts';

const wish: UpgradeWish = { drain: false, ignored: [] };
const installed = control.installed;
const isNew = (facts: UpgradeFacts): UpgradeFacts => ({
  ...facts,
  server: { version: installed },
  nodes: facts.nodes.map((node) => ({ ...node, version: installed })),
});
const late = { name: 'apiserver', path: '/a.crt', kind: 'certificate', starts: 0, isRenewable: true, ends: control.now + 1 } as const;

/** Writes down what it is asked to do, with whether a wait is for something that is to come. */
class FakeWork implements UpgradeWork {
  readonly done: string[] = [];
  readonly #failing: string;
  readonly #reconciles: boolean;

  constructor(failing = '', reconciles = true) {
    this.#failing = failing;
    this.#reconciles = reconciles;
  }

  #do(what: string): void;
  #do<T>(what: string, result: T): T;
  #do<T>(what: string, result?: T): T | undefined {
    this.done.push(what);
    if (what === this.#failing) throw new Error(`${what} failed`);
    return result;
  }

  now = (): number => 1000;
  saveSnapshot = async (): Promise<string> => this.#do('save snapshot', '/before.snapshot');
  renewCertificates = async (names: readonly string[]): Promise<void> => this.#do(`renew ${names.join(' ')}`);
  restart = async (name: string): Promise<void> => this.#do(`restart ${name}`);
  waitForServer = async (version: string): Promise<void> => this.#do(`server ${version}`);
  waitForControllers = async (): Promise<void> => this.#do('controllers');
  reconcile = async (): Promise<boolean> => this.#do('reconcile', this.#reconciles);
  drain = async (): Promise<boolean> => this.#do('drain', true);
  waitForNode = async (version: string, since: number): Promise<void> => this.#do(`node ${version} since ${since}`);
  uncordon = async (): Promise<void> => this.#do('uncordon');
}

interface Ran {
  readonly work: FakeWork;
  readonly steps: Steps;
  readonly told: string;
  readonly problem: Error | undefined;
}

async function run(facts: UpgradeFacts, more: Partial<UpgradeWish> = {}, work: FakeWork = new FakeWork()): Promise<Ran> {
  const clock = new FakeClock();
  let told = '';
  const write = (text: string): void => {
    told += text;
  };
  const steps = new Steps(new Progress({ clock, write, terminal: false, colour: false }), clock);
  const problem = await runUpgrade(facts, { ...wish, ...more }, steps, work).then(
    () => undefined,
    (err: Error) => err,
  );
  return { work, steps, told, problem };
}

const changed = ({ steps }: Ran): string[] => steps.records.filter((record) => record.changed).map(({ name }) => name);
const serverWork = ['save snapshot', 'restart server', `server ${installed}`, 'controllers', 'reconcile'];
const agentWork = ['restart agent', `node ${installed} since 1000`];

describe('runUpgrade()', () => {
  test('goes through a control plane: its store is safe before anything is restarted, its node comes last', async () => {
    const ran = await run(control);
    assert.deepEqual(ran.work.done, [...serverWork, ...agentWork]);
    assert.deepEqual(changed(ran), ['preflight', 'snapshot', 'server', 'controllers', 'objects', 'agent', 'node-ready']);
  });

  test('restarts the agent alone on a worker', async () => {
    assert.deepEqual((await run(worker)).work.done, agentWork);
  });

  test('changes nothing where all is new, and looks all the same whether it is well', async () => {
    const ran = await run(isNew(control), {}, new FakeWork('', false));
    assert.deepEqual(ran.work.done, [`server ${installed}`, 'controllers', 'reconcile', `node ${installed} since 0`]);
    assert.deepEqual(changed(ran), ['preflight']);
  });

  test('goes on with the node when the server was done before', async () => {
    const ran = await run({ ...control, server: { version: installed } });
    assert.deepEqual(ran.work.done, [`server ${installed}`, 'controllers', 'reconcile', ...agentWork]);
  });

  test('starts a server that an upgrade has ended and not started again', async () => {
    const services = control.services.map((one) => ({ ...one, isRunning: one.name !== 'server' }));
    const ran = await run({ ...control, services, server: { why: 'refused' }, nodes: [] });
    assert.deepEqual(ran.work.done, [...serverWork, ...agentWork]);
    assert.match(ran.told, /WARNING ServerDown/);
  });

  test('renews certificates before the restart that makes them known, also when nothing else is to be done', async () => {
    assert.deepEqual((await run({ ...control, certificates: [late] })).work.done.slice(0, 3), [
      'save snapshot',
      'renew apiserver',
      'restart server',
    ]);
    const ran = await run(isNew({ ...control, certificates: [late] }));
    assert.deepEqual(ran.work.done.slice(0, 2), ['renew apiserver', 'restart server']);
    assert.equal(ran.work.done.includes('restart agent'), false);
  });

  test('makes no snapshot of a store elsewhere', async () => {
    const ran = await run({ ...control, store: { kind: 'elsewhere', url: 'redis://a' } });
    assert.deepEqual(ran.work.done, [...serverWork.slice(1), ...agentWork]);
  });

  test('drains before and lets pods come back after, where that was asked for and the agent is old', async () => {
    assert.deepEqual((await run(worker, { drain: true })).work.done, ['drain', ...agentWork, 'uncordon']);
    assert.deepEqual((await run(isNew(worker), { drain: true })).work.done, [`node ${installed} since 0`]);
  });

  test('lets pods come back to a node that an upgrade before has cordoned', async () => {
    const facts = { ...isNew(worker), isCordonedByUpgrade: true };
    assert.deepEqual((await run(facts)).work.done, [`node ${installed} since 0`, 'uncordon']);
  });

  for (const failing of [...serverWork, ...agentWork])
    test(`goes no further when "${failing}" fails`, async () => {
      const all = [...serverWork, ...agentWork];
      const ran = await run(control, {}, new FakeWork(failing));
      assert.equal(ran.problem?.message, `${failing} failed`);
      assert.deepEqual(ran.work.done, all.slice(0, all.indexOf(failing) + 1));
    });

  test('touches nothing that is refused, and names cause and cure', async () => {
    const refused = { ...worker, server: { version: 'v1.35.0+fairlead.0.1.0' } };
    const ran = await run(refused);
    assert.deepEqual(ran.work.done, []);
    assert.match(
      ran.problem?.message ?? '',
      /^Cannot upgrade this machine to v1\.35\.0\+fairlead\.0\.2\.0: the control plane runs .*0\.1\.0/,
    );
    assert.match(String((ran.problem as { hint?: string }).hint), /Upgrade the control plane first/);
    for (const ignored of ['all', 'ControlPlaneFirst']) assert.deepEqual((await run(refused, { ignored: [ignored] })).work.done, agentWork);
    assert.deepEqual((await run(refused, { ignored: ['Downgrade'] })).work.done, []);
  });
});

describe('planUpgrade()', () => {
  test('names what would be done, in its order', () => {
    assert.deepEqual(planUpgrade({ ...control, certificates: [late] }, { ...wish, drain: true }).tasks, [
      'save a snapshot of the store /state.db',
      'renew certificates: apiserver',
      `restart "fairlead server" as ${installed}`,
      "bring the cluster's roles and settings up to date",
      'drain node "control-plane"',
      `restart "fairlead agent" as ${installed}`,
      'let pods onto node "control-plane" again',
    ]);
    assert.deepEqual(planUpgrade(worker, wish).tasks, [`restart "fairlead agent" as ${installed}`]);
    assert.deepEqual(planUpgrade(isNew(control), { ...wish, drain: true }).tasks, []);
    assert.deepEqual(planUpgrade({ ...isNew(worker), isCordonedByUpgrade: true }, wish).tasks, ['let pods onto node "worker-1" again']);
    assert.deepEqual(planUpgrade({ ...control, role: undefined, services: [] }, wish).tasks, []);
  });

  test('is shown with every version, and what is to be done or is refused', () => {
    const facts = { ...worker, nodes: worker.nodes.map((node) => ({ ...node, isReady: node.name !== 'worker-1' })) };
    assert.equal(
      planText(planUpgrade(facts, wish)),
      `WHAT                 VERSION
package              v1.35.0+fairlead.0.2.0   installed here
API server           v1.35.0+fairlead.0.2.0
node control-plane   v1.35.0+fairlead.0.1.0
node worker-1        v1.35.0+fairlead.0.1.0   this machine, not Ready

To be done here:
  restart "fairlead agent" as v1.35.0+fairlead.0.2.0
`,
    );
    assert.match(planText(planUpgrade(isNew(worker), wish)), /\nNothing is to be done here\.\n$/);
    const refused = planText(planUpgrade({ ...worker, server: { why: 'no answer' } }, wish));
    assert.match(refused, /API server +\?\n/);
    assert.match(refused, /\n\n\[REFUSED ControlPlane\] the control plane does not answer: no answer\. /);
    assert.match(planText(planUpgrade({ ...control, nodes: facts.nodes }, wish)), /\[WARNING NodeNotReady\] not Ready: "worker-1"/);
  });
});
