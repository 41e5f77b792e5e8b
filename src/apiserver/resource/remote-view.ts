/**
 * The objects of a row whose versions a webhook converts. What it makes of an object is kept with that, as bytes, so that it is asked once for
 * all who read; a stored object never changes, only another one takes its place.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { RemoteConversion, ResourceRow } from '../../api/registry/resource-row.ts';
import { apiVersionOf, type KubeObject } from '../../api/resource-types.ts';
import { CachedObject, encodeObject, spliceRevision } from '../cache/cached-object.ts';
import type { CacheEvent } from '../cache/event-log.ts';

/** What is being asked for just now, by the conversion that asks. */
const frames = new WeakMap<RemoteConversion, WeakMap<CacheEvent, CacheEvent['frames']>>();
const underWay = new WeakMap<RemoteConversion, Map<CachedObject, Promise<CachedObject>>>();

/** Objects that are read, made and written between two turns of others. */
const atOnce = 128;

/** The objects as the row's version has them, for a row with a `remote`. Throws a StatusError. */
export async function remoteViews(row: ResourceRow, objects: readonly CachedObject[]): Promise<CachedObject[]> {
  const { remote } = row;
  if (!remote) return [...objects];
  const known = (object: CachedObject): CachedObject | undefined => (remote.isShown(object.apiVersion) ? object : object.view(remote));
  const views = objects.map(known);
  const missing = objects.filter((_, i) => !views[i]);
  const made = new Map<CachedObject, CachedObject>();
  for (let from = 0; from < missing.length; from += atOnce) {
    // Whoever asks for ten thousand leaves room for others.
    if (from > 0) await nextTurn();
    const group = missing.slice(from, from + atOnce);
    for (const [i, view] of (await Promise.all(asked(remote, group))).entries()) made.set(group[i]!, view);
  }
  return objects.map((object, i) => views[i] ?? (made.get(object) as CachedObject));
}

export async function remoteView(row: ResourceRow, object: CachedObject): Promise<CachedObject> {
  return (await remoteViews(row, [object]))[0]!;
}

/** Events whose objects are as the row's version has them, in their order. Throws a StatusError. */
export async function remoteEvents(row: ResourceRow, events: readonly CacheEvent[], needsPrevious: boolean): Promise<CacheEvent[]> {
  const previousOf = (event: CacheEvent): CachedObject | undefined => (needsPrevious || !event.current ? event.previous : undefined);
  const wanted = events.flatMap((event) => [event.current, previousOf(event)]).filter((object) => object !== undefined);
  const views = new Map((await remoteViews(row, wanted)).map((view, i) => [wanted[i], view]));
  return events.map((event) => ({
    ...event,
    current: event.current && views.get(event.current),
    // That there was one is all that matters where it is not looked at.
    previous: event.previous && (views.get(event.previous) ?? event.previous),
    frames: framesOf(row.remote as RemoteConversion, event),
  }));
}

/** Shared by all who are told of it in that version. */
function framesOf(remote: RemoteConversion, event: CacheEvent): CacheEvent['frames'] {
  const ofRow = frames.get(remote) ?? new WeakMap<CacheEvent, CacheEvent['frames']>();
  frames.set(remote, ofRow);
  const known = ofRow.get(event) ?? new Map<string, Buffer>();
  ofRow.set(event, known);
  return known;
}

/** An object of one row in the version of another one, which has the same objects. It may share parts with what is given. */
export async function inVersionOf(from: ResourceRow, to: ResourceRow, object: KubeObject): Promise<KubeObject> {
  if (from.remote) return from.remote.toVersion(object, apiVersionOf(to.type));
  const stored = from.conversion ? from.conversion.toStored(object) : object;
  return to.conversion ? to.conversion.fromStored(stored) : stored;
}

/** One promise for each, shared with others who ask at the same time. */
function asked(remote: RemoteConversion, objects: readonly CachedObject[]): Promise<CachedObject>[] {
  const pending = underWay.get(remote) ?? new Map<CachedObject, Promise<CachedObject>>();
  underWay.set(remote, pending);
  const missing = objects.filter((object) => !pending.has(object));
  const converted = remote.fromStored(missing.map((object) => object.object));
  for (const [i, object] of missing.entries()) pending.set(object, kept(remote, object, converted[i] as Promise<KubeObject>, pending));
  return objects.map((object) => pending.get(object) as Promise<CachedObject>);
}

async function kept(
  remote: RemoteConversion,
  object: CachedObject,
  converted: Promise<KubeObject>,
  pending: Map<CachedObject, Promise<CachedObject>>,
): Promise<CachedObject> {
  try {
    const made = encoded(object, await converted);
    // Of the version that it is stored in, most often nothing is new since its definition was changed.
    const view = made.bytes.equals(object.bytes) ? object : made;
    object.keepView(remote, view);
    return view;
  } finally {
    pending.delete(object);
  }
}

/** Of a dry run, whose object is not stored, there is no revision. */
function encoded({ key, revision }: CachedObject, object: KubeObject): CachedObject {
  const bytes = encodeObject(object);
  return new CachedObject(key, revision, revision === 0 ? bytes : spliceRevision(bytes, revision));
}
