import assert from 'node:assert/strict';
import test from 'node:test';
import { nodes, pods } from '../../api/resource-types.ts';
import type { Pod } from '../../api/schema/types.ts';
import { Informer } from '../../client/informer.ts';
import { FakeClient, refusal } from '../../client/testing/fake-client.ts';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { silentLog } from '../../observability/log.ts';
import { samplePod, testNow } from '../testing/pod-samples.ts';
import { staticPod } from './manifest.ts';
import { MirrorPods } from './mirror-pods.ts';
import { PodSources } from './pod-sources.ts';
import type { StaticPodHandlers, StaticPods } from './static-pods.ts';

/** Sources over a fake API and a list of static pods; `said` has what the handlers were told. */
class Sources implements Disposable {
  readonly clock = new FakeClock();
  readonly api = new FakeClient(this.clock);
  readonly informer: Informer<Pod> = new Informer(this.api, pods, { clock: this.clock });
  readonly said: string[] = [];
  readonly warnings: string[] = [];
  readonly statics: Pod[] = [];
  readonly sources: PodSources;
  readonly #stop = new AbortController();
  #handlers: StaticPodHandlers | undefined;

  constructor() {
    this.api.put(nodes, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } });
    const statics = {
      on: (handlers: StaticPodHandlers) => {
        this.#handlers = handlers;
      },
      list: () => this.statics,
      find: (namespace: string, name: string) => this.statics.find((p) => p.metadata.namespace === namespace && p.metadata.name === name),
    } as unknown as StaticPods;
    const log = { ...silentLog, warn: (text: string) => void this.warnings.push(text) };
    this.sources = new PodSources({ api: this.informer, statics, mirrors: new MirrorPods(this.api, 'n1'), clock: this.clock, log });
    this.sources.on({
      set: (pod) => this.said.push(`set ${pod.metadata.name}`),
      remove: (pod) => this.said.push(`remove ${pod.metadata.name}`),
      observe: (uid) => this.said.push(`observe ${uid}`),
      mirrored: (uid) => this.said.push(`mirrored ${uid}`),
    });
  }

  async start(): Promise<void> {
    void this.informer.start(this.#stop.signal);
    await this.clock.advance(1);
  }

  /** What has been said since the last time, when all has come to rest. */
  async took(): Promise<string[]> {
    await this.clock.advance(1);
    return this.said.splice(0);
  }

  async addStatic(image = 'x'): Promise<Pod> {
    const pod = staticPod(
      `{apiVersion: v1, kind: Pod, metadata: {name: s}, spec: {containers: [{name: a, image: ${image}}]}}`,
      'n1',
      testNow,
    );
    this.statics.splice(0, 1, pod);
    this.#handlers?.set(pod);
    return pod;
  }

  removeStatic(pod: Pod): void {
    this.statics.length = 0;
    this.#handlers?.remove(pod);
  }

  get mirror(): Pod | undefined {
    return this.api.find(pods, 'default/s-n1');
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
  }
}

test('pods of the API are set, observed and removed', async () => {
  using s = new Sources();
  await s.start();
  const pod = s.api.put(pods, samplePod());
  assert.deepEqual(await s.took(), ['set web']);
  s.api.put(pods, { ...pod, status: { phase: 'Running' } });
  assert.deepEqual(await s.took(), ['set web', 'observe u1']);
  s.api.forget(pods, 'default/web');
  assert.deepEqual(await s.took(), ['remove web']);
  assert.deepEqual(s.sources.target(pod)?.target, { namespace: 'default', name: 'web', uid: 'u1' });
});

test('a static pod runs before the API is known, and gets its mirror when it is', async () => {
  using s = new Sources();
  const pod = await s.addStatic();
  assert.deepEqual(await s.took(), ['set s-n1']);
  assert.equal(s.sources.target(pod), undefined);
  await s.start();
  assert.deepEqual(await s.took(), [`mirrored ${pod.metadata.uid}`]);
  const { annotations, ownerReferences } = s.mirror?.metadata ?? {};
  assert.equal(annotations?.['kubernetes.io/config.mirror'], pod.metadata.uid);
  assert.deepEqual(
    ownerReferences?.map((o) => [o.kind, o.name, o.controller]),
    [['Node', 'n1', true]],
  );
  assert.deepEqual(s.sources.target(pod)?.target, { namespace: 'default', name: 's-n1', uid: s.mirror?.metadata.uid });
});

test('a mirror that was deleted is made again, and goes with its static pod', async () => {
  using s = new Sources();
  await s.start();
  const pod = await s.addStatic();
  await s.took();
  s.api.forget(pods, 'default/s-n1');
  assert.deepEqual(await s.took(), [`mirrored ${pod.metadata.uid}`]);
  s.removeStatic(pod);
  assert.deepEqual(await s.took(), ['remove s-n1']);
  assert.equal(s.mirror, undefined);
});

test('a manifest that changes makes another mirror', async () => {
  using s = new Sources();
  await s.start();
  await s.addStatic();
  await s.took();
  const other = await s.addStatic('y');
  assert.equal((await s.took()).at(-1), `mirrored ${other.metadata.uid}`);
  assert.equal(s.mirror?.spec?.containers[0]?.image, 'y');
});

test('a mirror whose manifest has gone meanwhile is removed, once all pods are known', async () => {
  using s = new Sources();
  s.api.put(pods, samplePod({}, { name: 's-n1', annotations: { 'kubernetes.io/config.mirror': 'old' } }));
  await s.start();
  assert.deepEqual(await s.took(), []);
  assert.equal(s.mirror, undefined);
});

test("somebody's own pod in the place of a mirror stays, and the mirror is made when it goes", async () => {
  using s = new Sources();
  await s.start();
  s.api.put(pods, samplePod({}, { name: 's-n1', uid: 'own' }));
  const pod = await s.addStatic();
  await s.took();
  assert.equal(s.mirror?.metadata.uid, 'own');
  assert.equal(s.sources.target(pod), undefined);
  s.api.forget(pods, 'default/s-n1');
  assert.deepEqual(await s.took(), ['remove s-n1', `mirrored ${pod.metadata.uid}`]);
});

test('a mirror that could not be made is tried again after five seconds, for as long as its static pod is there', async () => {
  using s = new Sources();
  await s.start();
  s.api.refuse(/^create pods/, refusal(500, 'InternalError', 'no'), 2);
  const pod = await s.addStatic();
  assert.deepEqual(await s.took(), ['set s-n1']);
  assert.deepEqual(s.warnings, ['Cannot show static pod "default/s-n1" in the API: no']);
  await s.clock.advance(4990);
  assert.equal(s.warnings.length, 1);
  await s.clock.advance(5020);
  assert.deepEqual(await s.took(), [`mirrored ${pod.metadata.uid}`]);
  s.api.refuse(/^create pods/, refusal(500, 'InternalError', 'no'), 1);
  s.api.forget(pods, 'default/s-n1');
  await s.took();
  s.removeStatic(pod);
  await s.clock.advance(6000);
  assert.equal(s.mirror, undefined);
});

test('what a pod of the API says of its source does not make it a static one', async () => {
  using s = new Sources();
  await s.start();
  const pod = s.api.put(pods, samplePod({}, { annotations: { 'kubernetes.io/config.source': 'file' } }));
  let seen: Pod | undefined;
  s.sources.on({ set: (p) => (seen = p), remove() {}, observe() {}, mirrored() {} });
  s.api.put(pods, { ...pod, status: { phase: 'Running' } });
  await s.took();
  assert.equal(seen?.metadata.annotations?.['kubernetes.io/config.source'], 'api');
});
