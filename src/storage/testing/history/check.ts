/**
 * Whether a history is what one strictly serializable store could have given: every acknowledged write is there once, every event was told once and
 * in order, and no answer is older than what anybody knew when it was asked for. Revisions give the order, so nothing must be guessed. Pure.
 */

import type { History, Operation, Range, Read, Seen, Watched, WatchedEvent, Write } from './history.ts';
import { Placement } from './placement.ts';
import { type Sighting, Timeline } from './timeline.ts';

/** What is wrong, a sentence each; none when all is well. */
export function violations(history: History): string[] {
  const { base, operations, watchers } = history;
  const log = watchers[0].events;
  const writes = operations.filter((one) => one.kind === 'write');
  const unordered = watchers.flatMap((watcher) => wrongOrder(watcher, base));
  // What follows needs an order.
  if (unordered.length > 0) return unordered;
  const { originOf, wrong } = Placement.of(log, writes);
  const seen = sightings(history);
  const timeline = new Timeline(log, originOf, [...seen, ...absencesSeen(operations, new Timeline(log, originOf, seen))]);
  return [
    ...watchers.slice(1).flatMap((watcher) => otherEvents(watcher, log)),
    ...wrong,
    ...log.flatMap((event) => wrongEvent(event, timeline)),
    ...timeline.impossible(),
    ...writes.flatMap((write) => wrongCondition(write, timeline)),
    ...operations.flatMap((one) =>
      one.kind === 'read' ? wrongRead(one, timeline) : one.kind === 'range' ? wrongRange(one, timeline) : [],
    ),
  ];
}

function wrongOrder({ name, events }: Watched, base: number): string[] {
  return events.flatMap(({ revision, key }, i) => {
    const before = i === 0 ? base : events[i - 1]!.revision;
    return revision > before ? [] : [`${name} was told of revision ${revision} (${key}) after ${before}`];
  });
}

function describe({ revision, key, value }: WatchedEvent): string {
  return value === undefined ? `${revision} delete ${key}` : `${revision} put ${key}=${value}`;
}

/** Every watcher is told the same, as far as it asked. */
function otherEvents(watcher: Watched, log: readonly WatchedEvent[]): string[] {
  const { name, events } = watcher;
  const told = new Set(events.map(describe));
  const expected = new Set(log.filter(({ key }) => watcher.covers(key)).map(describe));
  const missing = [...expected].filter((one) => !told.has(one)).map((one) => `${name} was not told of ${one}`);
  return [...missing, ...[...told].filter((one) => !expected.has(one)).map((one) => `${name} alone was told of ${one}`)];
}

/** When a revision was known to be there: answers and events. */
function sightings({ operations, watchers }: History): Sighting[] {
  const events = watchers.flatMap((watcher) => watcher.events.map(({ revision, at }) => ({ revision, at })));
  const answers = operations.flatMap((one) => revisionsIn(one).map((revision) => ({ revision, at: one.ended })));
  return [...events, ...answers];
}

/** Who found nothing knows of the delete before, where no other absence fits. */
function absencesSeen(operations: readonly Operation[], timeline: Timeline): Sighting[] {
  return operations.flatMap((one) => {
    const isAbsent = one.kind === 'read' ? !one.found : one.kind === 'write' && one.outcome.is === 'refused' && !one.outcome.found;
    if (one.kind === 'range' || !isAbsent) return [];
    const [only, ...others] = timeline.absences(one.key).filter(([from, to]) => timeline.isBetween(one.began, one.ended, from, to));
    return only?.[0] === undefined || others.length > 0 ? [] : [{ revision: only[0], at: one.ended }];
  });
}

function revisionsIn(operation: Write | Read | Range): number[] {
  if (operation.kind === 'range') return [operation.revision];
  if (operation.kind === 'read') return operation.found ? [operation.found.modRevision] : [];
  const { outcome } = operation;
  if (outcome.is === 'done') return [outcome.revision];
  return outcome.is === 'refused' && outcome.found ? [outcome.found.modRevision] : [];
}

function same(one: Seen | undefined, other: Seen | undefined): boolean {
  return one?.value === other?.value && one?.modRevision === other?.modRevision && one?.createRevision === other?.createRevision;
}

function show(seen: Seen | undefined): string {
  return seen ? `${seen.value}@${seen.modRevision} (made at ${seen.createRevision})` : 'nothing';
}

function wrongEvent(event: WatchedEvent, timeline: Timeline): string[] {
  const before = timeline.before(event.key, event.revision);
  const wrong: string[] = [];
  if (!same(before, event.previous))
    wrong.push(`${describe(event)} says that ${show(event.previous)} stood there, but it was ${show(before)}`);
  const created = event.value === undefined ? undefined : (before?.createRevision ?? event.revision);
  if (created !== event.createRevision) wrong.push(`${describe(event)} says it was made at ${event.createRevision}, but it was ${created}`);
  return wrong;
}

/** A write with a condition was done although that did not hold, or refused although it did. */
function wrongCondition({ key, ifRevision, outcome, began, ended, value }: Write, timeline: Timeline): string[] {
  const what = `${value === undefined ? 'delete' : `put ${value}`} of ${key}`;
  if (outcome.is === 'done') {
    const before = timeline.before(key, outcome.revision)?.modRevision ?? 0;
    return ifRevision === undefined || ifRevision === before
      ? []
      : [`${what} at ${outcome.revision} asked for ${ifRevision}, but ${before} stood there`];
  }
  if (outcome.is === 'unknown') return [];
  const fits = ifRevision === undefined || ifRevision === (outcome.found?.modRevision ?? 0);
  // There must be something to delete.
  const held = fits && (value !== undefined || outcome.found !== undefined);
  const refused = held ? [`${what} was refused with ${show(outcome.found)}, although its condition held`] : [];
  return [...refused, ...wrongRead({ kind: 'read', key, found: outcome.found, began, ended }, timeline)];
}

function wrongRead({ key, found, began, ended }: Read, timeline: Timeline): string[] {
  const at = found?.modRevision;
  if (at !== undefined && !same(timeline.at(key, at), found)) return [`a read of ${key} gave ${show(found)}, which never was there`];
  const fits = timeline.absences(key).some(([from, to]) => timeline.isBetween(began, ended, from, to));
  if (at === undefined) return fits ? [] : [`a read of ${key} gave nothing, although something stood there all the time`];
  const next = timeline.nextOf(key, at);
  return timeline.isBetween(began, ended, at, next) ? [] : [`a read of ${key} gave ${show(found)}, which was over, or not yet`];
}

function wrongRange({ revision, found, began, ended }: Range, timeline: Timeline): string[] {
  const keys = new Set([...timeline.keys, ...found.keys()]);
  const wrong = [...keys].flatMap((key) => {
    const is = timeline.at(key, revision);
    return same(is, found.get(key)) ? [] : [`a range at ${revision} gave ${show(found.get(key))} for ${key}, but it was ${show(is)}`];
  });
  const fits = timeline.isBetween(began, ended, revision, timeline.revisionAfter(revision));
  return fits ? wrong : [...wrong, `a range at ${revision} was asked for when that was over, or not yet there`];
}
