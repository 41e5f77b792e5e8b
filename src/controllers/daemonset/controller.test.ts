import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { daemonSets, nodes, pods } from '../../api/resource-types.ts';
import type { DaemonSet, Node, Pod } from '../../api/schema/types.ts';
import type { Pass } from '../../client/testing/controller-bed.ts';
import { refusal } from '../../client/testing/fake-client.ts';
import { templateHash } from '../ownership/template-hash.ts';
import { podOf, template, webSelector } from '../testing/samples.ts';
import { TestBed } from '../testing/test-bed.ts';
import { DaemonSetController } from './controller.ts';
import { hashLabel } from './desired.ts';

const key = 'default/ds';
const hash = templateHash(template);
const makeRevision = `create controllerrevisions default/ds-${hash}`;
const status = 'update daemonsets/status default/ds';

function setOf(metadata: Partial<DaemonSet['metadata']> = {}, spec: Partial<NonNullable<DaemonSet['spec']>> = {}): DaemonSet {
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'ds', namespace: 'default', uid: 'uid-ds', generation: 1, ...metadata },
    spec: { selector: webSelector, template, ...spec },
  };
}

function node(name: string, labels: Record<string, string> = {}): Node {
  return { apiVersion: 'v1', kind: 'Node', metadata: { name, labels } };
}

/** A daemon of the present template. */
function daemon(name: string, on: string, traits: Parameters<typeof podOf>[2] = {}): Pod {
  return podOf(setOf(), name, { node: on, labels: { app: 'web', [hashLabel]: hash }, readyAt: -60, ...traits });
}

async function start(
  set: DaemonSet,
  on: readonly string[],
  there: readonly Pod[] = [],
): Promise<{ bed: TestBed; controller: DaemonSetController }> {
  const bed = new TestBed();
  bed.put(daemonSets, set);
  for (const name of on) bed.put(nodes, node(name));
  for (const pod of there) bed.put(pods, pod);
  const controller = new DaemonSetController(bed.context);
  await bed.deliver();
  return { bed, controller };
}

interface Case extends Partial<Pass> {
  readonly does: string;
  readonly set?: DaemonSet;
  readonly nodes: readonly string[];
  readonly pods?: readonly Pod[];
  /** What the copies do not show. */
  readonly meanwhile?: (bed: TestBed) => void;
}

const created = (n: number): string => `Normal SuccessfulCreate Created pod: ds-${n}`;

const cases: readonly Case[] = [
  {
    does: 'makes a pod for every node',
    nodes: ['n1', 'n2'],
    writes: [makeRevision, 'create pods default/ds-1', 'create pods default/ds-2', status],
    events: [created(1), created(2)],
  },
  {
    does: 'removes the pod of a node that is gone',
    nodes: ['n1'],
    pods: [daemon('a', 'n1'), daemon('b', 'n2')],
    writes: [makeRevision, 'delete pods default/b', status],
    events: ['Normal SuccessfulDelete Deleted pod: b'],
  },
  {
    does: 'stops at the first refusal of a slow start, and writes the status all the same',
    nodes: ['n1', 'n2', 'n3', 'n4', 'n5', 'n6'],
    meanwhile: (bed) => bed.client.refuse(/create pods default\/ds-[2-9]/, refusal(403, 'Forbidden', 'exceeded quota')),
    writes: [makeRevision, 'create pods default/ds-1', 'create pods default/ds-2', 'create pods default/ds-3', status],
    events: [created(1), 'Warning FailedCreate Error creating: exceeded quota', 'Warning FailedCreate Error creating: exceeded quota'],
    error: 'exceeded quota',
  },
  {
    does: 'is content when the pod to delete is gone already, and tells nobody of it',
    nodes: [],
    pods: [daemon('a', 'n1')],
    meanwhile: (bed) => bed.client.forget(pods, 'default/a'),
    writes: [makeRevision, 'delete pods default/a', status],
  },
  {
    does: 'comes back when another pod has the name of the one to delete',
    nodes: [],
    pods: [daemon('a', 'n1')],
    meanwhile: (bed) => void bed.put(pods, daemon('a', 'n1', { more: { uid: 'another' } })),
    writes: [makeRevision, 'delete pods default/a', status],
    error: 'the object "a" has been modified',
  },
  {
    does: 'makes nothing for one that is being deleted',
    set: setOf({ deletionTimestamp: '2026-01-01T00:00:00Z' }),
    nodes: ['n1'],
    writes: [makeRevision, status],
  },
  {
    does: 'looks again each second while a ready pod is not available yet',
    set: setOf({}, { minReadySeconds: 100 }),
    nodes: ['n1'],
    pods: [daemon('a', 'n1')],
    writes: [makeRevision, status],
    requeueAfter: 1_000,
  },
];

