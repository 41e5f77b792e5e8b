/** Reads roles and bindings as a person writes them: `bootstrap-policy.txt`, which says at its head how a line is read. */
import type { ClusterRole, PolicyRule, Subject } from '../../api/schema/types.ts';
import type { RbacObject } from './rbac-index.ts';

const group = 'rbac.authorization.k8s.io';

/** An object whose lines are still being read. */
interface Draft {
  readonly kind: RbacObject['kind'];
  readonly rules: PolicyRule[];
  readonly subjects: Subject[];
  readonly selectors: { readonly matchLabels: Record<string, string> }[];
  /** Without what the lines below its head say. */
  readonly head: object;
}

/** Throws for a line that says nothing. */
export function parsePolicy(text: string): RbacObject[] {
  const drafts: Draft[] = [];
  for (const line of text.split('\n')) {
    const words = line.trim();
    if (words === '' || words.startsWith('#')) continue;
    if (line.startsWith(' ')) addLine(drafts.at(-1), words);
    else drafts.push(draftOf(words));
  }
  return drafts.map(objectOf);
}

/** `RoleBinding NAMESPACE/NAME → Role NAME`, `ClusterRole NAME LABEL=VALUE`. */
function draftOf(line: string): Draft {
  const [what = '', reference] = line.split(' → ');
  const [kind = '', path = '', ...labels] = what.split(' ');
  if (!path || kind.endsWith('Binding') !== (reference !== undefined)) throw unreadable(line);
  const [name, namespace] = path.split('/').toReversed();
  const [refKind, refName] = reference?.split(' ') ?? [];
  const metadata = {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults', ...Object.fromEntries(labels.map((label) => label.split('='))) },
    annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'true' },
  };
  const roleRef = reference === undefined ? {} : { roleRef: { apiGroup: group, kind: refKind, name: refName } };
  const head = { apiVersion: `${group}/v1`, kind, metadata, ...roleRef };
  return { kind: kind as Draft['kind'], rules: [], subjects: [], selectors: [], head };
}

function addLine(draft: Draft | undefined, line: string): void {
  const [verbs = '', what] = line.split(' — ');
  if (!draft) throw unreadable(line);
  if (draft.kind.endsWith('Binding')) draft.subjects.push(subjectOf(line));
  else if (line.startsWith('all with ')) draft.selectors.push({ matchLabels: JSON.parse(line.slice('all with '.length)) });
  else if (what === undefined) throw unreadable(line);
  else draft.rules.push({ verbs: verbs.split(' '), ...(what.includes(': ') ? resourcesOf(what) : { nonResourceURLs: what.split(' ') }) });
}

/** `core apps: pods deployments (NAME NAME)`. */
function resourcesOf(what: string): Pick<PolicyRule, 'apiGroups' | 'resources' | 'resourceNames'> {
  const [, groups = '', resources = '', names] = /^(.+?): ([^(]+?)(?: \((.+)\))?$/.exec(what) ?? [];
  return {
    apiGroups: groups.split(' ').map((name) => (name === 'core' ? '' : name)),
    resources: resources.split(' '),
    ...(names === undefined ? {} : { resourceNames: names.split(' ') }),
  };
}

function subjectOf(line: string): Subject {
  const [, kind, namespace, name] = /^(User|Group|ServiceAccount) (?:([^ /]+)\/)?([^ /]+)$/.exec(line) ?? [];
  if (kind === undefined || name === undefined) throw unreadable(line);
  return kind === 'ServiceAccount' && namespace !== undefined ? { kind, name, namespace } : { kind, apiGroup: group, name };
}

function objectOf({ kind, head, rules, subjects, selectors }: Draft): RbacObject {
  const aggregation: Partial<ClusterRole> = selectors.length > 0 ? { aggregationRule: { clusterRoleSelectors: selectors } } : {};
  const content = kind.endsWith('Binding') ? (subjects.length > 0 ? { subjects } : {}) : { rules, ...aggregation };
  return { ...head, ...content } as RbacObject;
}

function unreadable(line: string): Error {
  return new Error(`Cannot read "${line}" of a policy`);
}
