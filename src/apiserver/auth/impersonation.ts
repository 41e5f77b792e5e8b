/** `kubectl --as`: acting as somebody else, for those who may. */
import type { IncomingHttpHeaders } from 'node:http';
import { type Attributes, forbiddenMessage, resourceAttributes } from './attributes.ts';
import type { Authorizer } from './authorizer.ts';
import { anonymous, authenticatedGroup, serviceAccountsGroup, type UserInfo, unauthenticatedGroup } from './user-info.ts';

type Impersonation =
  | { readonly ok: true; readonly user: UserInfo }
  | { readonly ok: false; readonly code: 400 | 403; readonly message: string };

const prefix = 'impersonate-';
const extraPrefix = `${prefix}extra-`;
const authentication = 'authentication.k8s.io';

/** Whether a request asks for `impersonate` at all. */
export function isImpersonating(headers: IncomingHttpHeaders): boolean {
  return Object.keys(headers).some((name) => name.startsWith(prefix));
}

/**
 * The user to act as: `user` itself when the request asks for nobody else. `headers` are Node's `headersDistinct`; in `headers` several
 * groups are joined into one string that cannot be taken apart again.
 */
export function impersonate(user: UserInfo, headers: NodeJS.Dict<string[]> | IncomingHttpHeaders, authorizer: Authorizer): Impersonation {
  const values = (name: string): string[] => [headers[name] ?? []].flat();
  const name = values('impersonate-user')[0] ?? '';
  const groups = values('impersonate-group');
  const uid = values('impersonate-uid')[0] ?? '';
  const extra = extraOf(headers);
  if (!name) {
    if (groups.length === 0 && !uid && Object.keys(extra).length === 0) return { ok: true, user };
    return { ok: false, code: 400, message: `requested [${[...groups, uid].filter(Boolean).join(' ')}] without impersonating a user` };
  }

  const [, namespace, account] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(name) ?? [];
  const ask = (what: Partial<Attributes>): Attributes => resourceAttributes(user, 'impersonate', what);
  const questions = [
    namespace && account
      ? ask({ version: 'v1', resource: 'serviceaccounts', namespace, name: account })
      : ask({ version: 'v1', resource: 'users', name }),
    ...groups.map((group) => ask({ version: 'v1', resource: 'groups', name: group })),
    ...(uid ? [ask({ group: authentication, version: 'v1', resource: 'uids', name: uid })] : []),
    ...Object.entries(extra).flatMap(([key, list]) =>
      list.map((value) => ask({ group: authentication, version: 'v1', resource: 'userextras', subresource: key, name: value })),
    ),
  ];
  for (const question of questions) {
    const decision = authorizer.authorize(question);
    if (!decision.allowed) return { ok: false, code: 403, message: forbiddenMessage(question, decision.reason) };
  }
  return {
    ok: true,
    user: {
      name,
      groups: groupsOf(name, groups, namespace),
      ...(uid ? { uid } : {}),
      ...(Object.keys(extra).length > 0 ? { extra } : {}),
    },
  };
}

function groupsOf(name: string, asked: readonly string[], namespace: string | undefined): string[] {
  const groups = asked.length === 0 && namespace ? [serviceAccountsGroup, `${serviceAccountsGroup}:${namespace}`] : [...asked];
  if (name === anonymous.name) return groups.includes(unauthenticatedGroup) ? groups : [...groups, unauthenticatedGroup];
  return groups.includes(authenticatedGroup) || groups.includes(unauthenticatedGroup) ? groups : [...groups, authenticatedGroup];
}

function extraOf(headers: NodeJS.Dict<string[]> | IncomingHttpHeaders): Record<string, string[]> {
  const extra: Record<string, string[]> = {};
  for (const [header, value] of Object.entries(headers)) {
    if (!header.startsWith(extraPrefix) || value === undefined) continue;
    extra[decodeKey(header.slice(extraPrefix.length))] = [value].flat();
  }
  return extra;
}

/** Keys with characters that no header may carry are percent-encoded; one that is not stands for itself. */
function decodeKey(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}
