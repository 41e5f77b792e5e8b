import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { silentLog } from '../../observability/log.ts';
import type { Endpoints } from './endpoints.ts';
import { Fence } from './fence.ts';

/** An etcd of one number, whose answers come when a test says so. */
class Scene {
  readonly clock = new FakeClock();
  /** Of the last write, whosever. */
  revision = 10;
  /** Revisions of the fence's writes. */
  readonly raised: number[] = [];
  readonly #answers: (() => void)[] = [];
  readonly fence: Fence;

  /** `seen`: how far a watch of the whole store has come; 0 where there is none. */
  constructor(seen = 10) {
    const call = async (): Promise<unknown> => {
      const revision = ++this.revision;
      this.raised.push(revision);
      await new Promise<void>((resolve) => this.#answers.push(resolve));
      return { response: { header: { revision }, responses: [] } };
    };
    this.fence = new Fence('/fence', { call } as unknown as Endpoints, this.clock, silentLog);
    this.fence.saw(seen);
  }

  async answer(): Promise<void> {
    for (const resolve of this.#answers.splice(0)) resolve();
    await this.clock.advance(0);
  }
}

describe('expect()', () => {
  test('raises the fence when events do not come so far by themselves', async () => {
    const scene = new Scene();
    scene.fence.expect(10);
    await scene.clock.advance(1_000);
    assert.deepEqual(scene.raised, []);
    scene.revision = 11;
    scene.fence.expect(11);
    await scene.clock.advance(99);
    assert.deepEqual(scene.raised, []);
    await scene.clock.advance(1);
    assert.deepEqual(scene.raised, [12]);
  });

  test('raises nothing where no watch of the whole store could be told', async () => {
    const scene = new Scene(0);
    scene.fence.expect(11);
    await scene.clock.advance(1_000);
    assert.deepEqual([scene.raised, scene.clock.pending], [[], 0]);
  });

  test('raises it for who asked for more while another one waited already', async () => {
    const scene = new Scene();
    scene.revision = 11;
    scene.fence.expect(11);
    await scene.clock.advance(50);
    scene.revision = 12;
    scene.fence.expect(12);
    // What the first one waited for came by itself.
    scene.fence.saw(11);
    await scene.clock.advance(50);
    assert.deepEqual(scene.raised, [13]);
  });

  test('raises it again when the one under way was too early', async () => {
    const scene = new Scene();
    scene.fence.expect(11);
    await scene.clock.advance(100);
    assert.deepEqual(scene.raised, [11]);
    scene.revision = 12;
    scene.fence.expect(12);
    await scene.clock.advance(100);
    await scene.answer();
    await scene.clock.advance(100);
    assert.deepEqual(scene.raised, [11, 13]);
    await scene.answer();
    scene.fence.saw(13);
    await scene.clock.advance(1_000);
    assert.deepEqual(scene.raised, [11, 13]);
    assert.equal(scene.clock.pending, 0);
  });
});
