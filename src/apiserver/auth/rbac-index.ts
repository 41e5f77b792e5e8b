/**
 * Roles and bindings, indexed by subject. The rules of a subject are merged into one table per scope when they are first asked for, and
 * thrown away when a role or binding they come from changes; a request never walks over the bindings.
 */
import { isDeepStrictEqual } from 'node:util';
import { objectKey } from '../../api/object-key.ts';
import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, Subject } from '../../api/schema/types.ts';
import { labelSelectorOf } from '../../api/selector/label.ts';
import { type Question, RuleTable } from './rule-table.ts';
import { serviceAccountUser, type UserInfo } from './user-info.ts';

export type RbacObject = Role | ClusterRole | RoleBinding | ClusterRoleBinding;

type AnyBinding = RoleBinding | ClusterRoleBinding;

/** All bindings of one subject. */
interface SubjectEntry {
  /** Bindings by namespace, '' for ClusterRoleBindings. */
  readonly bindings: Map<string, Map<string, { readonly binding: AnyBinding; readonly subject: Subject }>>;
  /** Compiled rules by namespace. */
  readonly tables: Map<string, RuleTable>;
}

export class RbacIndex {
  readonly #roles = new Map<string, Role | ClusterRole>();
  readonly #bindings = new Map<string, AnyBinding>();
  readonly #bindingsOfRole = new Map<string, Set<string>>();
  readonly #subjects = new Map<string, SubjectEntry>();
  readonly #aggregated = new Set<string>();

  /** Adds the object, or replaces the one of that kind and name. */
  put(object: RbacObject): void {
    if ('roleRef' in object) {
      this.#dropBinding(object);
      this.#addBinding(object);
      return;
    }
    const key = objectKey(object);
    this.#roles.set(key, object);
    if ('aggregationRule' in object && object.aggregationRule) this.#aggregated.add(key);
    else this.#aggregated.delete(key);
    this.#forgetTables(key);
  }

  delete(object: RbacObject): void {
    if ('roleRef' in object) {
      this.#dropBinding(object);
      return;
    }
    const key = objectKey(object);
    this.#roles.delete(key);
    this.#aggregated.delete(key);
    this.#forgetTables(key);
  }

  /** Why the user may, or undefined. Bindings of the cluster count everywhere, those of `namespace` there; paths are granted by the former only. */
  find(user: UserInfo, namespace: string, question: Question): string | undefined {
    const scoped = namespace !== '' && question.path === undefined;
    for (const key of subjectKeys(user)) {
      const entry = this.#subjects.get(key);
      if (!entry) continue;
      const reason = this.#table(entry, '')?.find(question) ?? (scoped ? this.#table(entry, namespace)?.find(question) : undefined);
      if (reason !== undefined) return reason;
    }
    return undefined;
  }

  /** Every rule the user has in the namespace. */
  rulesOf(user: UserInfo, namespace: string): PolicyRule[] {
    const rules: PolicyRule[] = [];
    for (const key of subjectKeys(user)) {
      for (const scope of namespace === '' ? [''] : ['', namespace]) {
        for (const { binding } of this.#subjects.get(key)?.bindings.get(scope)?.values() ?? [])
          rules.push(...(this.roleRules(binding) ?? []));
      }
    }
    return rules;
  }

  /** The rules of the role that a binding refers to; undefined when there is no such role. */
  roleRules(binding: AnyBinding): readonly PolicyRule[] | undefined {
    return this.#rules(roleKeyOf(binding), new Set());
  }

  /** The rules of all ClusterRoles that the role's aggregationRule selects, each once. */
  aggregatedRules(role: ClusterRole): PolicyRule[] {
    return this.#aggregate(role, new Set([objectKey(role)]));
  }

  /** The aggregated roles whose own `rules` are not what they select, with the rules that they should have: for people to read, see README. */
  staleAggregates(): ClusterRole[] {
    return [...this.#aggregated].flatMap((key) => {
      const role = this.#roles.get(key) as ClusterRole;
      const rules = this.aggregatedRules(role);
      return isDeepStrictEqual(rules, role.rules ?? []) ? [] : [{ ...role, rules }];
    });
  }

  #rules(key: string, seen: Set<string>): readonly PolicyRule[] | undefined {
    const role = this.#roles.get(key);
    if (!role) return undefined;
    // What a controller wrote into an aggregated role's own rules lags behind; the selected roles are the truth.
    if (!this.#aggregated.has(key)) return role.rules ?? [];
    if (seen.has(key)) return [];
    return this.#aggregate(role, new Set([...seen, key]));
  }

