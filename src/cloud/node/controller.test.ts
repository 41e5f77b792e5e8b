import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { nodes } from '../../api/resource-types.ts';
import type { Node, NodeCondition } from '../../api/schema/types.ts';
import { CloudBed, cloudNode } from '../testing/cloud-bed.ts';
import { CloudNodeController, CloudNodeLifecycleController } from './controller.ts';

const uninitialized = { key: 'node.cloudprovider.kubernetes.io/uninitialized', value: 'true', effect: 'NoSchedule' };
const other = { key: 'example.com/mine', effect: 'NoSchedule' };
const ready: NodeCondition = { type: 'Ready', status: 'True' };
const unready: NodeCondition = { type: 'Ready', status: 'Unknown' };

function machineFor(bed: CloudBed, name: string, more: object = {}): void {
  bed.provider.instances.machines.set(name, { providerID: `fake://${name}`, ...more });
}

describe('the cloud node controller', () => {
  const open = async (node: Node) => {
    const bed = new CloudBed();
    bed.put(nodes, node);
    const controller = new CloudNodeController(bed.context, bed.provider.instances);
    const news = bed.listen(controller);
    await news.deliver();
    return { bed, news, pass: () => bed.pass(controller, 'a'), found: () => bed.client.find(nodes, 'a') };
  };

  test('initialises a node: identity, labels, and at last the taint goes, those of others stay', async () => {
    const { bed, pass, found } = await open(cloudNode('a', { spec: { taints: [uninitialized, other] } }));
    await using _ = bed;
    machineFor(bed, 'a', { instanceType: 'big', zone: 'z1', region: 'r1' });
    assert.deepEqual(await pass(), { writes: ['patch nodes a'], events: ['Normal Synced Node synced successfully'] });
    assert.deepEqual(found()?.spec, { taints: [other], providerID: 'fake://a' });
    assert.deepEqual(found()?.metadata.labels, {
      'beta.kubernetes.io/instance-type': 'big',
      'node.kubernetes.io/instance-type': 'big',
      'topology.kubernetes.io/zone': 'z1',
      'failure-domain.beta.kubernetes.io/zone': 'z1',
      'topology.kubernetes.io/region': 'r1',
      'failure-domain.beta.kubernetes.io/region': 'r1',
    });
    await bed.deliver();
    assert.deepEqual((await pass()).writes, []);
  });

  test('keeps the taint of a node whose machine the cloud does not know', async () => {
    const { bed, pass, found } = await open(cloudNode('a', { spec: { taints: [uninitialized] } }));
    await using _ = bed;
    assert.deepEqual(await pass(), { writes: [], events: [], error: 'there is no machine "a"' });
    assert.deepEqual(found()?.spec?.taints, [uninitialized]);
  });

  test("follows the cloud's addresses, keeps the kubelet's host name, and looks again later", async () => {
    const addresses = [
      { type: 'InternalIP', address: '10.0.0.9' },
      { type: 'Hostname', address: 'a' },
    ];
    const { bed, pass, found } = await open(cloudNode('a', { status: { addresses } }));
    await using _ = bed;
    machineFor(bed, 'a', { addresses: [{ type: 'InternalIP', address: '10.0.0.1' }] });
    assert.deepEqual(await pass(), { writes: ['patch nodes/status a'], events: [], requeueAfter: 300_000 });
    assert.deepEqual(found()?.status?.addresses, [
      { type: 'InternalIP', address: '10.0.0.1' },
      { type: 'Hostname', address: 'a' },
    ]);
    await bed.deliver();
    assert.deepEqual((await pass()).writes, []);
  });
});

describe('the cloud node lifecycle controller', () => {
  const open = async (condition: NodeCondition) => {
    const bed = new CloudBed();
    bed.put(nodes, cloudNode('a', { status: { conditions: [condition] }, spec: { taints: [other] } }));
    const controller = new CloudNodeLifecycleController(bed.context, bed.provider.instances);
    await bed.listen(controller).deliver();
    return { bed, pass: () => bed.pass(controller, 'a'), found: () => bed.client.find(nodes, 'a') };
  };

  test('deletes the node of a machine that is gone', async () => {
    const { bed, pass, found } = await open(unready);
    await using _ = bed;
    assert.deepEqual(await pass(), {
      writes: ['delete nodes a'],
      events: ['Normal DeletingNode Deleting node a because it does not exist in the cloud provider'],
    });
    assert.equal(found(), undefined);
  });

  test('believes a node that is ready, whatever the cloud says', async () => {
    const { bed, pass, found } = await open(ready);
    await using _ = bed;
    assert.deepEqual(await pass(), { writes: [], events: [] });
    assert.ok(found());
  });

  test('taints a node while its machine is switched off, and looks again', async () => {
    const { bed, pass, found } = await open(unready);
    await using _ = bed;
    machineFor(bed, 'a', { isShutDown: true });
    assert.deepEqual(await pass(), { writes: ['patch nodes a'], events: [], requeueAfter: 5_000 });
    assert.deepEqual(found()?.spec?.taints, [other, { key: 'node.cloudprovider.kubernetes.io/shutdown', effect: 'NoSchedule' }]);
    await bed.deliver();
    assert.deepEqual((await pass()).writes, []);
    machineFor(bed, 'a');
    await pass();
    assert.deepEqual(found()?.spec?.taints, [other]);
  });
});
