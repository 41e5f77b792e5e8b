/** In whose name a request writes (`?fieldManager`), and that a repeated write does not change the times of managers. */
import { isDeepStrictEqual } from 'node:util';
import { withoutManagers } from '../../api/apply/ownership.ts';
import type { KubeObject } from '../../api/resource-types.ts';
import { managerNameErrors } from '../../api/validation/object-meta.ts';
import type { RequestContext } from '../http/request-context.ts';
import { invalidOptions } from '../status/status-error.ts';

const maxLength = 128;

/** `?fieldManager`, '' when it is not given. Throws 422. */
export function givenManager(ctx: RequestContext): string {
  const manager = ctx.query.get('fieldManager') ?? '';
  const errors = manager === '' ? [] : managerNameErrors(manager, 'fieldManager');
  if (errors.length > 0) throw invalidOptions(optionsKind(ctx), ...errors);
  return manager;
}

/** The manager of an ordinary write: given, or else what stands before the slash of the user agent. Throws 422. */
export function managerOf(ctx: RequestContext): string {
  const manager = givenManager(ctx);
  if (manager !== '') return manager;
  const agent = ctx.req.headers['user-agent'] ?? '';
  const slash = agent.indexOf('/');
  return (slash < 0 ? agent : agent.slice(0, slash)).slice(0, maxLength);
}

const kinds: Readonly<Record<string, string>> = {
  create: 'CreateOptions',
  update: 'UpdateOptions',
  patch: 'PatchOptions',
  delete: 'DeleteOptions',
  deletecollection: 'DeleteOptions',
};

/** What upstream calls the options in the query of a write. */
export function optionsKind({ info: { verb } }: RequestContext): string {
  return kinds[verb] ?? 'CreateOptions';
}

/** Puts the old managers back, **in place**, where nothing is new but their times: that is no change to be stored. */
export function keepTimes(next: KubeObject, old: KubeObject): void {
  const before = old.metadata.managedFields;
  const after = next.metadata.managedFields;
  if (!before || before.length !== after?.length || isDeepStrictEqual(before, after)) return;
  const timeless = (entries: typeof before): Set<string> => new Set(entries.map(({ time: _time, ...entry }) => JSON.stringify(entry)));
  if (!isDeepStrictEqual(timeless(before), timeless(after))) return;
  if (isDeepStrictEqual(withoutManagers(next), withoutManagers(old))) next.metadata.managedFields = structuredClone(before);
}
