/** The ReplicaSet of a Deployment's present template: what it is made of, and which revision it stands for. Pure. */
import type { Deployment, ReplicaSet } from '../../api/schema/types.ts';
import { controllerRef } from '../ownership/owner.ts';
import { templateHash } from '../ownership/template-hash.ts';
import {
  desiredReplicasAnnotation,
  hashLabel,
  highestRevision,
  maxReplicasAnnotation,
  replicaSetAnnotations,
  revisionAnnotation,
  revisionHistoryAnnotation,
  revisionOf,
} from './desired.ts';

/** Not sized yet. */
export function draftReplicaSet(deployment: Deployment, revision: bigint): ReplicaSet {
  const { name, namespace } = deployment.metadata;
  const { template = {}, selector, minReadySeconds } = deployment.spec ?? {};
  const hash = templateHash(deployment.spec?.template, deployment.status?.collisionCount ?? 0);
  const labels = { ...template.metadata?.labels, [hashLabel]: hash };
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${name}-${hash}`,
      namespace,
      labels,
      annotations: { ...replicaSetAnnotations(deployment, undefined), [revisionAnnotation]: String(revision) },
      ownerReferences: [controllerRef(deployment)],
    },
    spec: {
      replicas: 0,
      minReadySeconds,
      selector: { ...selector, matchLabels: { ...selector?.matchLabels, [hashLabel]: hash } },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  };
}

/** A rollback makes an old ReplicaSet the newest revision again. */
export function revisionFor(fresh: ReplicaSet, old: readonly ReplicaSet[]): bigint {
  const highest = highestRevision(old);
  const own = revisionOf(fresh);
  return own > highest ? own : highest + 1n;
}

/** What `fresh` is to carry when it stands for `revision`. */
export function annotationsAt(revision: bigint, deployment: Deployment, fresh: ReplicaSet): Record<string, string> {
  const present = fresh.metadata.annotations ?? {};
  const annotations = replicaSetAnnotations(deployment, fresh);
  // Sizes are stamped when the ReplicaSet is sized, else a scaling would go unnoticed.
  for (const stamp of [desiredReplicasAnnotation, maxReplicasAnnotation]) {
    const was = present[stamp];
    if (was !== undefined) annotations[stamp] = was;
  }
  const own = revisionOf(fresh);
  if (revision === own) return annotations;
  const history = [present[revisionHistoryAnnotation], own || undefined].filter(Boolean).join(',');
  return {
    ...annotations,
    [revisionAnnotation]: String(revision),
    ...(history ? { [revisionHistoryAnnotation]: history } : {}),
  };
}

/** Says for how large a Deployment a ReplicaSet was sized. */
export function sizeStamps(deployment: Deployment): Record<string, string> {
  const all = replicaSetAnnotations(deployment, undefined);
  return Object.fromEntries([desiredReplicasAnnotation, maxReplicasAnnotation].map((key) => [key, all[key] ?? '']));
}
