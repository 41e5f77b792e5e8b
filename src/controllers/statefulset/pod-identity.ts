/** Who a StatefulSet's pod is: its ordinal, names, labels and claims. Pure. */
import type {
  ControllerRevision,
  OwnerReference,
  PersistentVolumeClaim,
  Pod,
  PodTemplateSpec,
  StatefulSet,
  Volume,
} from '../../api/schema/types.ts';
import { controllerRef } from '../ownership/owner.ts';
import { podFromTemplate } from '../ownership/pod-from-template.ts';

/** Names the ControllerRevision that a pod was made from. */
export const revisionLabel = 'controller-revision-hash';
const podNameLabel = 'statefulset.kubernetes.io/pod-name';
const podIndexLabel = 'apps.kubernetes.io/pod-index';

/** Undefined for what is no pod of that set by name. */
export function ordinalOf(set: StatefulSet, pod: Pod): number | undefined {
  const match = /^(.*)-(\d{1,10})$/.exec(pod.metadata.name);
  const ordinal = Number(match?.[2]);
  return match?.[1] === set.metadata.name && ordinal < 2 ** 31 && String(ordinal) === match[2] ? ordinal : undefined;
}

export function startOf({ spec }: StatefulSet): number {
  return spec?.ordinals?.start ?? 0;
}

export function isWanted(set: StatefulSet, ordinal: number): boolean {
  return ordinal >= startOf(set) && ordinal < startOf(set) + (set.spec?.replicas ?? 1);
}

export function statefulPod(set: StatefulSet, ordinal: number, revision: ControllerRevision): Pod {
  const template = (revision.data as { spec?: { template?: PodTemplateSpec & { $patch?: string } } }).spec?.template ?? {};
  const { $patch: _patch, ...plain } = template;
  const name = `${set.metadata.name}-${ordinal}`;
  const { generateName: _generateName, ...metadata } = podFromTemplate(plain, set).metadata;
  const subdomain = set.spec?.serviceName ? { subdomain: set.spec.serviceName } : {};
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...metadata,
      name,
      labels: { ...metadata.labels, ...identityLabels(name, ordinal), [revisionLabel]: revision.metadata.name },
    },
    spec: {
      ...plain.spec,
      containers: plain.spec?.containers ?? [],
      hostname: name,
      ...subdomain,
      ...volumesFor(set, ordinal, plain.spec?.volumes),
    },
  };
}

export function identityLabels(name: string, ordinal: number): Record<string, string> {
  return { [podNameLabel]: name, [podIndexLabel]: String(ordinal) };
}

/** What a pod that was taken over from elsewhere lacks; undefined when it lacks nothing. */
export function missingLabels(set: StatefulSet, pod: Pod): Record<string, string> | undefined {
  const labels = identityLabels(pod.metadata.name, ordinalOf(set, pod) ?? 0);
  return Object.entries(labels).every(([key, value]) => pod.metadata.labels?.[key] === value) ? undefined : labels;
}

/** The claims of one pod; they outlive it, and its successor of the same name finds them again. */
export function claimsFor(set: StatefulSet, ordinal: number): PersistentVolumeClaim[] {
  return (set.spec?.volumeClaimTemplates ?? []).map((template) => ({
    ...template,
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      ...template.metadata,
      name: claimName(set, template, ordinal),
      namespace: set.metadata.namespace,
      labels: { ...template.metadata.labels, ...set.spec?.selector.matchLabels },
    },
  }));
}

function claimName(set: StatefulSet, template: PersistentVolumeClaim, ordinal: number): string {
  return `${template.metadata.name}-${set.metadata.name}-${ordinal}`;
}

function volumesFor(set: StatefulSet, ordinal: number, given: readonly Volume[] = []): { readonly volumes?: Volume[] } {
  const templates = set.spec?.volumeClaimTemplates ?? [];
  const claimed = templates.map((t) => ({
    name: t.metadata.name,
    persistentVolumeClaim: { claimName: claimName(set, t, ordinal) },
  }));
  const volumes = [...claimed, ...given.filter((one) => !templates.some((t) => t.metadata.name === one.name))];
  return volumes.length > 0 ? { volumes } : {};
}

/**
 * Who should own a claim, so that it goes with the set or with a pod that is scaled away, as `persistentVolumeClaimRetentionPolicy`
 * says. Undefined when it is right already, or somebody else has it.
 */
export function claimOwners(set: StatefulSet, pod: Pod, claim: PersistentVolumeClaim): OwnerReference[] | undefined {
  const { whenDeleted, whenScaled } = set.spec?.persistentVolumeClaimRetentionPolicy ?? {};
  const refs = claim.metadata.ownerReferences ?? [];
  const ours = (ref: OwnerReference): boolean => ref.uid === set.metadata.uid || ref.uid === pod.metadata.uid;
  if (refs.some((ref) => isStale(ref, set) || isStale(ref, pod))) return undefined;
  const others = refs.filter((ref) => !ours(ref));
  if (others.some((ref) => ref.controller)) return undefined;
  const scaledAway = !isWanted(set, ordinalOf(set, pod) ?? -1);
  const wanted: OwnerReference[] = [];
  if (whenScaled === 'Delete' && scaledAway) wanted.push(controllerRef({ ...pod, apiVersion: 'v1', kind: 'Pod' }));
  else if (whenDeleted === 'Delete') wanted.push(controllerRef(set));
  const key = (list: readonly OwnerReference[]): string => JSON.stringify(list.map((ref) => [ref.uid, ref.controller ?? false]).toSorted());
  return key([...others, ...wanted]) === key(refs) ? undefined : [...others, ...wanted];
}

/** The claim waits to be deleted with an earlier pod of that name: its successor must not begin with it. */
export function isClaimOfFormerPod(set: StatefulSet, ordinal: number, claim: PersistentVolumeClaim): boolean {
  if (set.spec?.persistentVolumeClaimRetentionPolicy?.whenScaled !== 'Delete') return false;
  return claim.metadata.ownerReferences?.some((ref) => ref.kind === 'Pod' && ref.name === `${set.metadata.name}-${ordinal}`) ?? false;
}

function isStale(ref: OwnerReference, owner: StatefulSet | Pod): boolean {
  const kind = owner.kind ?? 'Pod';
  return ref.kind === kind && ref.name === owner.metadata.name && ref.uid !== owner.metadata.uid;
}
