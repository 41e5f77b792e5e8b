/** Which nodes a pod may go to by their labels and name. https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/ */
import type { NodeSelectorTerm, PodSpec } from '../schema/types.ts';

export interface NodeIdentity {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

type Requirement = NonNullable<NodeSelectorTerm['matchExpressions']>[number];

function isInteger(text: string | undefined): boolean {
  return text !== undefined && /^[+-]?\d+$/.test(text);
}

function fits(requirement: Requirement, actual: string | undefined): boolean {
  const values = requirement.values ?? [];
  switch (requirement.operator) {
    case 'In':
      return actual !== undefined && values.includes(actual);
    case 'NotIn':
      return actual === undefined || !values.includes(actual);
    case 'Exists':
      return actual !== undefined;
    case 'DoesNotExist':
      return actual === undefined;
    case 'Gt':
      return isInteger(actual) && Number(actual) > Number(values[0]);
    case 'Lt':
      return isInteger(actual) && Number(actual) < Number(values[0]);
    default:
      return false;
  }
}

/** All requirements of a term must fit; a term without any fits nothing. */
export function nodeTermFits(term: NodeSelectorTerm, node: NodeIdentity): boolean {
  const labels = term.matchExpressions ?? [];
  const fields = term.matchFields ?? [];
  if (labels.length + fields.length === 0) return false;
  return (
    labels.every((r) => fits(r, node.labels[r.key])) && fields.every((r) => fits(r, r.key === 'metadata.name' ? node.name : undefined))
  );
}

/** nodeSelector and required node affinity as one question; undefined when the pod asks for nothing. */
export function nodeRequirement(spec: PodSpec | undefined): ((node: NodeIdentity) => boolean) | undefined {
  const selector = Object.entries(spec?.nodeSelector ?? {});
  const terms = spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  if (selector.length === 0 && !terms) return undefined;
  // Terms are alternatives.
  return (node) => selector.every(([key, value]) => node.labels[key] === value) && (!terms || terms.some((t) => nodeTermFits(t, node)));
}
