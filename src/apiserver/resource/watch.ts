/** WATCH: from where a watcher starts, and the life of its connection. What it is sent is `WatchStream`'s. */
import { randomInt } from 'node:crypto';
import type { ResourceRow } from '../../api/registry/resource-row.ts';
import { initialEventsAnnotationKey } from '../../api/well-known.ts';
import { onAbort } from '../../clock/aborted.ts';
import type { CachedObject } from '../cache/cached-object.ts';
import { streamTypeOf } from '../http/negotiate.ts';
import type { ReadOptions } from '../http/read-options.ts';
import { drained } from '../http/reply.ts';
import type { RequestContext } from '../http/request-context.ts';
import { writeShared } from '../http/shared-chunks.ts';
import { waitForRevision } from './list.ts';
import { offerOf, presentationOf } from './presentation-of.ts';
import { remoteEvents, remoteViews } from './remote-view.ts';
import type { ResourceDeps } from './resource-handlers.ts';
import { WatchStream } from './watch-stream.ts';

/** As upstream's --min-request-timeout: a random time between this and twice this, so that clients do not come back all at once. */
const minWatchSeconds = 1800;
/** Twice as often as upstream: by their absence a client knows within a minute that its watch is dead. */
const bookmarkMs = 30_000;
/** A connection with more than this waiting is full. */
const fullBytes = 1 << 20;

export async function serveWatch(
  deps: ResourceDeps,
  ctx: RequestContext,
  row: ResourceRow,
  namespace: string,
  options: ReadOptions,
): Promise<void> {
  const { objects, feed, clock } = deps;
  const { res } = ctx;
  const cache = objects.cache(row);
  const prefix = objects.prefix(row, namespace);
  const presentation = presentationOf(ctx, row, clock);
  const contentType = streamTypeOf(presentation.encoding, offerOf(row));
  const begin = await startOf(deps, prefix, cache.range.bind(cache), options);
  const initial = row.remote ? await remoteViews(row, begin.initial) : begin.initial;
  await presentation.prepare?.(initial);
  // Nobody would hear of its close, and its timers would never end.
  if (res.destroyed) return;

  res.writeHead(200, { 'content-type': contentType, 'cache-control': 'no-cache, private' });
  res.flushHeaders();
  const stream = new WatchStream({
    cache,
    prefix,
    selection: options.selection,
    presentation,
    convert: row.remote ? (events) => remoteEvents(row, events, !options.selection.all) : undefined,
    after: begin.after,
    revisionNow: () => feed.revision,
    sink: {
      write: (frame) => writeShared(res, frame) || res.writableLength < fullBytes,
      end: () => res.end(),
    },
  });
  const close = keepAlive(deps, stream, options);
  res.on('drain', () => stream.onDrain());
  res.once('close', () => {
    close();
    stream.stop();
  });
  if (initial.length > 0) await stream.sendInitial(initial, () => drained(res));
  if (options.sendInitialEvents && options.allowBookmarks) stream.bookmark({ [initialEventsAnnotationKey]: 'true' });
  stream.start();
}

/** The objects that the watcher is sent first, and the revision after which changes follow. */
async function startOf(
  { feed }: ResourceDeps,
  prefix: string,
  range: (prefix: string) => CachedObject[],
  options: ReadOptions,
): Promise<{ initial: readonly CachedObject[]; after: number }> {
  const { resourceVersion: revision, sendInitialEvents } = options;
  if (sendInitialEvents === undefined && revision !== undefined && revision > 0) {
    await waitForRevision(feed, revision);
    return { initial: [], after: revision };
  }
  // Without a place to start from a watch begins with what there is: how clients older than WatchList do it in one request.
  await waitForRevision(feed, revision);
  if (sendInitialEvents === false) return { initial: [], after: revision || feed.revision };
  return { initial: range(prefix), after: feed.revision };
}

/** Bookmarks and the end of the watch; returns what cancels both. */
function keepAlive({ clock, stop }: ResourceDeps, stream: WatchStream, options: ReadOptions): () => void {
  const seconds =
    options.timeoutSeconds && options.timeoutSeconds > 0 ? options.timeoutSeconds : minWatchSeconds + randomInt(minWatchSeconds);
  const end = (): void => {
    if (options.allowBookmarks) stream.bookmark();
    stream.end();
  };
  const atEnd = clock.after(seconds * 1000, end);
  let bookmark: { cancel(): void } | undefined;
  const next = (): void => {
    bookmark = clock.after(bookmarkMs - randomInt(5_000), () => {
      stream.bookmark();
      next();
    });
  };
  if (options.allowBookmarks) next();
  const stopped = onAbort(stop, end);
  return () => {
    atEnd.cancel();
    bookmark?.cancel();
    stopped[Symbol.dispose]();
  };
}
