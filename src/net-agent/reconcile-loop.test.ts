import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../clock/testing/fake-clock.ts';
import { silentLog } from '../observability/log.ts';
import { ReconcileLoop } from './reconcile-loop.ts';

class Bench {
  readonly clock = new FakeClock();
  readonly warnings: string[] = [];
  readonly #abort = new AbortController();
  passes = 0;
  fails = false;
  readonly loop: ReconcileLoop = new ReconcileLoop({
    reconcile: async () => {
      this.passes++;
      if (this.fails) throw new Error('no');
    },
    clock: this.clock,
    log: { ...silentLog, warn: (text) => this.warnings.push(text) },
    signal: this.#abort.signal,
  });

  /** How many passes there were within the time. */
  async within(ms: number): Promise<number> {
    const before = this.passes;
    await this.clock.advance(ms);
    return this.passes - before;
  }

  stop(): void {
    this.#abort.abort();
  }
}

describe('ReconcileLoop', () => {
  test('reconciles at once, then every five seconds', async () => {
    const bench = new Bench();
    void bench.loop.run();
    assert.equal(bench.passes, 1);
    assert.equal(await bench.within(5_019), 0);
    assert.equal(await bench.within(1), 1);
    assert.equal(await bench.within(5_020), 1);
    bench.stop();
  });

  test('takes a swarm of changes as one', async () => {
    const bench = new Bench();
    void bench.loop.run();
    await bench.within(0);
    for (let i = 0; i < 10; i++) {
      bench.loop.poke();
      await bench.within(1);
    }
    assert.equal(await bench.within(100), 1);
    bench.stop();
  });

  test('reconciles again when something changed while it did', async () => {
    const bench = new Bench();
    void bench.loop.run();
    bench.loop.poke();
    assert.equal(bench.passes, 1);
    assert.equal(await bench.within(20), 1);
    bench.stop();
  });

  test('tries again a second after a failure, says it once, and once that it is over', async () => {
    const bench = new Bench();
    bench.fails = true;
    void bench.loop.run();
    assert.equal(await bench.within(1_019), 0);
    assert.equal(await bench.within(1), 1);
    assert.equal(await bench.within(2 * 1_020), 2);
    assert.deepEqual(bench.warnings, ['no']);
    bench.fails = false;
    await bench.within(1_020);
    assert.deepEqual(bench.warnings, ['no', 'Over: no']);
    assert.equal(await bench.within(4_000), 0);
    bench.stop();
  });

  test('ends with the signal, whatever it waits for, and starts nothing after it', async () => {
    const bench = new Bench();
    const ended = bench.loop.run();
    await bench.within(0);
    bench.stop();
    await ended;
    assert.equal(bench.clock.pending, 0);
    assert.equal(bench.passes, 1);
  });
});
