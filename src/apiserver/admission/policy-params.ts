/**
 * Who writes a policy or binding must be allowed to read what it takes as `params`: a message of the policy could show it
 * (pkg/registry/admissionregistration/validatingadmissionpolicy/authz.go). It is loaded with the first write of one that names some.
 */
import { validatingAdmissionPolicies, validatingAdmissionPolicyBindings } from '../../api/resource-types.ts';
import type { AdmissionPlugin } from './admission.ts';
import { isWriteOf } from './admission.ts';
import type { PolicyDeps } from './policy/policy-dispatch.ts';

export function policyParams(deps: PolicyDeps): AdmissionPlugin {
  return {
    validate: (request) => {
      if (request.operation === 'DELETE' || request.row.type.group !== 'admissionregistration.k8s.io') return undefined;
      if (!isWriteOf(request, validatingAdmissionPolicies) && !isWriteOf(request, validatingAdmissionPolicyBindings)) return undefined;
      return import('./policy/param-access.ts').then(({ checkParamAccess }) => checkParamAccess(request, deps));
    },
  };
}
