import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { events, leases, nodes, pods } from '../../src/api/resource-types.ts';
import type { Node, Pod } from '../../src/api/schema/types.ts';
import { isNotFound } from '../../src/client/api-error.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { FakeClock } from '../../src/clock/testing/fake-clock.ts';
import { ControlPlane } from './testing/control-plane.ts';
import { pauseContainer } from './testing/manifests.ts';

const lifecycle = ['node-lifecycle-controller', 'serviceaccount-controller'];
const inDefault = { namespace: 'default' };
const inLeases = { namespace: 'kube-node-lease' };

/** Nodes that renew their Leases as the fake clock goes on, but for those that are silent. */
class Heartbeats {
  readonly silent = new Set<string>();
  readonly clock = new FakeClock(Date.now());
  readonly #cp: () => ControlPlane;
  #beats = 0;

  constructor(cp: () => ControlPlane) {
    this.#cp = cp;
  }

  async beat(): Promise<void> {
    const { client } = this.#cp();
    this.#beats++;
    for (const { metadata } of (await client.list(nodes)).items) {
      if (this.silent.has(metadata.name)) continue;
      const spec = { holderIdentity: metadata.name, leaseDurationSeconds: 40 + this.#beats };
      await client.patch(leases, metadata.name, { spec }, inLeases).catch(async (err: unknown) => {
        if (!isNotFound(err)) throw err;
        const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: metadata.name, ...inLeases }, spec };
        await client.create(leases, lease);
      });
    }
  }

  /** In steps of 5 s, with a round trip in between for the informers. */
  async advance(seconds: number): Promise<void> {
    for (let i = 0; i < seconds; i += 5) {
      await this.beat();
      await new Promise((resolve) => setTimeout(resolve, 20));
      await this.clock.advance(5_000);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function withNodes(body: (cp: ControlPlane, hearts: Heartbeats) => Promise<void>): Promise<void> {
  let cp: ControlPlane | undefined;
  const hearts = new Heartbeats(() => cp as ControlPlane);
  cp = await ControlPlane.start({ controllers: lifecycle, clock: hearts.clock, scheduler: false });
  try {
    await eventually(async () => {
      await hearts.clock.advance(100);
      await cp?.client.create(pods, barePod('probe', 'n3'));
    });
    await body(cp, hearts);
  } finally {
    await cp.stop();
  }
}

function barePod(name: string, nodeName: string, tolerations: NonNullable<Pod['spec']>['tolerations'] = []): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: { nodeName, tolerations, containers: [pauseContainer] },
  };
}

const readyOf = (node: Node): string | undefined => node.status?.conditions?.find((c) => c.type === 'Ready')?.status;
const taintsOf = (node: Node): string[] => (node.spec?.taints ?? []).map((t) => `${t.key}:${t.effect}`).toSorted();
const unreachable = ['node.kubernetes.io/unreachable:NoExecute', 'node.kubernetes.io/unreachable:NoSchedule'];

