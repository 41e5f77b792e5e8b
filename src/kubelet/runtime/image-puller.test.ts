import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Secret } from '../../api/schema/types.ts';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import type { AuthConfig } from '../cri/messages.ts';
import { samplePod } from '../testing/pod-samples.ts';
import { ImagePuller, type ImagePullerOptions } from './image-puller.ts';
import { StartError } from './start-error.ts';

/** A runtime and its registry. */
class Bed {
  readonly clock = new FakeClock();
  /** At the runtime. */
  readonly images = new Set<string>();
  readonly pulls: string[] = [];
  readonly events: string[] = [];
  /** Why the registry refuses. */
  problem: string | undefined;
  /** A pull waits for this. */
  held: Promise<void> | undefined;
  /** What is pulled is gone at once. */
  vanishes = false;
  readonly puller: ImagePuller;

  constructor() {
    const cri = {
      imageStatus: async (image: string) => (this.images.has(image) ? { id: `id of ${image}`, size: 7 } : undefined),
      pullImage: async (image: string, auth: Partial<AuthConfig> | undefined) => {
        this.pulls.push(`${image}${auth ? ` as ${auth.username}` : ''}`);
        await this.clock.sleep(1500);
        await this.held;
        if (this.problem !== undefined) throw new Error(this.problem);
        if (!this.vanishes) this.images.add(image);
      },
    };
    const auths = { 'registry.test': { username: 'robot', password: 'p' } };
    const data = { '.dockerconfigjson': Buffer.from(JSON.stringify({ auths })).toString('base64') };
    const secret: Secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'pull' }, data };
    const source = { secret: async (_namespace: string, name: string) => (name === 'pull' ? secret : undefined) };
    const container = (_pod: object, { name }: { name: string }, type: string, reason: string, message: string): void =>
      void this.events.push(`${name}: ${type} ${reason}: ${message}`);
    this.puller = new ImagePuller({ cri, clock: this.clock, source, events: { container } } as unknown as ImagePullerOptions);
  }

  /** What came of it: the image, or the reason for which the container waits. */
  async ensure(
    image: string,
    imagePullPolicy?: string,
    { uid = 'u1', secrets = [] as string[], signal = AbortSignal.any([]) } = {},
  ): Promise<string> {
    const pod = samplePod({ imagePullSecrets: secrets.map((name) => ({ name })) }, { uid });
    const container = { name: 'main', image, ...(imagePullPolicy === undefined ? {} : { imagePullPolicy }) };
    const ensured = this.puller.ensure(pod, container, {}, signal).then(
      ({ id }) => id,
      (err) => (err instanceof StartError ? `${err.reason} ${err.retryMs ?? '-'}: ${err.message}` : String(err)),
    );
    await this.clock.advance(1500);
    return await ensured;
  }
}

