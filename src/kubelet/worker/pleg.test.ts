import assert from 'node:assert/strict';
import test from 'node:test';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { silentLog } from '../../observability/log.ts';
import type { Cri } from '../cri/cri.ts';
import { CriError } from '../cri/cri.ts';
import { FakeCri } from '../testing/fake-cri.ts';
import { Pleg } from './pleg.ts';

/** A PLEG over a runtime with the sandbox of pod `web` in it; `said` has its changes, listings and log. */
function bed(): { clock: FakeClock; cri: FakeCri; pleg: Pleg; said: string[]; stop: AbortController } {
  const clock = new FakeClock();
  const cri = new FakeCri(clock);
  const said: string[] = [];
  const log = { ...silentLog, warn: (text: string) => void said.push(text), info: (text: string) => void said.push(text) };
  const pleg = new Pleg({ cri, clock, log });
  pleg.on({
    change: (uid) => said.push(`change ${uid}`),
    listed: (pods, ids) => said.push(`listed ${[...pods.values()].map((p) => `${p.namespace}/${p.name}`)}: ${[...ids]}`),
  });
  return { clock, cri, pleg, said, stop: new AbortController() };
}

async function addPod(cri: Cri, name: string): Promise<string> {
  const labels = { 'io.kubernetes.pod.uid': `u-${name}`, 'io.kubernetes.pod.name': name, 'io.kubernetes.pod.namespace': 'default' };
  const metadata = { name, namespace: 'default', uid: `u-${name}`, attempt: 0 };
  const sandbox = await cri.runPodSandbox({ metadata, labels }, '');
  return cri.createContainer(sandbox, { metadata: { name: 'main', attempt: 0 }, labels }, {});
}

test('a listing tells of pods that came, changed and went, and of what is there', async () => {
  const { cri, pleg, said } = bed();
  const container = await addPod(cri, 'web');
  await pleg.relist();
  assert.deepEqual(said.splice(0), ['change u-web', 'listed default/web: sandbox-1,container-2']);
  await pleg.relist();
  assert.deepEqual(said.splice(0), ['listed default/web: sandbox-1,container-2']);
  await cri.startContainer(container);
  await addPod(cri, 'other');
  await pleg.relist();
  assert.deepEqual(said.splice(0), [
    'change u-web',
    'change u-other',
    'listed default/web,default/other: sandbox-1,sandbox-3,container-2,container-4',
  ]);
  await cri.stopPodSandbox('sandbox-3');
  await pleg.relist();
  assert.equal(said.splice(0)[0], 'change u-other');
  await cri.removePodSandbox('sandbox-1');
  await pleg.relist();
  assert.deepEqual(said, ['change u-web', 'listed default/other: sandbox-3,container-4']);
  assert.deepEqual([...pleg.pods.keys()], ['u-other']);
});

test('what belongs to no pod is none of its business', async () => {
  const { cri, pleg, said } = bed();
  await cri.runPodSandbox({ metadata: { name: 'x', namespace: '', uid: '', attempt: 0 }, labels: {} }, '');
  await pleg.relist();
  assert.deepEqual(said, ['listed : ']);
});

test('it lists once a second, and of a runtime that is away it tells twice: then, and when it is back', async () => {
  const { clock, cri, pleg, said, stop } = bed();
  void pleg.run(stop.signal);
  await clock.advance(2500);
  assert.deepEqual(said.splice(0), ['listed : ', 'listed : ', 'listed : ']);
  cri.up = false;
  await clock.advance(3000);
  assert.deepEqual(said.splice(0), ['Cannot list pods at the container runtime: no connection to the runtime']);
  cri.up = true;
  await clock.advance(1000);
  assert.deepEqual(said.splice(0), ['The container runtime answers again', 'listed : ']);
  await clock.advance(1000);
  assert.deepEqual(said.splice(0), ['listed : ']);
  stop.abort();
  await clock.advance(5000);
  assert.deepEqual(said, []);
});

test('a call during a listing makes one more follow, that sees what the first may have missed', async () => {
  const { cri, pleg, said } = bed();
  const first = pleg.relist();
  const others = Promise.all([pleg.relist(), pleg.relist()]);
  await addPod(cri, 'web');
  await Promise.all([first, others]);
  assert.deepEqual(said, ['listed : ', 'change u-web', 'listed default/web: sandbox-1,container-2']);
});

test('the node is not ready when nothing could be listed for more than three minutes', async () => {
  const { clock, cri, pleg } = bed();
  await clock.advance(1000);
  await pleg.relist();
  cri.up = false;
  await clock.advance(180_000);
  await pleg.relist();
  assert.equal(pleg.problem, undefined);
  await clock.advance(1000);
  assert.equal(pleg.problem, 'PLEG is not healthy: pleg was last seen active 181s ago; threshold is 3m0s');
  cri.up = true;
  await pleg.relist();
  assert.equal(pleg.problem, undefined);
});

test('a runtime that tells of a change is listed at once, and twice more as its lists follow later; a burst makes no more of it', async () => {
  const { clock, cri, pleg, said, stop } = bed();
  let tell: () => void = () => {};
  cri.changes = async function* (): AsyncIterable<void> {
    for (;;) {
      await new Promise<void>((resolve) => {
        tell = resolve;
      });
      yield;
    }
  };
  void pleg.run(stop.signal);
  await clock.advance(10);
  said.length = 0;
  for (let i = 0; i < 5; i++) {
    tell();
    await clock.advance(0);
  }
  await clock.advance(5);
  assert.equal(said.length, 1);
  await clock.advance(45);
  assert.equal(said.length, 2);
  await clock.advance(199);
  assert.equal(said.length, 2);
  await clock.advance(1);
  assert.equal(said.length, 3);
  tell();
  await clock.advance(5);
  assert.equal(said.length, 4, 'and so at the next change');
  stop.abort();
});

test('a stream of changes that breaks is asked for again after a second; one that the runtime does not have is not', async () => {
  const { clock, cri, pleg, stop } = bed();
  const errors = [new CriError(14, 'away'), new CriError(14, 'away'), new CriError(12, 'unknown method')];
  const asked: number[] = [];
  // biome-ignore lint/correctness/useYield: it breaks before it tells anything.
  cri.changes = async function* (): AsyncIterable<void> {
    asked.push(clock.monotonic());
    throw errors[asked.length - 1] ?? new Error('asked once more');
  };
  void pleg.run(stop.signal);
  await clock.advance(10_000);
  assert.deepEqual(asked, [0, 1000, 2000]);
  stop.abort();
});