describe('nodes', () => {
  test('one that falls silent is unknown after 40 s, loses its pods after their toleration, and comes back', () =>
    withNodes(async (cp, hearts) => {
      const tolerate = { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 60 };
      await cp.client.create(pods, barePod('leaves', 'n1', [tolerate]));
      await cp.client.create(pods, barePod('stays', 'n1', [{ operator: 'Exists' }]));
      await eventually(async () => assert.equal((await cp.client.get(pods, 'leaves', inDefault)).status?.phase, 'Running'));
      await hearts.advance(10);
      hearts.silent.add('n1');
      cp.kubelet.silent.add('n1');
      await hearts.advance(35);
      assert.equal(readyOf(await cp.client.get(nodes, 'n1')), 'True');
      await hearts.advance(15);
      await eventually(async () => {
        const node = await cp.client.get(nodes, 'n1');
        assert.equal(readyOf(node), 'Unknown');
        assert.deepEqual(taintsOf(node), unreachable);
        // The endpoints must go before the pod does.
        const pod = await cp.client.get(pods, 'stays', inDefault);
        assert.equal(pod.status?.conditions?.find((c) => c.type === 'Ready')?.status, 'False');
      });
      assert.equal((await cp.client.get(pods, 'leaves', inDefault)).metadata.deletionTimestamp, undefined);
      // Somebody sets the clock of the machine: no time has gone by for the pod.
      hearts.clock.leap(3_600_000);
      await hearts.advance(15);
      assert.equal((await cp.client.get(pods, 'leaves', inDefault)).metadata.deletionTimestamp, undefined);
      await hearts.advance(55);
      await eventually(async () => assert.ok((await cp.client.get(pods, 'leaves', inDefault)).metadata.deletionTimestamp));
      assert.equal((await cp.client.get(pods, 'stays', inDefault)).metadata.deletionTimestamp, undefined);
      for (const name of ['n2', 'n3']) assert.equal(readyOf(await cp.client.get(nodes, name)), 'True');
      hearts.silent.clear();
      await hearts.advance(5);
      const ready = { type: 'Ready', status: 'True', reason: 'KubeletReady', lastTransitionTime: new Date().toISOString() };
      await cp.client.patch(nodes, 'n1', { status: { conditions: [ready] } }, { subresource: 'status', kind: 'strategic' });
      await eventually(async () => {
        await hearts.clock.advance(100);
        assert.deepEqual(taintsOf(await cp.client.get(nodes, 'n1')), []);
      });
      const reasons = (await cp.client.list(events)).items.map((e) => e.reason);
      assert.ok(reasons.includes('NodeNotReady') && reasons.includes('TaintManagerEviction'), reasons.join());
    }));

  test('when all fall silent nothing is evicted, for it is the control plane that is cut off', () =>
    withNodes(async (cp, hearts) => {
      await cp.client.create(pods, barePod('here', 'n1'));
      await hearts.advance(10);
      for (const name of ['n1', 'n2', 'n3']) hearts.silent.add(name);
      await hearts.advance(60);
      await eventually(async () => {
        for (const node of (await cp.client.list(nodes)).items) {
          assert.equal(readyOf(node), 'Unknown');
          assert.deepEqual(taintsOf(node), ['node.kubernetes.io/unreachable:NoSchedule']);
        }
      });
      assert.equal((await cp.client.get(pods, 'here', inDefault)).metadata.deletionTimestamp, undefined);
    }));

  test('the seconds of a toleration count for a taint set by hand too', () =>
    withNodes(async (cp, hearts) => {
      // The server dates pods by the real clock.
      await hearts.clock.advance(Math.max(Date.now() + 1_000 - hearts.clock.now(), 0));
      await cp.client.create(
        pods,
        barePod('minute', 'n2', [{ key: 'drain', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 60 }]),
      );
      await cp.client.create(pods, barePod('none', 'n2'));
      await cp.client.patch(nodes, 'n2', { spec: { taints: [{ key: 'drain', effect: 'NoExecute' }] } });
      await eventually(() => assert.rejects(cp.client.get(pods, 'none', inDefault), isNotFound));
      await hearts.advance(30);
      assert.equal((await cp.client.get(pods, 'minute', inDefault)).metadata.deletionTimestamp, undefined);
      await hearts.advance(60);
      await eventually(() => assert.rejects(cp.client.get(pods, 'minute', inDefault), isNotFound));
    }));

  test('a cordoned node carries the taint, and loses it', () =>
    withNodes(async (cp) => {
      await cp.client.patch(nodes, 'n1', { spec: { unschedulable: true } });
      await eventually(async () =>
        assert.deepEqual(taintsOf(await cp.client.get(nodes, 'n1')), ['node.kubernetes.io/unschedulable:NoSchedule']),
      );
      await cp.client.patch(nodes, 'n1', { spec: { unschedulable: null } });
      await eventually(async () => assert.deepEqual(taintsOf(await cp.client.get(nodes, 'n1')), []));
    }));

  test('two hundred nodes at once get two hundred ranges, none twice, also across a restart', async () => {
    await using cp = await ControlPlane.start({ controllers: ['node-ipam-controller'], scheduler: false, kubelet: false, nodes: 0 });
    const names = Array.from({ length: 200 }, (_, i) => `m${i}`);
    const made = Promise.all(names.map((name) => cp.client.create(nodes, { apiVersion: 'v1', kind: 'Node', metadata: { name } })));
    await eventually(async () => assert.ok((await cp.client.list(nodes)).items.some((n) => n.spec?.podCIDR)));
    await cp.stopManagers();
    cp.startManagers();
    await made;
    const rangesOf = async (): Promise<(string | undefined)[]> => (await cp.client.list(nodes)).items.map((n) => n.spec?.podCIDR);
    await eventually(async () => assert.ok((await rangesOf()).every((r) => r?.endsWith('/24'))));
    assert.equal(new Set(await rangesOf()).size, 200);
    await cp.client.delete(nodes, 'm7');
    for (const name of names.slice(0, 70))
      await cp.client.create(nodes, { apiVersion: 'v1', kind: 'Node', metadata: { name: `more-${name}` } });
    // A /16 has 256 of them: 199 + 57.
    await eventually(async () => assert.equal((await rangesOf()).filter(Boolean).length, 256));
    assert.equal(new Set((await rangesOf()).filter(Boolean)).size, 256);
    await eventually(async () => {
      const told = (await cp.client.list(events)).items.filter((e) => e.reason === 'CIDRNotAvailable');
      assert.equal(told.length, 13);
    });
    await cp.client.delete(nodes, 'm8');
    await eventually(async () => assert.equal((await rangesOf()).filter(Boolean).length, 256));
  });
});
