/** Objects that the server itself sees to. */
import { isDeepStrictEqual } from 'node:util';
import { cloneJson } from '../../api/codec/json-clone.ts';
import type { ResourceRow } from '../../api/registry/resource-row.ts';
import type { KubeObject } from '../../api/resource-types.ts';
import type { Clock } from '../../clock/clock.ts';
import type { Log } from '../../observability/log.ts';
import type { UserInfo } from '../auth/user-info.ts';
import type { ObjectStore } from '../resource/object-store.ts';
import { copyOf } from '../resource/presentation.ts';
import type { WriteContext } from '../resource/write-context.ts';
import type { Writer } from '../resource/writer.ts';
import { isStatusError } from '../status/status-error.ts';

const serverUser: UserInfo = { name: 'system:apiserver', groups: ['system:masters', 'system:authenticated'] };

/** Of what the server writes by itself. No webhook is asked: it may wait for this server to begin. */
export function ownWrite(): WriteContext {
  return { user: serverUser, dryRun: false, warnings: [], ownWrite: true };
}

/** Of what goes on for as long as the server runs. */
export interface Background {
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export interface EnsureDeps {
  readonly objects: ObjectStore;
  readonly writer: Writer;
}

/** Creates the object unless one of its name is there. True when it was created. */
export async function ensureExists({ objects, writer }: EnsureDeps, object: KubeObject): Promise<boolean> {
  const row = rowFor(objects, object);
  const { name, namespace = '' } = object.metadata;
  if (await objects.lookup(row, namespace, name)) return false;
  try {
    await writer.create(row, namespace, cloneJson(object), ownWrite());
    return true;
  } catch (err) {
    if (isStatusError(err, 'AlreadyExists')) return false;
    throw err;
  }
}

/** Creates the object, or has `revise` change the one that is there; `revise` returns its argument to leave it. */
export async function ensure(deps: EnsureDeps, object: KubeObject, revise: (current: KubeObject) => KubeObject): Promise<void> {
  if (await ensureExists(deps, object)) return;
  const row = rowFor(deps.objects, object);
  const { name, namespace = '' } = object.metadata;
  const cached = await deps.objects.lookup(row, namespace, name);
  if (!cached) return;
  const current = copyOf(row, cached);
  if (isDeepStrictEqual(revise(cloneJson(current)), current)) return;
  await deps.writer.update({ row, namespace, name }, (now) => revise(cloneJson(now)), ownWrite());
}

function rowFor({ registry }: ObjectStore, object: KubeObject): ResourceRow {
  const row = registry.rowOfKind(object.apiVersion, object.kind);
  if (!row) throw new Error(`no resource ${object.apiVersion} ${object.kind}`);
  return row;
}