describe('ImagePuller', () => {
  for (const [image, policy, isPulled] of [
    ['box:1', undefined, false],
    ['box:latest', undefined, true],
    ['box', undefined, true],
    ['registry.test:5000/box', undefined, true],
    ['registry.test:5000/box:1', undefined, false],
    [`box@sha256:${'0'.repeat(64)}`, undefined, false],
    ['box:1', 'Always', true],
    ['box', 'IfNotPresent', false],
    ['box', 'Never', false],
  ] as const)
    test(`${isPulled ? 'pulls' : 'takes'} ${image} that is there, with policy ${policy ?? 'by default'}`, async () => {
      const bed = new Bed();
      bed.images.add(image);
      assert.equal(await bed.ensure(image, policy), `id of ${image}`);
      assert.equal(bed.pulls.length, isPulled ? 1 : 0);
      if (!isPulled) assert.deepEqual(bed.events, [`main: Normal Pulled: Container image "${image}" already present on machine`]);
    });

  test('pulls an image that is not there, and says so', async () => {
    const bed = new Bed();
    assert.equal(await bed.ensure('box:1'), 'id of box:1');
    assert.deepEqual(bed.events, [
      'main: Normal Pulling: Pulling image "box:1"',
      'main: Normal Pulled: Successfully pulled image "box:1" in 1.500s (1.500s including waiting). Image size: 7 bytes.',
    ]);
  });

  for (const image of ['Box:1', 'a//b', '', 'box:1:2', 'box@sha256:12'])
    test(`refuses the name "${image}"`, async () => {
      const bed = new Bed();
      assert.match(await bed.ensure(image), /^InvalidImageName -: Failed to apply default image tag .* invalid reference format$/);
      assert.deepEqual(bed.pulls, []);
    });

  test('never pulls with policy Never', async () => {
    const bed = new Bed();
    const why = 'Container image "box:1" is not present with pull policy of Never';
    assert.equal(await bed.ensure('box:1', 'Never'), `ErrImageNeverPull -: ${why}`);
    assert.deepEqual(bed.events, [`main: Warning ErrImageNeverPull: ${why}`]);
  });

  test('holds off an image that could not be had, longer each time, until it is there or its pod is gone', async () => {
    const bed = new Bed();
    bed.problem = 'denied';
    assert.equal(await bed.ensure('box:1'), 'ErrImagePull 10000: denied');
    assert.equal(await bed.ensure('box:1'), 'ImagePullBackOff 10000: Back-off pulling image "box:1": ErrImagePull: denied');
    assert.deepEqual(bed.events.slice(1), [
      'main: Warning Failed: Failed to pull image "box:1": denied',
      'main: Normal BackOff: Back-off pulling image "box:1"',
    ]);
    await bed.clock.advance(8499);
    assert.match(await bed.ensure('box:1'), /^ImagePullBackOff 1:/);
    assert.equal(await bed.ensure('box:1'), 'ErrImagePull 20000: denied');
    assert.equal(await bed.ensure('box:1', undefined, { uid: 'u2' }), 'ErrImagePull 10000: denied', 'of another pod');
    bed.puller.forget('u1');
    assert.equal(await bed.ensure('box:1'), 'ErrImagePull 10000: denied', 'nothing is remembered');
    assert.match(await bed.ensure('box:1', undefined, { uid: 'u2' }), /^ImagePullBackOff/, 'of another pod it is');
    await bed.clock.advance(10_000);
    bed.problem = undefined;
    assert.equal(await bed.ensure('box:1'), 'id of box:1');
    bed.problem = 'denied';
    assert.equal(await bed.ensure('box:1', 'Always'), 'ErrImagePull 10000: denied', 'it began anew');
  });

  for (const [policy, result] of [
    ['IfNotPresent', 'id of box:1'],
    ['Always', 'ErrImagePull 10000: denied'],
  ] as const)
    test(`an image that was loaded by hand while its pull failed, with policy ${policy}`, async () => {
      const bed = new Bed();
      const held = Promise.withResolvers<void>();
      bed.held = held.promise;
      bed.problem = 'denied';
      const ensured = bed.ensure('box:1', policy);
      bed.images.add('box:1');
      held.resolve();
      assert.equal(await ensured, result);
    });

  test('an image that is gone after its pull is tried again soon', async () => {
    const bed = new Bed();
    bed.vanishes = true;
    assert.equal(await bed.ensure('box:1'), 'ErrImagePull 1000: image "box:1" is gone after it was pulled');
  });

  test('gives the first credentials that a secret has for the registry', async () => {
    const bed = new Bed();
    await bed.ensure('registry.test/box:1', undefined, { secrets: ['missing', 'pull'] });
    await bed.ensure('other.test/box:1', undefined, { secrets: ['pull'] });
    assert.deepEqual(bed.pulls, ['registry.test/box:1 as robot', 'other.test/box:1']);
  });

  test('pods that start together share a pull, if they have the same secrets', async () => {
    const bed = new Bed();
    const ids = await Promise.all(
      ['u1', 'u2', 'u3'].map((uid) => bed.ensure('box:1', undefined, { uid, secrets: uid === 'u3' ? ['pull'] : [] })),
    );
    assert.deepEqual(ids, ['id of box:1', 'id of box:1', 'id of box:1']);
    assert.equal(bed.pulls.length, 2);
    await bed.ensure('box:1', 'Always');
    assert.equal(bed.pulls.length, 3, 'the one before is over');
  });

  test('a pod that is to end waits for no pull, and is told of no failure', async () => {
    const bed = new Bed();
    bed.held = new Promise(() => {});
    const stop = new AbortController();
    const ensured = bed.ensure('box:1', undefined, { signal: stop.signal });
    stop.abort(new Error('the pod is to end'));
    assert.equal(await ensured, 'Error: the pod is to end');
    assert.deepEqual(bed.events, ['main: Normal Pulling: Pulling image "box:1"']);
  });
});
