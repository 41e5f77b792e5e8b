import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { KubeObject } from '../../api/resource-types.ts';
import type { Node, Pod } from '../../api/schema/types.ts';
import { ApiError } from '../../client/api-error.ts';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { cordonedBy, drainNode, isCordonedByUpgrade, podsToEvict, uncordonNode } from './drain.ts';

type DrainClient = Parameters<typeof drainNode>[0];
type PodChange = Omit<Partial<Pod>, 'metadata'> & { readonly metadata?: Partial<Pod['metadata']> };

function pod(name: string, { metadata, ...rest }: PodChange = {}): Pod {
  const ownerReferences = [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'r', uid: 'r', controller: true }];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', uid: `uid-${name}`, ownerReferences, ...metadata },
    ...rest,
  } as Pod;
}

const bare = pod('bare', { metadata: { ownerReferences: [] } });
const data = pod('data', { spec: { volumes: [{ name: 'v', emptyDir: {} }] } as never });
const daemon = pod('daemon', {
  metadata: { ownerReferences: [{ apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'd', uid: 'd', controller: true }] },
});
const mirror = pod('mirror', { metadata: { annotations: { 'kubernetes.io/config.mirror': 'x' } } });
const over = pod('over', { metadata: { ownerReferences: [] }, status: { phase: 'Succeeded' } as never });
const careful = { force: false, deleteEmptyDirData: false };

describe('podsToEvict()', () => {
  test('leaves those of DaemonSets and of files, and takes what is over', () => {
    const { evicted, obstacles } = podsToEvict([pod('web'), daemon, mirror, over], careful);
    assert.deepEqual(
      evicted.map(({ metadata }) => metadata.name),
      ['web', 'over'],
    );
    assert.deepEqual(obstacles, []);
  });

  test('names what would be lost, until it was told so', () => {
    const all = [bare, data, pod('web')];
    assert.deepEqual(podsToEvict(all, careful).obstacles, [
      'cannot delete Pods that declare no controller (use --force to override): default/bare',
      'cannot delete Pods with local storage (use --delete-emptydir-data to override): default/data',
    ]);
    assert.equal(podsToEvict(all, { ...careful, force: true }).obstacles.length, 1);
    assert.equal(podsToEvict(all, { ...careful, deleteEmptyDirData: true }).obstacles.length, 1);
    assert.deepEqual(podsToEvict(all, { force: true, deleteEmptyDirData: true }).obstacles, []);
  });
});

/** A node with pods: one that is evicted goes with the next list, one whose budget is used up after so many tries. */
class FakeCluster {
  readonly node: Node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' }, spec: {} };
  readonly asked: string[] = [];
  #pods: Pod[];
  readonly #refusals: Map<string, number>;

  constructor(pods: readonly Pod[], refusals: Readonly<Record<string, number>> = {}) {
    this.#pods = [...pods];
    this.#refusals = new Map(Object.entries(refusals));
  }

  get client(): DrainClient {
    return {
      get: async () => this.node as never,
      list: async (_type, options) => {
        assert.equal(options?.fieldSelector, 'spec.nodeName=n1');
        return { items: this.#pods as never[], resourceVersion: '' };
      },
      patch: async (_type, name, patch) => {
        this.asked.push(`patch ${name} ${JSON.stringify(patch)}`);
        const { metadata, spec } = patch as { metadata: KubeObject['metadata']; spec: Node['spec'] };
        Object.assign(this.node, { metadata: { ...this.node.metadata, ...metadata }, spec });
        return this.node as never;
      },
      createSubresource: async (_type, name, subresource, body) => {
        this.asked.push(`${subresource} ${name}`);
        assert.deepEqual((body as { deleteOptions: object }).deleteOptions, {
          apiVersion: 'v1',
          kind: 'DeleteOptions',
          preconditions: { uid: `uid-${name}` },
        });
        const left = this.#refusals.get(name) ?? 0;
        this.#refusals.set(name, left - 1);
        if (left > 0) throw new ApiError({ apiVersion: 'v1', kind: 'Status', metadata: {}, code: 429, message: 'budget' } as never);
        this.#pods = this.#pods.filter(({ metadata }) => metadata.name !== name);
        return undefined as never;
      },
    };
  }
}

const waiting = (clock: FakeClock, timeoutMs = 60_000) => ({
  clock,
  timeoutMs,
  signal: new AbortController().signal,
  steps: { note: () => {} },
});

async function withTime<T>(clock: FakeClock, work: Promise<T>): Promise<T> {
  let isDone = false;
  const pass = async (): Promise<void> => {
    while (!isDone) {
      await clock.advance(500);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const watched = work.finally(() => {
    isDone = true;
  });
  const [result] = await Promise.all([watched, pass()]);
  return result;
}

describe('drainNode()', () => {
  test('cordons, evicts, tries again what a budget holds back, and ends when all are gone', async () => {
    const cluster = new FakeCluster([pod('web'), pod('held'), daemon], { held: 2 });
    const clock = new FakeClock();
    assert.equal(await withTime(clock, drainNode(cluster.client, 'n1', careful, waiting(clock))), true);
    assert.match(cluster.asked[0] ?? '', /^patch n1 .*"unschedulable":true/);
    assert.deepEqual(cluster.asked.slice(1).toSorted(), ['eviction held', 'eviction held', 'eviction held', 'eviction web']);
    assert.equal(isCordonedByUpgrade(cluster.node), true);
  });

  test('says what stays when it waits no longer', async () => {
    const cluster = new FakeCluster([pod('held')], { held: 1000 });
    const clock = new FakeClock();
    await assert.rejects(withTime(clock, drainNode(cluster.client, 'n1', careful, waiting(clock, 3000))), {
      code: 'TIMED_OUT',
      message: /"default\/held" stays: budget/,
    });
  });

  test('does nothing to a node with pods that would be lost', async () => {
    const cluster = new FakeCluster([bare]);
    await assert.rejects(drainNode(cluster.client, 'n1', careful, waiting(new FakeClock())), { code: 'CHECK_FAILED' });
    assert.deepEqual(cluster.asked, []);
  });

  test('a node that somebody has cordoned stays so, one that it has cordoned takes pods again', async () => {
    const clock = new FakeClock();
    const theirs = new FakeCluster([]);
    theirs.node.spec!.unschedulable = true;
    assert.equal(await drainNode(theirs.client, 'n1', careful, waiting(clock)), false);
    await uncordonNode(theirs.client, 'n1');
    assert.deepEqual(theirs.asked, []);
    const ours = new FakeCluster([]);
    assert.equal(await drainNode(ours.client, 'n1', careful, waiting(clock)), true);
    await uncordonNode(ours.client, 'n1');
    assert.equal(ours.asked.at(-1), `patch n1 {"metadata":{"annotations":{"${cordonedBy}":null}},"spec":{"unschedulable":null}}`);
  });
});
