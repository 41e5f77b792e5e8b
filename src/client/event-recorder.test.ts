import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '../api/resource-types.ts';
import type { Event } from '../api/schema/types.ts';
import { FakeClock } from '../clock/testing/fake-clock.ts';
import { silentLog } from '../observability/log.ts';
import type { Client } from './client.ts';
import { EventRecorder } from './event-recorder.ts';
import { refusal } from './testing/fake-client.ts';

const pod: KubeObject = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', namespace: 'shop', uid: 'u1', resourceVersion: '5' } };
const node: KubeObject = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1', uid: 'u2' } };

class World {
  readonly clock = new FakeClock();
  readonly created: Event[] = [];
  /** `namespace/name` and what was changed. */
  readonly patched: (readonly [string, object])[] = [];
  readonly said: string[] = [];
  trouble: Error | undefined;
  /** Requests wait for it. */
  gate: Promise<void> = Promise.resolve();

  recorder(host?: string): EventRecorder {
    const client = {
      create: async (_type: unknown, event: Event) => {
        await this.gate;
        if (this.trouble) throw this.trouble;
        this.created.push(event);
      },
      patch: async (_type: unknown, name: string, change: object, { namespace }: { namespace: string }) => {
        if (this.trouble) throw this.trouble;
        this.patched.push([`${namespace}/${name}`, change]);
      },
    } as unknown as Client;
    const log = { ...silentLog, debug: (text: string) => void this.said.push(text) };
    return new EventRecorder({ client, component: 'kubelet', clock: this.clock, log, ...(host === undefined ? {} : { host }) });
  }
}

test('an event says what happened to whom, when, and who says so', async () => {
  const world = new World();
  const recorder = world.recorder('n1');
  recorder.event(pod, 'Warning', 'BackOff', `${'m'.repeat(1_023)}12`, 'spec.containers{web}');
  await recorder.flush();
  const [event] = world.created;
  assert.match(event?.metadata.name ?? '', /^web\.[0-9a-f]+$/);
  assert.deepEqual(
    { ...event, metadata: { ...event?.metadata, name: '' } },
    {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: '', namespace: 'shop' },
      involvedObject: {
        apiVersion: 'v1',
        kind: 'Pod',
        name: 'web',
        namespace: 'shop',
        uid: 'u1',
        resourceVersion: '5',
        fieldPath: 'spec.containers{web}',
      },
      type: 'Warning',
      reason: 'BackOff',
      message: `${'m'.repeat(1_023)}1`,
      source: { component: 'kubelet', host: 'n1' },
      reportingComponent: 'kubelet',
      reportingInstance: 'n1',
      firstTimestamp: '2026-01-01T00:00:00Z',
      lastTimestamp: '2026-01-01T00:00:00Z',
      count: 1,
    },
  );
});

test('what came first stands first where names are in order, also within a millisecond, and has the time when it came', async () => {
  const world = new World();
  const recorder = world.recorder();
  let open = (): void => {};
  world.gate = new Promise((resolve) => {
    open = resolve;
  });
  const reasons = ['Scheduled', 'Pulled', 'Created', 'Started'];
  for (const reason of reasons) recorder.event(pod, 'Normal', reason, 'it is');
  await world.clock.advance(1);
  recorder.event(pod, 'Normal', 'Killing', 'it is');
  await world.clock.advance(60_000);
  open();
  await recorder.flush();
  const inOrder = world.created.toSorted((a, b) => (a.metadata.name! < b.metadata.name! ? -1 : 1));
  assert.deepEqual(
    inOrder.map(({ reason, firstTimestamp }) => [reason, firstTimestamp]),
    [...reasons, 'Killing'].map((reason) => [reason, '2026-01-01T00:00:00Z']),
  );
  assert.equal(new Set(inOrder.map(({ metadata }) => metadata.name?.length)).size, 1);
});

test('an event of an object whose name cannot begin a name has one of its own', async () => {
  const world = new World();
  const recorder = world.recorder();
  for (const name of ['a'.repeat(250), 'system:node'])
    recorder.event({ ...node, metadata: { name, uid: name } }, 'Normal', 'Ready', 'it is');
  await recorder.flush();
  for (const { metadata } of world.created) assert.match(metadata.name ?? '', /^[0-9a-f-]{36}$/);
  assert.equal(world.created.length, 2);
});

