import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Clock } from '../clock/clock.ts';
import { FakeClock } from '../clock/testing/fake-clock.ts';
import { decodeHello, encodeHello } from './hello.ts';
import { RollCall } from './roll-call.ts';

const key = Buffer.from('the key of the cluster');

describe('a hello', () => {
  const hello = { node: 'a', life: 'x', count: 3, isReady: true };
  test('is read by who has the key', () => assert.deepEqual(decodeHello(encodeHello(hello, key), key), hello));
  test('says nothing to who has another', () => assert.equal(decodeHello(encodeHello(hello, key), Buffer.from('other')), undefined));
  test('says nothing when it was changed', () => {
    const bytes = encodeHello(hello, key);
    bytes[9] = 'b'.charCodeAt(0);
    assert.equal(decodeHello(bytes, key), undefined);
  });
  for (const [name, bytes] of [
    ['nothing', ''],
    ['no signature', '{}'],
    ['an empty signature', '{}\n'],
    ['too much', 'x'.repeat(2000)],
  ] as const)
    test(`is not ${name}`, () => assert.equal(decodeHello(Buffer.from(bytes), key), undefined));
});

/** Nodes that hear each other, as long as the wire between them is whole. */
class Segment {
  readonly clock = new FakeClock();
  readonly calls = new Map<string, RollCall>();
  readonly cut = new Set<string>();
  readonly told: string[] = [];
  sent = 0;

  add(name: string, expected: readonly string[], clock: Clock = this.clock): RollCall {
    const call: RollCall = new RollCall({
      nodeName: name,
      send: (datagram) => {
        this.sent++;
        for (const [other, its] of this.calls) if (other !== name && !this.cut.has(name) && !this.cut.has(other)) its.hear(datagram);
      },
      expected: () => expected,
      onChange: () => this.told.push(`${name}: ${call.candidates.toSorted().join(' ')}`),
      clock,
    });
    this.calls.set(name, call);
    call.setKey(key);
    return call;
  }

  sees(name: string): string {
    return this.calls.get(name)?.candidates.toSorted().join(' ') ?? '';
  }

  /** Of all at once, with the others that they expect. */
  start(...names: string[]): void {
    for (const name of names)
      this.add(
        name,
        names.filter((other) => other !== name),
      );
    for (const call of this.calls.values()) call.setActive(true);
  }
}

describe('the roll call', () => {
  test('who has heard all others is ready soon, and all begin with the same answer', async () => {
    const segment = new Segment();
    segment.start('a', 'b', 'c');
    await segment.clock.advance(600);
    for (const name of ['a', 'b', 'c']) assert.equal(segment.sees(name), 'a b c');
    assert.deepEqual(segment.told.toSorted(), ['a: a b c', 'b: a b c', 'c: a b c']);
  });

  test('who misses one waits for two seconds, as that one may be there', async () => {
    const segment = new Segment();
    segment.add('a', ['gone']).setActive(true);
    await segment.clock.advance(1_900);
    assert.equal(segment.sees('a'), '');
    await segment.clock.advance(300);
    assert.equal(segment.sees('a'), 'a');
  });

  test('a node that dies is missed within 2.1 seconds, not before 1.5', async () => {
    const segment = new Segment();
    segment.start('a', 'b', 'c');
    await segment.clock.advance(5_000);
    segment.cut.add('c');
    await segment.clock.advance(1_490);
    assert.equal(segment.sees('a'), 'a b c');
    await segment.clock.advance(610);
    assert.deepEqual([segment.sees('a'), segment.sees('b')], ['a b', 'a b']);
    segment.cut.clear();
    await segment.clock.advance(600);
    assert.equal(segment.sees('a'), 'a b c');
  });

  test('who leaves says so: nobody waits', async () => {
    const segment = new Segment();
    segment.start('a', 'b');
    await segment.clock.advance(1_000);
    segment.calls.get('b')?.end();
    assert.deepEqual([segment.sees('a'), segment.sees('b')], ['a', '']);
  });

  test('who comes back takes nothing before it knows who is there', async () => {
    const segment = new Segment();
    segment.start('a', 'b');
    await segment.clock.advance(1_000);
    segment.calls.get('b')?.end();
    const again = segment.add('b', ['a', 'away']);
    again.setActive(true);
    await segment.clock.advance(1_000);
    assert.deepEqual([segment.sees('a'), segment.sees('b')], ['a', '']);
    await segment.clock.advance(1_200);
    assert.deepEqual([segment.sees('a'), segment.sees('b')], ['a b', 'a b']);
  });

  test('who stood still for long knows nothing any more, and begins anew', async () => {
    const segment = new Segment();
    const frozen = new FakeClock();
    let slept = 0;
    const clock: Clock = {
      now: () => frozen.now(),
      monotonic: () => frozen.monotonic() + slept,
      after: (ms, fn) => frozen.after(ms, fn),
      sleep: (ms) => frozen.sleep(ms),
    };
    const both = async (): Promise<void> => {
      for (let i = 0; i < 12; i++) {
        await segment.clock.advance(100);
        await frozen.advance(100);
      }
    };
    segment.add('a', ['b']).setActive(true);
    segment.add('b', ['a'], clock).setActive(true);
    await both();
    assert.equal(segment.sees('b'), 'a b');
    segment.cut.add('b');
    await segment.clock.advance(3_000);
    assert.equal(segment.sees('a'), 'a');
    // It wakes up: its clock has gone on, its timers have not.
    segment.told.length = 0;
    slept = 3_000;
    await frozen.advance(500);
    assert.equal(segment.told[0], 'b: ', 'first it gives up what it had');
    segment.cut.clear();
    await both();
    assert.deepEqual([segment.sees('a'), segment.sees('b')], ['a b', 'a b']);
  });

  test('what was recorded and is sent again keeps nobody alive', async () => {
    const segment = new Segment();
    segment.start('a');
    const recorded = encodeHello({ node: 'b', life: 'x', count: 1, isReady: true }, key);
    segment.calls.get('a')?.hear(recorded);
    await segment.clock.advance(1_500);
    assert.equal(segment.sees('a'), 'a b');
    segment.calls.get('a')?.hear(recorded);
    await segment.clock.advance(600);
    assert.equal(segment.sees('a'), 'a');
  });

  test('without anything to announce, or without the key, nothing is sent', async () => {
    const segment = new Segment();
    const call = segment.add('a', []);
    await segment.clock.advance(5_000);
    assert.equal(segment.sent, 0);
    call.setActive(true);
    await segment.clock.advance(1_000);
    assert.ok(segment.sent > 0);
    call.setActive(false);
    const before = segment.sent;
    await segment.clock.advance(5_000);
    assert.equal(segment.sent, before);
    assert.equal(segment.sees('a'), '');

    call.setKey(undefined);
    call.setActive(true);
    await segment.clock.advance(5_000);
    assert.deepEqual([segment.sent, segment.sees('a')], [before, '']);
    call.setKey(key);
    await segment.clock.advance(1_000);
    assert.equal(segment.sees('a'), 'a');
  });
});
