import assert from 'node:assert/strict';
import test from 'node:test';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { FakeCri } from '../testing/fake-cri.ts';
import { RuntimeState } from './runtime-state.ts';

const notAsked = 'container runtime status check may not have completed yet';
const noNetwork = 'container runtime network not ready: NetworkReady=false reason:NotYet message:wait';

/** A runtime, what is known of it, and how often somebody was told of its network. */
class Bed {
  readonly clock = new FakeClock();
  readonly cri = new FakeCri(this.clock);
  readonly state = new RuntimeState(this.cri, this.clock);
  told = 0;

  constructor() {
    this.state.onNetworkReady(() => void this.told++);
  }

  get problems(): (string | undefined)[] {
    return [this.state.runtimeProblem, this.state.networkProblem];
  }
}

test('a runtime that was not asked yet is not ready', () =>
  assert.deepEqual(new Bed().problems, [notAsked, `container runtime network not ready: ${notAsked}`]));

test('a runtime is what it says: each change is news once, and a network that has become ready is told', async () => {
  const bed = new Bed();
  bed.cri.unready.add('NetworkReady');
  assert.equal(await bed.state.update(), true);
  assert.deepEqual([bed.problems, bed.told], [[undefined, noNetwork], 0]);
  assert.equal(bed.state.version, 'cri-o://1.35.0');
  assert.equal(await bed.state.update(), false);
  bed.cri.unready.clear();
  assert.equal(await bed.state.update(), true);
  assert.deepEqual([bed.problems, bed.told], [[undefined, undefined], 1]);
  assert.equal(await bed.state.update(), false);
  assert.equal(bed.told, 1);
  bed.cri.unready.add('RuntimeReady');
  assert.equal(await bed.state.update(), true);
  assert.deepEqual(bed.problems, ['container runtime not ready: RuntimeReady=false reason:NotYet message:wait', undefined]);
});

test('a runtime that says nothing of a condition does not have it', async () => {
  const bed = new Bed();
  bed.cri.status = async () => ({ info: {} });
  await bed.state.update();
  assert.equal(bed.state.runtimeProblem, 'container runtime not ready: RuntimeReady=false reason: message:not reported');
});

test('a runtime is down when it has not answered for half a minute, and asked for its version when it is back', async () => {
  const bed = new Bed();
  let asked = 0;
  const { version } = bed.cri;
  bed.cri.version = () => {
    asked++;
    return version.call(bed.cri);
  };
  await bed.state.update();
  await bed.state.update();
  assert.equal(asked, 1);
  bed.cri.up = false;
  await bed.clock.advance(30_000);
  assert.equal(await bed.state.update(), false);
  await bed.clock.advance(1);
  assert.equal(await bed.state.update(), true);
  assert.deepEqual(bed.problems, ['container runtime is down: no connection to the runtime', undefined]);
  bed.cri.up = true;
  asked = 0;
  await bed.state.update();
  assert.deepEqual([bed.problems, asked], [[undefined, undefined], 1]);
});