test('what has no namespace is told of in default; who has no host has none to say', async () => {
  const world = new World();
  const recorder = world.recorder();
  recorder.event(node, 'Normal', 'Ready', 'it is');
  await recorder.flush();
  const [event] = world.created;
  assert.deepEqual([event?.metadata.namespace, event?.source, event?.reportingInstance], ['default', { component: 'kubelet' }, '']);
});

test('the same again within ten minutes of the last time raises the count of the one that is there', async () => {
  const world = new World();
  const recorder = world.recorder();
  const again = async (ms: number): Promise<void> => {
    await world.clock.advance(ms);
    recorder.event(pod, 'Normal', 'Pulled', 'image');
    await recorder.flush();
  };
  await again(0);
  await again(599_999);
  await again(599_999);
  const name = `shop/${world.created[0]?.metadata.name}`;
  assert.deepEqual(world.patched, [
    [name, { count: 2, lastTimestamp: '2026-01-01T00:09:59Z' }],
    [name, { count: 3, lastTimestamp: '2026-01-01T00:19:59Z' }],
  ]);
  await again(600_000);
  assert.deepEqual([world.created.length, world.patched.length], [2, 2]);
});

const others: readonly (readonly [string, Parameters<EventRecorder['event']>])[] = [
  ['another object', [node, 'Normal', 'Pulled', 'image']],
  ['another type', [pod, 'Warning', 'Pulled', 'image']],
  ['another reason', [pod, 'Normal', 'Pulling', 'image']],
  ['another message', [pod, 'Normal', 'Pulled', 'another']],
  ['another field', [pod, 'Normal', 'Pulled', 'image', 'spec']],
  ['the same letters in other words', [pod, 'Normal', 'Pulledi', 'mage']],
];
for (const [what, other] of others) {
  test(`${what} is another event`, async () => {
    const world = new World();
    const recorder = world.recorder();
    recorder.event(pod, 'Normal', 'Pulled', 'image');
    recorder.event(...other);
    await recorder.flush();
    assert.deepEqual([world.created.length, world.patched.length], [2, 0]);
  });
}

test('an event that is gone from the server is made anew; one that cannot be sent is lost, and the next one goes out', async () => {
  const world = new World();
  const recorder = world.recorder();
  recorder.event(pod, 'Normal', 'Pulled', 'image');
  await recorder.flush();
  world.trouble = refusal(403, 'Forbidden', 'no');
  recorder.event(pod, 'Normal', 'Pulled', 'image');
  await recorder.flush();
  assert.deepEqual(world.said, ['Cannot record event Pulled: no']);
  world.trouble = refusal(404, 'NotFound');
  recorder.event(pod, 'Normal', 'Pulled', 'image');
  await recorder.flush();
  assert.deepEqual([world.created.length, world.said.length], [1, 2], 'it tried to make one');
  world.trouble = undefined;
  recorder.event(pod, 'Normal', 'Started', 'it runs');
  await recorder.flush();
  assert.equal(world.created.at(-1)?.reason, 'Started');
});

test('no more than a thousand wait for a slow server', async () => {
  const world = new World();
  const { promise, resolve } = Promise.withResolvers<void>();
  world.gate = promise;
  const recorder = world.recorder();
  for (let i = 0; i < 1_001; i++) recorder.event(pod, 'Normal', 'Pulled', `image ${i}`);
  resolve();
  await recorder.flush();
  assert.equal(world.created.length, 1_000);
  recorder.event(pod, 'Normal', 'Pulled', 'and another');
  await recorder.flush();
  assert.equal(world.created.length, 1_001);
});

test('of 4097 events the one that came first is forgotten', async () => {
  const world = new World();
  const recorder = world.recorder();
  for (let i = 0; i < 4_097; i++) {
    recorder.event(pod, 'Normal', 'Pulled', `image ${i}`);
    if (i % 500 === 0) await recorder.flush();
  }
  await recorder.flush();
  recorder.event(pod, 'Normal', 'Pulled', 'image 1');
  await recorder.flush();
  assert.deepEqual([world.created.length, world.patched.length], [4_097, 1]);
  recorder.event(pod, 'Normal', 'Pulled', 'image 0');
  await recorder.flush();
  assert.deepEqual([world.created.length, world.patched.length], [4_098, 1]);
});