describe('a DaemonSet', () => {
  for (const { does, set = setOf(), nodes: on, pods: there = [], meanwhile, ...expected } of cases) {
    test(does, async () => {
      const { bed, controller } = await start(set, on, there);
      await using _ = bed;
      meanwhile?.(bed);
      assert.deepEqual(await bed.pass(controller, key), { writes: [], events: [], ...expected });
    });
  }

  test('makes no more than a burst in one pass, and the rest soon after', async () => {
    const names = Array.from({ length: 253 }, (_, i) => `n${i}`);
    const { bed, controller } = await start(setOf(), names);
    await using _ = bed;
    const { writes, requeueAfter } = await bed.pass(controller, key);
    assert.deepEqual([writes.filter((line) => line.startsWith('create pods')).length, requeueAfter], [250, 100]);
    await bed.deliver();
    const rest = await bed.pass(controller, key);
    assert.deepEqual([rest.writes.filter((line) => line.startsWith('create pods')).length, rest.requeueAfter], [3, undefined]);
  });

  test('removes a pod that failed, and the next one that fails there only after a delay', async () => {
    const { bed, controller } = await start(setOf(), ['n1'], [daemon('a', 'n1', { phase: 'Failed' })]);
    await using _ = bed;
    const first = await bed.pass(controller, key);
    assert.ok(first.writes.includes('delete pods default/a'));
    assert.equal(first.events[0], 'Warning FailedDaemonPod Found failed daemon pod default/a on node n1, will try to kill it');
    bed.client.forget(pods, 'default/a');
    bed.put(pods, daemon('b', 'n1', { phase: 'Succeeded' }));
    await bed.deliver();
    const second = await bed.pass(controller, key);
    assert.deepEqual([second.writes.includes('delete pods default/b'), second.requeueAfter, second.events], [false, 1_000, []]);
    await bed.clock.advance(1_000);
    const third = await bed.pass(controller, key);
    assert.ok(third.writes.includes('delete pods default/b'));
    assert.equal(third.events[0], 'Normal SucceededDaemonPod Found succeeded daemon pod b on node n1, will try to delete it');
  });

  test('makes no second pod while the copies are old', async () => {
    const { bed, controller } = await start(setOf(), ['n1']);
    await using _ = bed;
    assert.equal((await bed.pass(controller, key)).writes.length, 3);
    assert.deepEqual((await bed.pass(controller, key)).writes, [status]);
    await bed.deliver();
    assert.deepEqual((await bed.pass(controller, key)).writes, []);
  });

  test('is looked at when a node comes, changes its labels or goes, not when it only beats', async () => {
    const { bed, controller } = await start(setOf(), ['n1']);
    await using _ = bed;
    const news = bed.listen(controller);
    await news.deliver();
    bed.put(nodes, { ...node('n1'), status: { conditions: [{ type: 'Ready', status: 'True' }] } });
    assert.deepEqual(await news.deliver(), []);
    bed.put(nodes, node('n1', { disk: 'ssd' }));
    assert.deepEqual(await news.deliver(), [key]);
    bed.client.forget(nodes, 'n1');
    assert.deepEqual(await news.deliver(), [key]);
  });

  test('that is gone asks for nothing', async () => {
    await using bed = new TestBed();
    assert.deepEqual(await bed.pass(new DaemonSetController(bed.context), key), { writes: [], events: [] });
  });
});
