/** What is said of a request to webhooks and expressions, beside its objects: an AdmissionRequest (admission.k8s.io/v1). */
import type { UserInfo } from '../../auth/user-info.ts';
import type { AdmissionRequest } from '../admission.ts';
import { bodyOf, shownObject, type VersionedRequest } from './versioned-request.ts';

export function requestFields(versioned: VersionedRequest): Readonly<Record<string, unknown>> & { readonly requestResource: object } {
  const { request, row, body } = versioned;
  const { subresource, operation, dryRun, user } = request;
  const namespace = namespaceOf(request);
  const name = nameOf(versioned);
  const asked = bodyOf(request.row, subresource);
  const kind = request.form || row === request.row ? asked : body;
  return {
    kind: { group: kind.group, version: kind.version, kind: kind.kind },
    resource: resourceOf(row.type),
    ...(subresource ? { subResource: subresource } : {}),
    requestKind: { group: asked.group, version: asked.version, kind: asked.kind },
    requestResource: resourceOf(request.row.type),
    ...(subresource ? { requestSubResource: subresource } : {}),
    ...(name ? { name } : {}),
    ...(namespace ? { namespace } : {}),
    operation,
    userInfo: userOf(user),
    dryRun,
    options: optionsOf(request),
  };
}

/** Of a creation by generateName the one that was made, once upstream has made it. */
export function nameOf(versioned: VersionedRequest): string {
  const { request } = versioned;
  return request.isUnnamed ? (shownObject(versioned)?.metadata?.name ?? '') : request.name;
}

function userOf({ name, uid, groups, extra = {} }: UserInfo): object {
  return { username: name, ...(uid ? { uid } : {}), groups, ...(Object.keys(extra).length > 0 ? { extra } : {}) };
}

/** As upstream: of a request for a Namespace itself, its name. */
export function namespaceOf({ row, isUnnamed = false, namespace, name }: AdmissionRequest): string {
  const isNamespace = row.type.group === '' && row.type.resource === 'namespaces';
  return isNamespace && !isUnnamed ? name : namespace;
}

const optionKinds: Readonly<Record<string, string>> = { CREATE: 'CreateOptions', UPDATE: 'UpdateOptions', DELETE: 'DeleteOptions' };

/** Of the operation, which need not be what the client asked for: a patch may create. */
function optionsOf({ operation, options }: AdmissionRequest): object | null {
  const kind = optionKinds[operation];
  if (kind === undefined) return null;
  // The decoder gives metadata to whatever comes as a body.
  const { metadata: _metadata, ...given } = (options?.() ?? {}) as { metadata?: unknown };
  return { ...given, kind, apiVersion: 'meta.k8s.io/v1' };
}

function resourceOf({ group, version, resource }: { group: string; version: string; resource: string }): object {
  return { group, version, resource };
}
