/**
 * Says what nobody will act on: a warning with the answer, so that kubectl shows it once per object, and one Event at the object for those who
 * look later. Told when the object is made, and when what is left undone of it changes; who is told are people, for what controllers and nodes
 * write was asked for by somebody who has been told.
 */
import { isDeepStrictEqual } from 'node:util';
import { nodePartOf } from '../../api/node-parts.ts';
import type { KubeObject } from '../../api/resource-types.ts';
import type { UserInfo } from '../auth/user-info.ts';
import type { Lookup } from '../cache/lookup.ts';
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts';
import { type Doer, type Unserved, unserved } from './unserved-table.ts';

export interface UnservedDeps {
  readonly lookup: Lookup;
  /** Whose work is done by programs that are not ours. */
  readonly foreign: readonly Doer[];
  /** Writes an Event about the object, in the background. */
  tell(about: KubeObject, message: string): void;
}

export function warnOfUnserved({ lookup, foreign, tell }: UnservedDeps): AdmissionPlugin {
  const lines = new Map<string, Unserved[]>();
  for (const line of unserved)
    if (!foreign.includes(line.doer)) for (const name of line.resources) lines.set(name, [...(lines.get(name) ?? []), line]);
  const messages = (request: AdmissionRequest): string[] => {
    const { row, operation, subresource, object, old, user } = request;
    const ours = lines.get(row.type.group ? `${row.type.resource}.${row.type.group}` : row.type.resource);
    if (!ours || !object || subresource !== '' || (operation !== 'CREATE' && operation !== 'UPDATE') || isProgram(user)) return [];
    // Made for somebody: whoever wrote the owner has been told.
    if (object.metadata.ownerReferences?.some((owner) => owner.controller)) return [];
    return ours.flatMap(({ part, message }) => {
      const now = part(object as never, lookup);
      return now === undefined || (old && isDeepStrictEqual(now, part(old as never, lookup))) ? [] : [message];
    });
  };
  const warned = new WeakMap<AdmissionRequest, readonly string[]>();
  return {
    validate: (request) => {
      const all = messages(request);
      if (all.length === 0) return;
      request.warnings.push(...all);
      warned.set(request, all);
    },
    admitted: (request) => {
      const all = warned.get(request);
      if (all && request.object) tell(request.object, all.join('; '));
    },
  };
}

/** The parts of the cluster, and controllers that run as ServiceAccounts of kube-system. */
function isProgram(user: UserInfo): boolean {
  if (user.name.startsWith('system:serviceaccount:')) return user.name.startsWith('system:serviceaccount:kube-system:');
  return /^system:(kube-|node:|apiserver$)/.test(user.name) || nodePartOf(user) !== undefined;
}
