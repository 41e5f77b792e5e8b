/** Whether who writes a policy or binding may read its params. */
import { isDeepStrictEqual } from 'node:util';
import { validatingAdmissionPolicies } from '../../../api/resource-types.ts';
import type { ParamKind, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding } from '../../../api/schema/types.ts';
import { forbidden as forbiddenField } from '../../../api/validation/field-error.ts';
import { statusOfErrors } from '../../../api/validation/status.ts';
import { resourceAttributes } from '../../auth/attributes.ts';
import { mastersGroup } from '../../auth/user-info.ts';
import { StatusError } from '../../status/status-error.ts';
import type { AdmissionRequest } from '../admission.ts';
import type { PolicyDeps } from './policy-dispatch.ts';

/** Throws a StatusError. */
export function checkParamAccess(request: AdmissionRequest, deps: PolicyDeps): void {
  if (request.user.groups.includes(mastersGroup)) return;
  const isPolicy = request.row.type.kind === validatingAdmissionPolicies.kind;
  const why = isPolicy ? ofPolicy(request, deps) : ofBinding(request, deps);
  if (why === undefined) return;
  const path = isPolicy ? 'spec.paramKind' : 'spec.paramRef';
  throw StatusError.of(statusOfErrors(request.row.type, request.name, [forbiddenField(path, why)]));
}

function ofPolicy({ user, object, old }: AdmissionRequest, { authorizer, registry }: PolicyDeps): string | undefined {
  const paramKindOf = (one: unknown): ParamKind | undefined => (one as ValidatingAdmissionPolicy | undefined)?.spec?.paramKind;
  const paramKind = paramKindOf(object);
  if (!paramKind || isDeepStrictEqual(paramKind, paramKindOf(old))) return undefined;
  const what = { ...referred(paramKind, registry), name: '*', namespace: '*' };
  if (authorizer.authorize(resourceAttributes(user, 'get', what)).allowed) return undefined;
  const { kind, apiVersion } = paramKind;
  return `user ${user.name} must have "get" permission on all objects of the referenced paramKind (kind=${kind}, apiVersion=${apiVersion})`;
}

function ofBinding({ user, object, old }: AdmissionRequest, { authorizer, registry, lookup }: PolicyDeps): string | undefined {
  const specOf = (one: unknown): ValidatingAdmissionPolicyBinding['spec'] | undefined =>
    (one as ValidatingAdmissionPolicyBinding | undefined)?.spec;
  const [spec, before] = [specOf(object), specOf(old)];
  const { paramRef, policyName = '' } = spec ?? {};
  if (!paramRef || isDeepStrictEqual([paramRef, policyName], [before?.paramRef, before?.policyName])) return undefined;
  const policy = lookup.get(validatingAdmissionPolicies, policyName);
  const verb = paramRef.name ? 'get' : 'list';
  const kind = policy?.spec?.paramKind;
  const what = {
    ...(kind ? referred(kind, registry) : { group: '*', version: '*', resource: '*' }),
    ...{ name: paramRef.name ?? '', namespace: paramRef.namespace ?? '' },
  };
  if (authorizer.authorize(resourceAttributes(user, verb, what)).allowed) return undefined;
  return policy
    ? `user ${user.name} does not have "${verb}" permission on the object referenced by paramRef`
    : `unable to get policy ${policyName} to determine minimum required permissions and user ${user.name} does not have "${verb}" permission for all groups, versions and resources`;
}

/** All resources of a group where the kind is not served. */
function referred(
  { apiVersion = '', kind = '' }: ParamKind,
  registry: PolicyDeps['registry'],
): { group: string; version: string; resource: string } {
  const slash = apiVersion.indexOf('/');
  const resource = registry.rowOfKind(apiVersion, kind)?.type.resource ?? '*';
  return { group: slash < 0 ? '' : apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1), resource };
}
