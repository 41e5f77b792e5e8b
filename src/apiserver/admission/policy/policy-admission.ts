/** ValidatingAdmissionPolicy: policies in CEL say what may be written. */
import type { AdmissionPlugin } from '../admission.ts';
import { isExempt } from '../match/request-match.ts';
import { Policies } from './policies.ts';
import type { PolicyDeps } from './policy-dispatch.ts';

export function validatingPolicies(deps: PolicyDeps): AdmissionPlugin {
  let policies: Policies | undefined;
  return {
    validate: (request) => {
      policies ??= new Policies(deps.lookup);
      const { bound } = policies;
      if (bound.length === 0 || isExempt(request, { webhooks: false })) return undefined;
      return import('./policy-dispatch.ts').then(({ askPolicies }) => askPolicies(bound, request, deps));
    },
  };
}
