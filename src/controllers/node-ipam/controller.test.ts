import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodes } from '../../api/resource-types.ts';
import type { Node } from '../../api/schema/types.ts';
import { refusal } from '../../client/testing/fake-client.ts';
import { TestBed } from '../testing/test-bed.ts';
import { NodeIpamController } from './controller.ts';

function node(name: string, podCIDR?: string): Node {
  return { apiVersion: 'v1', kind: 'Node', metadata: { name }, spec: podCIDR === undefined ? {} : { podCIDR } };
}

const cidrOf = (bed: TestBed, name: string): string | undefined => bed.client.find(nodes, name)?.spec?.podCIDR;

test('each node gets a range that no other has, also before the informer has shown what was given', async () => {
  await using bed = new TestBed();
  bed.put(nodes, node('old', '10.244.0.0/24'));
  bed.put(nodes, node('a'));
  bed.put(nodes, node('b'));
  const controller = new NodeIpamController({ ...bed.context, podRanges: [{ clusterCidr: '10.244.0.0/22', maskSize: 24 }] });
  assert.deepEqual(await bed.listen(controller).deliver(), ['a', 'b']);
  assert.deepEqual((await bed.pass(controller, 'a')).writes, ['patch nodes a']);
  await bed.pass(controller, 'b');
  assert.deepEqual([cidrOf(bed, 'a'), cidrOf(bed, 'b')], ['10.244.1.0/24', '10.244.2.0/24']);
  assert.deepEqual((await bed.pass(controller, 'old')).writes, []);
});

test('a range whose write failed stays with its node: the answer may be lost, but not the write', async () => {
  await using bed = new TestBed();
  bed.put(nodes, node('a'));
  bed.put(nodes, node('b'));
  const controller = new NodeIpamController({ ...bed.context, podRanges: [{ clusterCidr: '10.244.0.0/22', maskSize: 24 }] });
  await bed.listen(controller).deliver();
  bed.client.refuse(/patch nodes a/, refusal(500, 'InternalError', 'no'), 1);
  assert.equal((await bed.pass(controller, 'a')).error, 'no');
  await bed.pass(controller, 'b');
  await bed.pass(controller, 'a');
  assert.deepEqual([cidrOf(bed, 'a'), cidrOf(bed, 'b')], ['10.244.0.0/24', '10.244.1.0/24']);
});

test('a node that finds none is told, and looked at again when another goes', async () => {
  await using bed = new TestBed();
  bed.put(nodes, node('old', '10.244.0.0/24'));
  bed.put(nodes, node('a'));
  const controller = new NodeIpamController({ ...bed.context, podRanges: [{ clusterCidr: '10.244.0.0/24', maskSize: 24 }] });
  const news = bed.listen(controller);
  await news.deliver();
  const { writes, events } = await bed.pass(controller, 'a');
  assert.deepEqual(writes, []);
  assert.deepEqual(events, ['Warning CIDRNotAvailable Node a status is now: CIDRNotAvailable (every /24 of 10.244.0.0/24 is taken)']);
  bed.client.forget(nodes, 'old');
  assert.deepEqual(await news.deliver(), ['a']);
  await bed.pass(controller, 'a');
  assert.equal(cidrOf(bed, 'a'), '10.244.0.0/24');
});

test('in a cluster of both families a node gets a range of each, in the order of the ranges', async () => {
  await using bed = new TestBed();
  bed.put(nodes, {
    ...node('old', 'fd00:10:244::/64'),
    spec: { podCIDR: 'fd00:10:244::/64', podCIDRs: ['fd00:10:244::/64', '10.244.0.0/24'] },
  });
  bed.put(nodes, node('a'));
  const podRanges = [
    { clusterCidr: 'fd00:10:244::/56', maskSize: 64 },
    { clusterCidr: '10.244.0.0/16', maskSize: 24 },
  ];
  const controller = new NodeIpamController({ ...bed.context, podRanges });
  await bed.listen(controller).deliver();
  await bed.pass(controller, 'a');
  const { podCIDR, podCIDRs } = bed.client.find(nodes, 'a')?.spec ?? {};
  assert.deepEqual([podCIDR, podCIDRs], ['fd00:10:244:1::/64', ['fd00:10:244:1::/64', '10.244.1.0/24']]);
});
