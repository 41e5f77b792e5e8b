import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { seededRandom } from '../../../clock/testing/seeded-random.ts';
import { MemoryStore } from '../../memory/memory-store.ts';
import { violations } from './check.ts';
import type { History, Operation, Seen, WatchedEvent, Write } from './history.ts';
import { Workload } from './workload.ts';

const seen = (value: string, modRevision: number, createRevision = 11): Seen => ({ value, createRevision, modRevision });

/** A write at 10 × its revision, so that times are easy to tell. */
function done(revision: number, value: string | undefined, more: Partial<Write> = {}): Write {
  const outcome = { is: 'done', revision, createRevision: 11 } as const;
  return { kind: 'write', key: '/a', value, ifRevision: undefined, outcome, began: revision * 10, ended: revision * 10 + 5, ...more };
}

function event(revision: number, value: string | undefined, previous?: Seen, more: Partial<WatchedEvent> = {}): WatchedEvent {
  return { revision, key: '/a', value, createRevision: value === undefined ? undefined : 11, previous, at: revision * 10 + 6, ...more };
}

const log = [event(11, 'one'), event(12, 'two', seen('one', 11)), event(13, undefined, seen('two', 12))];
const writes = [done(11, 'one', { ifRevision: 0 }), done(12, 'two', { ifRevision: 11 }), done(13, undefined)];

/** The history of three writes, with something else. */
function history(
  change: { operations?: readonly Operation[]; events?: readonly WatchedEvent[]; second?: readonly WatchedEvent[] } = {},
): History {
  const events = change.events ?? log;
  const watcher = (name: string, told: readonly WatchedEvent[]) => ({ name, events: told, covers: () => true });
  return {
    base: 10,
    operations: change.operations ?? writes,
    watchers: [watcher('first', events), watcher('second', change.second ?? events)],
  };
}

const read = (began: number, ended: number, found?: Seen): Operation => ({ kind: 'read', key: '/a', found, began, ended });

/** [what, history, what is said of it] */
const wrong: readonly (readonly [string, History, RegExp])[] = [
  ['a lost write', history({ operations: [...writes, done(14, 'three')] }), /three was acknowledged at revision 14, and is lost/],
  ['a write that nobody made', history({ operations: writes.slice(1) }), /revision 11 is one at \/a, which nobody wrote/],
  ['an event told twice', history({ second: [...log, log[2]!] }), /second was told of revision 13 \(\/a\) after 13/],
  ['an event of the past', history({ second: [event(10, 'zero'), ...log] }), /revision 10 .* after 10/],
  ['events out of order', history({ second: [log[1]!, log[0]!, log[2]!] }), /revision 11 \(\/a\) after 12/],
  ['an event untold', history({ second: log.slice(1) }), /second was not told of 11 put \/a=one/],
  ['an event told to one alone', history({ second: [...log, event(14, 'four')] }), /second alone was told of 14/],
  [
    'another previous value',
    history({ events: [log[0]!, event(12, 'two', seen('none', 9)), log[2]!] }),
    /none@9 .* stood there, but it was one@11/,
  ],
  [
    'another revision of creation',
    history({ events: [log[0]!, { ...log[1]!, createRevision: 12 }, log[2]!] }),
    /made at 12, but it was 11/,
  ],
  [
    'a condition that did not hold',
    history({ operations: [writes[0]!, done(12, 'two', { ifRevision: 9 }), writes[2]!] }),
    /put two of \/a at 12 asked for 9, but 11 stood there/,
  ],
  [
    'a refusal although the condition held',
    history({
      operations: [
        ...writes,
        { ...done(0, 'x'), ifRevision: 12, outcome: { is: 'refused', found: seen('two', 12) }, began: 127, ended: 129 },
      ],
    }),
    /put x of \/a was refused with two@12/,
  ],
  [
    'a read of the past',
    history({ operations: [...writes, read(131, 132, seen('one', 11))] }),
    /gave one@11 .* which was over, or not yet/,
  ],
  [
    'a read of the future',
    history({ operations: [...writes, read(101, 104, seen('one', 11))] }),
    /gave one@11 .* which was over, or not yet/,
  ],
  ['a read of what never was', history({ operations: [...writes, read(111, 114, seen('none', 11))] }), /gave none@11 .* never was there/],
  ['nothing where something stood', history({ operations: [...writes, read(117, 119)] }), /gave nothing, although something stood there/],
  [
    'a value that comes back after somebody found it deleted',
    history({
      operations: [...writes.slice(0, 2), done(13, undefined, { began: 128, ended: 200 }), read(140, 141), read(150, 151, seen('two', 12))],
      events: [log[0]!, log[1]!, event(13, undefined, seen('two', 12), { at: 210 })],
    }),
    /gave two@12 .* which was over, or not yet/,
  ],
  [
    'a range that mixes revisions',
    history({
      operations: [...writes, { kind: 'range', revision: 12, found: new Map([['/a', seen('one', 11)]]), began: 122, ended: 124 }],
    }),
    /a range at 12 gave one@11 .* but it was two@12/,
  ],
  [
    'a range of the past',
    history({
      operations: [...writes, { kind: 'range', revision: 11, found: new Map([['/a', seen('one', 11)]]), began: 136, ended: 139 }],
    }),
    /a range at 11 was asked for when that was over/,
  ],
  [
    'a write with an older revision than one before it',
    history({ operations: [{ ...writes[0]!, began: 500, ended: 505 }, ...writes.slice(1)] }),
    /revision 1\d \(\/a\) is older than one that was done before it was asked for/,
  ],
  [
    'a write of unknown outcome that was done twice',
    history({
      operations: [{ ...writes[0]!, outcome: { is: 'unknown' }, ifRevision: undefined }],
      events: [event(11, 'one'), event(12, 'one', seen('one', 11))],
    }),
    /revision 12 is one at \/a, which nobody wrote/,
  ],
];

describe('violations()', () => {
  test('finds none in a history that is right', () => {
    const around: Operation[] = [read(100, 111), read(111, 114, seen('one', 11)), read(116, 124, seen('one', 11)), read(131, 140)];
    assert.deepEqual(violations(history({ operations: [...writes, ...around] })), []);
  });

  test('leaves open whether a write of unknown outcome was done', () => {
    const unknown: Operation = { ...done(0, 'maybe'), outcome: { is: 'unknown' }, began: 134, ended: 135 };
    assert.deepEqual(violations(history({ operations: [...writes, unknown] })), []);
    const events = [...log, event(14, 'maybe', undefined, { createRevision: 14 })];
    assert.deepEqual(violations(history({ operations: [...writes, unknown], events })), []);
  });

  for (const [what, history, said] of wrong)
    test(`finds ${what}`, () => {
      const found = violations(history);
      assert.ok(
        found.some((one) => said.test(one)),
        found.join('\n') || 'nothing was found',
      );
    });

  test('finds none in what clients of a store in memory saw', async (t) => {
    const seed = Number(process.env.HISTORY_SEED ?? Date.now() % 1_000_000);
    t.diagnostic(`HISTORY_SEED=${seed}`);
    await using store = new MemoryStore();
    const workload = await Workload.start(store, { random: seededRandom(seed) });
    await workload.more(500);
    const told = await workload.history();
    assert.deepEqual(violations(told), []);
    // It is no empty promise: the same with one event less is refused.
    const [first, ...rest] = told.watchers;
    const less = { name: first.name, covers: () => true, events: first.events.toSpliced(100, 1) };
    assert.notDeepEqual(violations({ ...told, watchers: [less, ...rest] }), []);
  });
});
