/** LIST: which objects of the cache, of which moment. Nothing is encoded here. */
import type { ResourceRow } from '../../api/registry/resource-row.ts';
import type { CachedObject } from '../cache/cached-object.ts';
import type { ResourceCache } from '../cache/resource-cache.ts';
import type { WatchFeed } from '../cache/watch-feed.ts';
import type { ReadOptions } from '../http/read-options.ts';
import { badRequest, expired, resourceVersionTooLarge } from '../status/status-error.ts';
import { decodeContinue, encodeContinue } from './continue-token.ts';
import { remoteViews } from './remote-view.ts';

export interface ListResult {
  readonly objects: readonly CachedObject[];
  readonly revision: number;
  readonly continueToken: string | undefined;
  /** How many come after this page; only known when there is no selector. */
  readonly remaining: number | undefined;
}

/**
 * Waits until the cache is as new as the request asks for. The store knows every revision that any server gave out; another one is of a store that is
 * no more, or of nobody's, and is refused at once. Upstream waits for three seconds and has the client try again, which client-go's does for 40; and a
 * watch it lets hang.
 */
export async function waitForRevision(feed: WatchFeed, revision: number | undefined): Promise<void> {
  if (feed.problem) throw feed.problem;
  if (revision !== undefined && revision <= feed.revision) return;
  await feed.fresh();
  if (revision !== undefined && revision > feed.revision) throw resourceVersionTooLarge(revision, feed.revision);
}

/** The objects are as the row's version has them. Throws a StatusError. */
export async function list(
  feed: WatchFeed,
  row: ResourceRow,
  cache: ResourceCache,
  prefix: string,
  options: ReadOptions,
): Promise<ListResult> {
  const token = options.continueToken ? decodeContinue(options.continueToken) : undefined;
  if (token && options.resourceVersion) throw badRequest('specifying resource version is not allowed when using continue');
  const from = token ? prefix + token.start : prefix;
  const exact = token ? (token.revision > 0 ? token.revision : undefined) : momentOf(options);
  await waitForRevision(feed, exact ?? (token ? undefined : options.resourceVersion));

  let revision = feed.revision;
  let found: CachedObject[];
  if (exact === undefined) {
    found = cache.range(prefix, from);
  } else {
    const then = cache.rangeAt(exact, prefix, from);
    if (!then) throw forgotten(exact, token?.start);
    found = then;
    revision = exact;
  }
  return row.remote ? remotePage(row, found, revision, prefix, options) : page(found, revision, prefix, options);
}

/** A selector looks at what the webhook makes of an object, labels and all; without one only what is shown has to be made. */
async function remotePage(
  row: ResourceRow,
  found: readonly CachedObject[],
  revision: number,
  prefix: string,
  options: ReadOptions,
): Promise<ListResult> {
  if (!options.selection.all) return page(await remoteViews(row, found), revision, prefix, options);
  const result = page(found, revision, prefix, options);
  return { ...result, objects: await remoteViews(row, result.objects) };
}

/** The moment that is asked for: by Exact, and, as upstream has it of old, by a limit with nothing said of the match. Otherwise a resourceVersion is only a lower bound. */
function momentOf({ match, limit, resourceVersion }: ReadOptions): number | undefined {
  const isExact = match === 'Exact' || (match === undefined && limit > 0);
  return isExact && resourceVersion ? resourceVersion : undefined;
}

function page(found: readonly CachedObject[], revision: number, prefix: string, options: ReadOptions): ListResult {
  const { selection, limit, resourceVersion } = options;
  // Who takes any moment is given all of it: client-go's reflectors begin so, with a limit, and upstream's cache takes no notice of that.
  if (limit <= 0 || (resourceVersion === 0 && !options.continueToken)) {
    const objects = selection.all ? found : found.filter((o) => selection.matches(o));
    return { objects, revision, continueToken: undefined, remaining: undefined };
  }
  const objects: CachedObject[] = [];
  for (const [i, object] of found.entries()) {
    if (!selection.matches(object)) continue;
    if (objects.length === limit) {
      const start = object.key.slice(prefix.length);
      return {
        objects,
        revision,
        continueToken: encodeContinue({ revision, start }),
        remaining: selection.all ? found.length - i : undefined,
      };
    }
    objects.push(object);
  }
  return { objects, revision, continueToken: undefined, remaining: undefined };
}

function forgotten(revision: number, start: string | undefined): Error {
  if (start === undefined) return expired(`The resourceVersion for the provided list is too old: ${revision}`);
  return expired(
    'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.',
    encodeContinue({ revision: -1, start }),
  );
}