  #aggregate(role: ClusterRole, seen: Set<string>): PolicyRule[] {
    const own = objectKey(role);
    const rules = new Map<string, PolicyRule>();
    for (const given of role.aggregationRule?.clusterRoleSelectors ?? []) {
      const selector = labelSelectorOf(given);
      // By name, so that the result does not depend on the order in which the roles came.
      for (const [key, other] of [...this.#roles].sort(([a], [b]) => (a < b ? -1 : 1))) {
        if (!isClusterRole(key) || key === own || !selector.matches(other.metadata.labels ?? {})) continue;
        for (const rule of this.#rules(key, seen) ?? []) rules.set(JSON.stringify(rule), rule);
      }
    }
    return [...rules.values()];
  }

  #table(entry: SubjectEntry, namespace: string): RuleTable | undefined {
    const compiled = entry.tables.get(namespace);
    if (compiled) return compiled;
    const bindings = entry.bindings.get(namespace);
    if (!bindings) return undefined;
    const table = new RuleTable();
    for (const { binding, subject } of bindings.values()) table.add(this.roleRules(binding) ?? [], reasonOf(binding, subject));
    entry.tables.set(namespace, table);
    return table;
  }

  #addBinding(binding: AnyBinding): void {
    const key = objectKey(binding);
    this.#bindings.set(key, binding);
    const role = roleKeyOf(binding);
    this.#bindingsOfRole.set(role, (this.#bindingsOfRole.get(role) ?? new Set()).add(key));
    const scope = binding.metadata.namespace ?? '';
    for (const subject of binding.subjects ?? []) {
      const subjectKey = subjectKeyOf(subject, scope);
      if (subjectKey === undefined) continue;
      const entry: SubjectEntry = this.#subjects.get(subjectKey) ?? { bindings: new Map(), tables: new Map() };
      this.#subjects.set(subjectKey, entry);
      const scoped = entry.bindings.get(scope) ?? new Map();
      entry.bindings.set(scope, scoped.set(key, { binding, subject }));
      entry.tables.delete(scope);
    }
  }

  #dropBinding(object: AnyBinding): void {
    const key = objectKey(object);
    const binding = this.#bindings.get(key);
    if (!binding) return;
    this.#bindings.delete(key);
    const siblings = this.#bindingsOfRole.get(roleKeyOf(binding));
    siblings?.delete(key);
    if (siblings?.size === 0) this.#bindingsOfRole.delete(roleKeyOf(binding));
    const scope = binding.metadata.namespace ?? '';
    for (const subject of binding.subjects ?? []) {
      const subjectKey = subjectKeyOf(subject, scope);
      const entry = subjectKey === undefined ? undefined : this.#subjects.get(subjectKey);
      if (!entry) continue;
      const scoped = entry.bindings.get(scope);
      scoped?.delete(key);
      entry.tables.delete(scope);
      if (scoped?.size === 0) entry.bindings.delete(scope);
      if (entry.bindings.size === 0) this.#subjects.delete(subjectKey!);
    }
  }

  /** Forgets what was compiled from the role, and from every aggregated role, which may select it. */
  #forgetTables(roleKey: string): void {
    for (const role of isClusterRole(roleKey) ? new Set([roleKey, ...this.#aggregated]) : [roleKey]) {
      for (const bindingKey of this.#bindingsOfRole.get(role) ?? []) {
        const binding = this.#bindings.get(bindingKey)!;
        const scope = binding.metadata.namespace ?? '';
        for (const subject of binding.subjects ?? []) {
          const key = subjectKeyOf(subject, scope);
          if (key !== undefined) this.#subjects.get(key)?.tables.delete(scope);
        }
      }
    }
  }
}

function roleKeyOf(binding: AnyBinding): string {
  const { kind, name } = binding.roleRef;
  return kind === 'ClusterRole' ? name : `${binding.metadata.namespace}/${name}`;
}

/** Names of roles have no slash. */
function isClusterRole(roleKey: string): boolean {
  return !roleKey.includes('/');
}

function subjectKeyOf(subject: Subject, namespace: string): string | undefined {
  switch (subject.kind) {
    case 'User':
      return `u:${subject.name}`;
    case 'Group':
      return `g:${subject.name}`;
    case 'ServiceAccount':
      return `u:${serviceAccountUser(subject.namespace || namespace, subject.name)}`;
    default:
      return undefined;
  }
}

function* subjectKeys(user: UserInfo): Generator<string> {
  yield `u:${user.name}`;
  for (const group of user.groups) yield `g:${group}`;
}

function reasonOf(binding: AnyBinding, subject: Subject): string {
  const { name, namespace } = binding.metadata;
  const what = namespace ? `RoleBinding "${name}/${namespace}"` : `ClusterRoleBinding "${name}"`;
  const who = subject.kind === 'ServiceAccount' ? `"${subject.name}/${subject.namespace || namespace}"` : `"${subject.name}"`;
  return `RBAC: allowed by ${what} of ${binding.roleRef.kind} "${binding.roleRef.name}" to ${subject.kind} ${who}`;
}
