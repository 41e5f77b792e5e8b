/** apps/v1. */
import { isDeepStrictEqual } from 'node:util';
import {
  controllerRevisionColumns,
  daemonSetColumns,
  deploymentColumns,
  replicaSetColumns,
  statefulSetColumns,
} from '../../columns/workload-columns.ts';
import { defaultDaemonSet, defaultDeployment, defaultReplicaSet, defaultStatefulSet } from '../../defaults/workloads.ts';
import { controllerRevisions, daemonSets, deployments, replicaSets, statefulSets } from '../../resource-types.ts';
import type { DaemonSet, Deployment, ReplicaSet, StatefulSet } from '../../schema/types.ts';
import { formatLabelSelector } from '../../selector/label.ts';
import { nonNegative, required } from '../../validation/field-error.ts';
import { nameIsDnsLabel } from '../../validation/names.ts';
import { immutable } from '../../validation/object-meta.ts';
import {
  daemonSetErrors,
  deploymentErrors,
  newStatefulSetErrors,
  replicaSetErrors,
  statefulSetUpdateErrors,
} from '../../validation/workload.ts';
import { workloadWarnings } from '../../warnings/other.ts';
import { templateWarnings } from '../../warnings/pod.ts';
import { deprecatedTemplateGeneration } from '../../well-known.ts';
import { defineRow, scale } from '../define-row.ts';
import type { ResourceRow } from '../resource-row.ts';

export const appsRows: readonly ResourceRow[] = [
  defineRow({
    type: controllerRevisions,
    columns: controllerRevisionColumns,
    validate: ({ revision, data }) => [
      ...nonNegative(revision, 'revision'),
      ...(typeof data === 'object' && !Array.isArray(data)
        ? []
        : [required('data', data === undefined ? 'data is mandatory' : 'data must be a valid JSON object')]),
    ],
    validateUpdate: (next, old) => immutable(next.data, old.data, 'data'),
  }),
  defineRow({
    type: daemonSets,
    shortNames: ['ds'],
    categories: ['all'],
    hasStatus: true,
    initialStatus: { currentNumberScheduled: 0, numberMisscheduled: 0, desiredNumberScheduled: 0, numberReady: 0 },
    columns: daemonSetColumns,
    applyDefaults: (set) => {
      defaultDaemonSet(set);
      setTemplateGeneration(set, templateGeneration(set));
    },
    warnings: (object) => templateWarnings(object),
    prepareCreate: (set) => setTemplateGeneration(set, Math.max(templateGeneration(set), 1)),
    prepareUpdate: countTemplate,
    prepareStatus: (next, old) => setTemplateGeneration(next, templateGeneration(old)),
    validate: daemonSetErrors,
    immutable: ['spec.selector'],
  }),
  defineRow({
    type: deployments,
    shortNames: ['deploy'],
    categories: ['all'],
    hasStatus: true,
    statusKeepsLabels: true,
    // Annotations go on to the ReplicaSets.
    generationOf: ({ metadata: { annotations }, spec }) => ({ annotations, spec }),
    subresources: [scale(({ spec }: Deployment) => formatLabelSelector(spec?.selector))],
    columns: deploymentColumns,
    applyDefaults: defaultDeployment,
    warnings: (object) => workloadWarnings(object),
    validate: deploymentErrors,
    immutable: ['spec.selector'],
  }),
  defineRow({
    type: replicaSets,
    shortNames: ['rs'],
    categories: ['all'],
    hasStatus: true,
    initialStatus: { replicas: 0 },
    subresources: [scale(({ spec }: ReplicaSet) => formatLabelSelector(spec?.selector))],
    columns: replicaSetColumns,
    applyDefaults: defaultReplicaSet,
    warnings: (object) => workloadWarnings(object),
    validate: replicaSetErrors,
    immutable: ['spec.selector'],
  }),
  defineRow({
    type: statefulSets,
    shortNames: ['sts'],
    categories: ['all'],
    hasStatus: true,
    initialStatus: { replicas: 0, availableReplicas: 0 },
    subresources: [scale(({ spec }: StatefulSet) => formatLabelSelector(spec?.selector))],
    columns: statefulSetColumns,
    applyDefaults: defaultStatefulSet,
    // Pods are named after it.
    validateName: nameIsDnsLabel,
    warnings: (object) => templateWarnings(object),
    validate: newStatefulSetErrors,
    validateUpdate: statefulSetUpdateErrors,
  }),
];

/** Upstream has it in the spec, which apps/v1 does not show: there it is an annotation, whatever a client makes of it. */
function templateGeneration({ metadata }: DaemonSet): number {
  const text = metadata.annotations?.[deprecatedTemplateGeneration] ?? '';
  return /^\d{1,15}$/.test(text) ? Number(text) : 0;
}

function setTemplateGeneration({ metadata }: DaemonSet, generation: number): void {
  metadata.annotations = { ...metadata.annotations, [deprecatedTemplateGeneration]: String(generation) };
}

function countTemplate(next: DaemonSet, old: DaemonSet): void {
  const isSame = isDeepStrictEqual(next.spec?.template, old.spec?.template);
  setTemplateGeneration(next, templateGeneration(old) + (isSame ? 0 : 1));
}
