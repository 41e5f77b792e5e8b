/** What all policies say of a request, as k8s.io/apiserver/pkg/admission/plugin/policy/validating/dispatcher.go. Loaded with the first policy. */
import { SharedObjects } from '../../../api/cel/admission/admission-values.ts';
import { type Allowance, admissionLimits } from '../../../api/cel/admission/evaluation.ts';
import { type Denial, PolicyEvaluator } from '../../../api/cel/admission/policy-evaluator.ts';
import type { ResourceRow } from '../../../api/registry/resource-row.ts';
import { type KubeObject, namespaces } from '../../../api/resource-types.ts';
import type { ValidatingAdmissionPolicy } from '../../../api/schema/types.ts';
import { messageOf } from '../../../errors/known-error.ts';
import type { Authorizer } from '../../auth/authorizer.ts';
import { isStatusError, notFound, StatusError } from '../../status/status-error.ts';
import { type AdmissionRequest, refused } from '../admission.ts';
import { admissionInput } from '../match/admission-input.ts';
import { matchesNamespace, matchesObject, matchingRow } from '../match/request-match.ts';
import { VersionedRequest } from '../match/versioned-request.ts';
import type { Binding, BoundPolicy, Constraints } from './policies.ts';
import { ConfigurationError, type ParamDeps, paramRowOf, paramsOf } from './policy-params.ts';

export interface PolicyDeps extends ParamDeps {
  readonly authorizer: Authorizer;
}

const evaluators = new WeakMap<ValidatingAdmissionPolicy, PolicyEvaluator>();

function evaluatorOf(policy: ValidatingAdmissionPolicy): PolicyEvaluator {
  const known = evaluators.get(policy);
  if (known) return known;
  const made = new PolicyEvaluator(policy.spec ?? {});
  evaluators.set(policy, made);
  return made;
}

/** Throws a StatusError for a request that a policy refuses: all are asked first, as some may warn. */
export async function askPolicies(policies: readonly BoundPolicy[], request: AdmissionRequest, deps: PolicyDeps): Promise<void> {
  const asking = new Asking(request, deps);
  for (const policy of policies) await asking.policy(policy);
  const [first] = asking.denials;
  if (!first) return;
  const { reason = 'Invalid' } = first;
  const { code, status } = refused(request, first.message, [{ message: first.message }]);
  throw new StatusError(codes[reason] ?? code, reason, status.message ?? '', status.details);
}

const codes: Readonly<Record<string, number>> = { Forbidden: 403, Unauthorized: 401, RequestEntityTooLarge: 413, Invalid: 422 };

class Asking {
  /** In upstream's words. */
  readonly denials: Denial[] = [];
  readonly #request: AdmissionRequest;
  readonly #deps: PolicyDeps;
  readonly #allowance: Allowance = { left: admissionLimits.request };
  readonly #shared = new Map<ResourceRow, SharedObjects>();
  #namespace: Promise<KubeObject | undefined> | undefined;

  constructor(request: AdmissionRequest, deps: PolicyDeps) {
    this.#request = request;
    this.#deps = deps;
  }

  async policy(bound: BoundPolicy): Promise<void> {
    const { policy, constraints, bindings } = bound;
    await this.#configured(policy, undefined, async () => {
      const row = await this.#matches(constraints);
      if (!row) return;
      const { paramKind } = policy.spec ?? {};
      const paramRow = paramKind && paramRowOf(paramKind, this.#deps.registry);
      for (const binding of bindings) await this.#configured(policy, binding, () => this.#bound(policy, binding, row, paramRow));
    });
  }

  async #bound(
    policy: ValidatingAdmissionPolicy,
    { binding, constraints }: Binding,
    row: ResourceRow,
    paramRow: ResourceRow | undefined,
  ): Promise<void> {
    if (constraints && !(await this.#matches(constraints))) return;
    const { paramRef, validationActions } = binding.spec;
    const all = await paramsOf(paramRow, paramRef, this.#request.namespace, this.#deps);
    for (const params of all)
      for (const denial of await this.#evaluate(policy, row, params)) {
        const { message } = denial;
        const names = `ValidatingAdmissionPolicy '${policy.metadata.name}' with binding '${binding.metadata.name}'`;
        if (denial.always || validationActions.includes('Deny'))
          this.denials.push({ ...denial, message: `${names} denied request: ${message}` });
        if (!denial.always && validationActions.includes('Warn')) this.#request.warnings.push(`Validation failed for ${names}: ${message}`);
      }
  }

  async #evaluate(policy: ValidatingAdmissionPolicy, row: ResourceRow, params: KubeObject | undefined): Promise<Denial[]> {
    const input = {
      ...admissionInput(await VersionedRequest.of(this.#request, row), this.#deps.authorizer),
      params,
      namespaceObject: await this.#namespaceObject(),
    };
    const shared = this.#shared.get(row) ?? new SharedObjects(input);
    this.#shared.set(row, shared);
    return evaluatorOf(policy).denials(input, shared, this.#allowance);
  }

  /** The row of which the request is for it. Throws what `#configured` knows. */
  async #matches({ match, namespaceSelector, objectSelector }: Constraints): Promise<ResourceRow | undefined> {
    const { lookup, registry } = this.#deps;
    const { resourceRules = [], excludeResourceRules = [], matchPolicy = 'Equivalent' } = match;
    const request = this.#request;
    if (matchingRow(registry, excludeResourceRules, matchPolicy, request)) return undefined;
    const row = resourceRules.length === 0 ? request.row : matchingRow(registry, resourceRules, matchPolicy, request);
    if (!row || !matchesObject(objectSelector, request)) return undefined;
    try {
      return (await matchesNamespace(namespaceSelector, request, lookup)) ? row : undefined;
    } catch (err) {
      throw isStatusError(err) ? new ConfigurationError(messageOf(err)) : err;
    }
  }

  /** What `failurePolicy` makes of a policy or binding that cannot be used. */
  async #configured(policy: ValidatingAdmissionPolicy, binding: Binding | undefined, use: () => Promise<void>): Promise<void> {
    try {
      await use();
    } catch (err) {
      if (!(err instanceof ConfigurationError)) throw err;
      if (policy.spec?.failurePolicy === 'Ignore') return;
      const name = policy.metadata.name;
      const message = binding
        ? `ValidatingAdmissionPolicy '${name}' with binding '${binding.binding.metadata.name}' denied request: failed to configure binding: ${err.message}`
        : `ValidatingAdmissionPolicy '${name}' denied request: failed to configure policy: ${err.message}`;
      this.denials.push({ message });
    }
  }

  /** Of what lies in one: a Namespace does not lie in itself. */
  #namespaceObject(): Promise<KubeObject | undefined> {
    this.#namespace ??= this.#findNamespace();
    return this.#namespace;
  }

  async #findNamespace(): Promise<KubeObject | undefined> {
    const { row, namespace } = this.#request;
    if (namespace === '' || (row.type.group === '' && row.type.kind === 'Namespace')) return undefined;
    const found = await this.#deps.lookup.find(namespaces, namespace);
    if (!found) throw notFound(namespaces, namespace);
    return found;
  }
}
