/** A cluster of an older version is upgraded, the control plane first and then its node, while clients use a Service of it. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { gitVersion, programVersion } from '../../src/observability/version.ts';
import { cannotStartLabs, TestLab } from '../e2e/testing/lab.ts';
import { boxDeployment, boxPod, service } from '../e2e/testing/manifests.ts';
import { Traffic } from '../rules/testing/traffic.ts';
import { Machine } from './machine.ts';

const oldVersion = '0.0.9';
const token = 'abcdef.0123456789abcdef';
const nodePort = 30_007;
const budget = `apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: { name: web }
spec: { minAvailable: 1, selector: { matchLabels: { app: web } } }
`;
/** Objects that somebody made, and those of the cluster; what comes and goes by itself, such as Events and Leases, aside. */
const kept =
  'nodes,pods,services,endpointslices,configmaps,secrets,serviceaccounts,roles,rolebindings,clusterroles,clusterrolebindings,deployments';

describe('an upgrade', { skip: cannotStartLabs }, () => {
  let lab: TestLab;
  let [server, worker, other]: Machine[] = [];
  const machines = (): [Machine, Machine, Machine] => [server, worker, other] as [Machine, Machine, Machine];

  before(async () => {
    lab = new TestLab({ name: 'upgr', underlay: '192.168.144.0/24', workers: 2, bare: true });
    await lab.up();
    [server, worker, other] = lab.plan.nodes.map(({ name }) => new Machine(lab, name));
    const [control, ...workers] = machines();
    // What a package brings is seen by its package.json; the rest of the older one is as this one's.
    for (const machine of machines())
      await machine.sh(`sed 's/"version": "[^"]*"/"version": "${oldVersion}"/' /opt/fairlead/package.json >/tmp/old.json
        mount --bind /tmp/old.json /opt/fairlead/package.json`);
    const { joinCommand } = JSON.parse(await control.must('init', '--token', token, '-o', 'json'));
    await Promise.all(workers.map((node) => node.must(...joinCommand.split(' ').slice(1))));
    const box = boxPod('box', { spec: 'nodeName: worker-1' });
    await control.write(
      '/tmp/box.yaml',
      `${box}---\n${service('box', '7:7', 'type: NodePort').replace('port: 7,', `port: 7, nodePort: ${nodePort},`)}`,
    );
    await control.kubectl('apply', '-f', '/tmp/box.yaml');
    await control.kubectl('wait', '--for=condition=Ready', 'pod/box', '--timeout=180s');
    // As an older version had it: a right is missing, somebody has added one, and a document is of an older form.
    await control.kubectl('patch', 'role', 'fairlead:node-settings', '-n', 'kube-system', '--type=json', '-p', oldRule);
    await control.kubectl('delete', 'clusterrolebinding', 'fairlead:list-nodes');
  });
  after(() => lab[Symbol.asyncDispose]());

  const oldRule = JSON.stringify([
    {
      op: 'replace',
      path: '/rules',
      value: [{ apiGroups: [''], resources: ['configmaps'], resourceNames: ['ours'], verbs: ['get'] }],
    },
  ]);
  const versions = async (): Promise<string[]> => {
    const api = JSON.parse(await server!.kubectl('get', '--raw', '/version')).gitVersion as string;
    const nodes = await server!.kubectl('get', 'nodes', '-o', 'jsonpath={.items[*].status.nodeInfo.kubeletVersion}');
    return [api, ...nodes.split(' ')].map((version) => version.split('+fairlead.')[1] ?? version);
  };
  const objects = async (): Promise<string[]> => {
    const rows = '{range .items[*]}{.kind} {.metadata.namespace} {.metadata.name} {.metadata.uid}{"\\n"}{end}';
    const lines = (await server!.kubectl('get', kept, '-A', '-o', `jsonpath=${rows}`)).split('\n').filter(Boolean);
    // A node takes its DNS server out of the cluster while that is started again.
    return lines.filter((line) => !line.startsWith('EndpointSlice kube-system kube-dns-')).toSorted();
  };
  const changedSteps = (text: string): string[] =>
    JSON.parse(text)
      .steps.filter(({ name, changed }: { name: string; changed: boolean }) => changed && name !== 'preflight')
      .map(({ name }: { name: string }) => name);

  test('is planned: what runs, what would be done, and that a node waits for its control plane', async () => {
    const [control, node] = machines();
    assert.deepEqual(await versions(), Array(4).fill(oldVersion));
    for (const machine of machines()) await machine.sh('umount /opt/fairlead/package.json');
    const plan = JSON.parse(await control.must('upgrade', 'plan', '-o', 'json'));
    assert.equal(plan.installed, gitVersion);
    assert.match(plan.server, /\+fairlead\.0\.0\.9$/);
    assert.deepEqual(plan.findings, []);
    assert.deepEqual(
      plan.tasks.map((task: string) => task.split(' ').slice(0, 3).join(' ')),
      ['save a snapshot', 'restart "fairlead server"', "bring the cluster's", 'restart "fairlead agent"'],
    );
    const early = await node.fairlead('upgrade');
    assert.equal(early.code, 1);
    assert.match(early.stderr, /Upgrade the control plane first/);
    assert.deepEqual(await versions(), Array(4).fill(oldVersion), 'nothing was touched');
  });

  test('goes on wherever it was killed, and nobody who uses a Service notices: no connection ends, no new one fails', async () => {
    const [control, node] = machines();
    const before = await objects();
    const targets = machines().map(({ address }) => ({ to: address, port: nodePort }));
    await using traffic = await Traffic.start(new Map([[lab.plan.clientNetns, targets]]));
    let kills = 0;
    while (await control.killedAfter(kills + 1, 'upgrade')) kills++;
    await control.must('upgrade');
    assert.ok(kills >= 7, `killed after ${kills} steps`);
    await traffic.goesOn();
    assert.deepEqual(await versions(), [programVersion, programVersion, oldVersion, oldVersion]);
    const drained = await node.fairlead('upgrade', '--drain');
    assert.match(drained.stderr, /cannot delete Pods that declare no controller.*: default\/box/);
    assert.deepEqual(changedSteps(await node.must('upgrade', '-o', 'json')), ['agent', 'node-ready']);
    await traffic.goesOn();
    assert.deepEqual(await versions(), [programVersion, programVersion, programVersion, oldVersion]);
    for (const machine of [control, node]) assert.deepEqual(changedSteps(await machine.must('upgrade', '-o', 'json')), [], machine.name);
    const now = await objects();
    assert.deepEqual(
      before.filter((line) => !now.includes(line)),
      [],
    );
    const rules = await control.kubectl(
      'get',
      'role',
      'fairlead:node-settings',
      '-n',
      'kube-system',
      '-o',
      'jsonpath={.rules[*].resourceNames}',
    );
    assert.match(rules, /\["ours"\].*kube-flannel-cfg/);
    await control.kubectl('get', 'clusterrolebinding', 'fairlead:list-nodes');
  });

  test('empties a node first where it is asked to: its pods go within their budget, come elsewhere, and may come back', async () => {
    const [control, , node] = machines();
    // Two pods on the node, with room for them elsewhere.
    await control.kubectl('cordon', 'worker-1');
    await control.write('/tmp/web.yaml', `${boxDeployment('web', 2)}---\n${budget}`);
    await control.kubectl('apply', '-f', '/tmp/web.yaml');
    await control.kubectl('rollout', 'status', 'deployment/web', '--timeout=180s');
    await control.kubectl('uncordon', 'worker-1');
    const placed = (): Promise<string> =>
      control.kubectl('get', 'pods', '-l', 'app=web', '-o', 'jsonpath={range .items[*]}{.spec.nodeName} {end}');
    assert.equal(await placed(), 'worker-2 worker-2 ');
    await eventually('a budget that counts them', async () =>
      assert.equal(await control.kubectl('get', 'pdb', 'web', '-o', 'jsonpath={.status.disruptionsAllowed}'), '1'),
    );
    let isOver = false;
    const upgrading = node.must('upgrade', '--drain', '-o', 'json').finally(() => {
      isOver = true;
    });
    let least = 2;
    while (!isOver) {
      const available = await control.kubectl('get', 'deployment', 'web', '-o', 'jsonpath={.status.availableReplicas}');
      least = Math.min(least, Number(available || 0));
    }
    assert.deepEqual(changedSteps(await upgrading), ['drain', 'agent', 'node-ready', 'uncordon']);
    assert.ok(least >= 1, 'a pod was available at every moment');
    assert.equal(await placed(), 'worker-1 worker-1 ');
    assert.equal(await control.kubectl('get', 'node', 'worker-2', '-o', 'jsonpath={.spec.unschedulable}'), '');
    assert.deepEqual(await versions(), Array(4).fill(programVersion));
  });

  test('has left a snapshot of the store, from which the cluster of before comes back', async () => {
    const [control] = machines();
    const dir = '/var/lib/fairlead/server';
    const snapshot = `${dir}/before-${programVersion}.snapshot`;
    assert.match(await control.sh(`stat -c '%a %s' ${snapshot}`), /^600 [1-9]/);
    await control.kubectl('create', 'configmap', 'late');
    await control.sh(`group=$(cat /run/fairlead/server.pid); kill -- -$group; while kill -0 -- -$group 2>/dev/null && [ $((n += 1)) -lt 300 ]; do sleep 0.1; done
      rm ${dir}/state.db*`);
    await control.must('snapshot', 'restore', snapshot);
    const { code, stderr } = await control.fairlead('init', '--token', token);
    assert.equal(code, 0, stderr);
    const answered = await eventually('the cluster of before', () => control.kubectl('get', 'configmap', '-o', 'name'));
    assert.doesNotMatch(answered, /late/);
    await control.kubectl('get', 'pod', 'box');
  });
});
