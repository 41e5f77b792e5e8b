/** The policies that have bindings, followed in the cache. */
import { validatingAdmissionPolicies, validatingAdmissionPolicyBindings } from '../../../api/resource-types.ts';
import type { MatchResources, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding } from '../../../api/schema/types.ts';
import { labelSelectorOf, type Selector } from '../../../api/selector/label.ts';
import type { Lookup } from '../../cache/lookup.ts';

/** For which requests a policy or binding is. */
export interface Constraints {
  readonly match: MatchResources;
  readonly namespaceSelector: Selector;
  readonly objectSelector: Selector;
}

export interface BoundPolicy {
  readonly policy: ValidatingAdmissionPolicy;
  readonly constraints: Constraints;
  readonly bindings: readonly Binding[];
}

export interface Binding {
  readonly binding: ValidatingAdmissionPolicyBinding;
  /** Undefined for one that is for all that its policy is for. */
  readonly constraints: Constraints | undefined;
}

export class Policies {
  readonly #policies = new Map<string, ValidatingAdmissionPolicy>();
  readonly #bindings = new Map<string, ValidatingAdmissionPolicyBinding>();
  #bound: readonly BoundPolicy[] | undefined = [];

  constructor(lookup: Lookup) {
    const follow = <T extends { readonly metadata: { readonly name: string } }>(into: Map<string, T>) => ({
      put: (one: T): void => {
        into.set(one.metadata.name, one);
        this.#bound = undefined;
      },
      delete: (one: T): void => {
        into.delete(one.metadata.name);
        this.#bound = undefined;
      },
    });
    lookup.follow(validatingAdmissionPolicies, follow(this.#policies));
    lookup.follow(validatingAdmissionPolicyBindings, follow(this.#bindings));
  }

  /** By their names. */
  get bound(): readonly BoundPolicy[] {
    this.#bound ??= this.#bind();
    return this.#bound;
  }

  #bind(): BoundPolicy[] {
    const bindings = Map.groupBy(byName(this.#bindings), ({ spec }) => spec.policyName);
    return byName(this.#policies).flatMap((policy) => {
      const own = bindings.get(policy.metadata.name) ?? [];
      if (own.length === 0) return [];
      return [
        {
          policy,
          constraints: constraintsOf(policy.spec?.matchConstraints ?? {}),
          bindings: own.map((binding) => {
            const { matchResources } = binding.spec;
            return { binding, constraints: matchResources && constraintsOf(matchResources) };
          }),
        },
      ];
    });
  }
}

function byName<T>(objects: ReadonlyMap<string, T>): T[] {
  return [...objects].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
}

function constraintsOf(match: MatchResources): Constraints {
  return {
    match,
    namespaceSelector: labelSelectorOf(match.namespaceSelector ?? {}),
    objectSelector: labelSelectorOf(match.objectSelector ?? {}),
  };
}
