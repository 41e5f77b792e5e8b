import assert from 'node:assert/strict';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { describe, test } from 'node:test';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { FlowControl } from './flow-control.ts';
import type { Flow, LevelName } from './levels.ts';
import { beginConnection, Turn } from './turn.ts';
import { widthOf } from './width.ts';

const flow = (level: LevelName, user: string): Flow => ({ schema: 's', level, key: `s ${user}`, user });
const weak = flow('workload-low', 'weak');
const other = flow('workload-low', 'other');
const refused = { name: 'StatusError', code: 429 };

function control(): FlowControl {
  return new FlowControl({ clock: new FakeClock() });
}

function lowCounts(flows: FlowControl): { taken: number; lasting: number } {
  const { taken, lasting } = flows.counts().find(({ level }) => level === 'workload-low')!;
  return { taken, lasting };
}

describe('FlowControl', () => {
  test('shares the seats of --max-requests-inflight and --max-mutating-requests-inflight out as upstream', () => {
    const seats = Object.fromEntries(
      control()
        .counts()
        .map((c) => [c.level, c.seats]),
    );
    assert.deepEqual(seats, {
      'leader-election': 25,
      'node-high': 98,
      system: 74,
      'workload-high': 98,
      'workload-low': 245,
      'global-default': 49,
      'catch-all': 13,
    });
    const few = new FlowControl({ clock: new FakeClock(), inflight: { requests: 1, mutating: 0 } });
    assert.ok(few.counts().every((c) => c.seats === 1));
  });

  test('limits the bytes of bodies of a user, and of all users of a level', () => {
    const flows = control();
    const give = Array.from({ length: 10 }, () => flows.reserveBody(weak, 3 << 20));
    assert.throws(() => flows.reserveBody(weak, 3 << 20), refused);
    flows.reserveBody(other, 3 << 20);
    give[0]!();
    give[0]!();
    flows.reserveBody(weak, 3 << 20);
    assert.throws(() => flows.reserveBody(weak, 3 << 20), refused);
    for (const name of ['a', 'b', 'c'])
      for (let i = 0; i < 10; i++) if (name !== 'c' || i < 8) flows.reserveBody(flow('workload-low', name), 3 << 20);
    assert.throws(() => flows.reserveBody(flow('workload-low', 'd'), 16 << 20), refused);
    flows.reserveBody(flow('system', 'node'), 16 << 20);
  });

  test('limits what lasts of a user', () => {
    const flows = control();
    const give = Array.from({ length: 1000 }, () => flows.beginLasting(weak));
    assert.throws(() => flows.beginLasting(weak), refused);
    flows.beginLasting(other);
    give[0]!();
    flows.beginLasting(weak);
  });

  test('limits nothing for the exempt', () => {
    const flows = control();
    const exempt = flow('exempt', 'admin');
    for (let i = 0; i < 3000; i++) {
      assert.ok(!(flows.enter(exempt, 100) instanceof Promise));
      flows.beginLasting(exempt);
      flows.reserveBody(exempt, 3 << 20);
    }
  });
});

describe('Turn', () => {
  test('gives back all that it has at its end', () => {
    const flows = control();
    const turn = new Turn(flows, weak, 5);
    assert.equal(turn.begin(), undefined);
    turn.beginLasting();
    turn.reserveBody(100);
    assert.deepEqual(lowCounts(flows), { taken: 5, lasting: 1 });
    turn.pause();
    assert.deepEqual(lowCounts(flows), { taken: 0, lasting: 1 });
    assert.equal(turn.begin(), undefined);
    turn.end();
    assert.deepEqual(lowCounts(flows), { taken: 0, lasting: 0 });
  });

  test('takes no seat for a client that has gone meanwhile', async () => {
    const flows = control();
    const wide = new Turn(flows, weak, 245);
    void wide.begin();
    const turn = new Turn(flows, weak, 1);
    const waits = turn.begin()!;
    turn.end();
    wide.end();
    await assert.rejects(waits, { name: 'StatusError', code: 503 });
    assert.equal(lowCounts(flows).taken, 0);
  });
});

describe('beginConnection()', () => {
  test('counts a connection that has left HTTP until it closes, without a seat', async () => {
    const flows = control();
    const socket = new PassThrough();
    await beginConnection(flows, weak, socket);
    assert.deepEqual(lowCounts(flows), { taken: 0, lasting: 1 });
    socket.destroy();
    await once(socket, 'close');
    assert.deepEqual(lowCounts(flows), { taken: 0, lasting: 0 });
    await assert.rejects(beginConnection(flows, weak, socket), { name: 'StatusError', code: 503 });
    assert.deepEqual(lowCounts(flows), { taken: 0, lasting: 0 });
  });
});

describe('widthOf()', () => {
  const cases: readonly (readonly [verb: string, name: string, objects: number, watchers: number, paced: boolean, width: number])[] = [
    ['get', 'x', 10_000, 10_000, true, 1],
    ['list', '', 0, 0, true, 1],
    ['list', '', 250, 0, true, 3],
    ['list', '', 100_000, 0, true, 10],
    ['watch', '', 250, 0, false, 3],
    ['watch', 'x', 250, 0, false, 1],
    ['update', 'x', 250, 9, true, 1],
    ['create', '', 250, 1000, true, 101],
    ['patch', 'x', 250, 1000, false, 10],
  ];
  for (const [verb, name, objects, watchers, paced, width] of cases) {
    test(`of ${verb} ${name} among ${objects} objects and ${watchers} watchers is ${width}`, () =>
      assert.equal(widthOf({ verb, name }, { objects, watchers }, paced), width));
  }
});
