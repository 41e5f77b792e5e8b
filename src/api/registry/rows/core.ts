/** The core group, v1. Pods, Services, Endpoints and Events have files of their own. */
import { timestamp } from '../../../clock/timestamp.ts';
import { takeOver } from '../../codec/json-clone.ts';
import { configMapColumns, namespaceColumns, nodeColumns, resourceQuotaColumns, secretColumns } from '../../columns/cluster-columns.ts';
import { ageColumns } from '../../columns/default-columns.ts';
import { claimColumns, volumeColumns } from '../../columns/storage-columns.ts';
import { replicationControllerColumns } from '../../columns/workload-columns.ts';
import {
  defaultClaim,
  defaultLimitRange,
  defaultNamespace,
  defaultNode,
  defaultPersistentVolume,
  defaultSecret,
} from '../../defaults/core.ts';
import { defaultReplicationController } from '../../defaults/workloads.ts';
import {
  bindings,
  configMaps,
  limitRanges,
  namespaces,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  replicationControllers,
  resourceQuotas,
  secrets,
  serviceAccounts,
} from '../../resource-types.ts';
import type { Namespace, PersistentVolume, ReplicationController, ServiceAccount } from '../../schema/types.ts';
import { formatLabelSelector, selectorOfMap } from '../../selector/label.ts';
import { claimErrors, claimStatusErrors, claimUpdateErrors } from '../../validation/claim.ts';
import { configMapErrors, configMapUpdateErrors, secretErrors, secretUpdateErrors } from '../../validation/config-data.ts';
import { namespaceErrors, nodeErrors, nodeUpdateErrors } from '../../validation/core.ts';
import { nameIsDnsLabel } from '../../validation/names.ts';
import { persistentVolumeErrors, persistentVolumeUpdateErrors } from '../../validation/persistent-volume.ts';
import { limitRangeErrors, quotaErrors, quotaUpdateErrors } from '../../validation/quota.ts';
import { replicationControllerErrors } from '../../validation/workload.ts';
import { claimWarnings, secretWarnings, serviceAccountWarnings, volumeObjectWarnings, workloadWarnings } from '../../warnings/other.ts';
import { allVerbs, defineReview, defineRow, part, scale, special } from '../define-row.ts';
import type { ResourceRow } from '../resource-row.ts';

/** The finalizer in `spec.finalizers` that the namespace controller removes when the namespace is empty. */
const namespaceFinalizer = 'kubernetes';

export const coreRows: readonly ResourceRow[] = [
  defineReview(bindings),
  defineRow({
    type: configMaps,
    shortNames: ['cm'],
    columns: configMapColumns,
    validate: configMapErrors,
    validateUpdate: configMapUpdateErrors,
  }),
  defineRow({
    type: limitRanges,
    shortNames: ['limits'],
    applyDefaults: defaultLimitRange,
    // As upstream: a LimitRange without a name is named by its UID.
    prepareCreate: ({ metadata }) => {
      metadata.name ||= metadata.uid ?? '';
    },
    validate: limitRangeErrors,
    createsOnUpdate: true,
  }),
  defineRow({
    type: namespaces,
    returnsDeleted: true,
    shortNames: ['ns'],
    verbs: allVerbs.filter((verb) => verb !== 'deletecollection'),
    hasStatus: true,
    generationOf: undefined,
    subresources: [
      part<Namespace>(
        'finalize',
        { prepareUpdate: (next, old) => takeOver(next, old, 'status'), validateUpdate: () => [] },
        { verbs: ['update'] },
      ),
    ],
    selectableFields: { 'status.phase': ({ status }) => status?.phase ?? '' },
    columns: namespaceColumns,
    applyDefaults: defaultNamespace,
    validateName: nameIsDnsLabel,
    validate: namespaceErrors,
    prepareCreate: (namespace) => {
      namespace.status = { phase: 'Active' };
      const given = namespace.spec?.finalizers ?? [];
      namespace.spec = { ...namespace.spec, finalizers: given.includes(namespaceFinalizer) ? given : [...given, namespaceFinalizer] };
    },
    prepareUpdate: (next, old) => takeOver(next, old, 'spec'),
    beginDeletion: (namespace: Namespace) => {
      namespace.status = { ...namespace.status, phase: 'Terminating' };
    },
    holdsDeletion: ({ spec }) => (spec?.finalizers?.length ?? 0) > 0,
  }),
  defineRow({
    type: nodes,
    shortNames: ['no'],
    hasStatus: true,
    // The kubelet registers itself with its status.
    initialStatus: 'given',
    generationOf: undefined,
    subresources: [special('proxy', ['create', 'delete', 'get', 'patch', 'update'], 'v1', 'NodeProxyOptions')],
    selectableFields: { 'spec.unschedulable': ({ spec }) => String(spec?.unschedulable ?? false) },
    columns: nodeColumns,
    applyDefaults: defaultNode,
    validate: nodeErrors,
    validateUpdate: nodeUpdateErrors,
    validateStatus: nodeUpdateErrors,
  }),
  defineRow({
    type: persistentVolumeClaims,
    returnsDeleted: true,
    shortNames: ['pvc'],
    hasStatus: true,
    initialStatus: { phase: 'Pending' },
    generationOf: undefined,
    columns: claimColumns,
    applyDefaults: defaultClaim,
    warnings: claimWarnings,
    validate: claimErrors,
    validateUpdate: claimUpdateErrors,
    validateStatus: claimStatusErrors,
  }),
  defineRow({
    type: persistentVolumes,
    returnsDeleted: true,
    shortNames: ['pv'],
    hasStatus: true,
    initialStatus: { phase: 'Pending' },
    prepareCreate: ({ metadata, status }) => {
      if (status) status.lastPhaseTransitionTime = metadata.creationTimestamp;
    },
    prepareStatus: stampPhase,
    generationOf: undefined,
    columns: volumeColumns,
    applyDefaults: defaultPersistentVolume,
    warnings: volumeObjectWarnings,
    validate: persistentVolumeErrors,
    validateUpdate: persistentVolumeUpdateErrors,
  }),
  defineRow({
    type: replicationControllers,
    shortNames: ['rc'],
    categories: ['all'],
    hasStatus: true,
    initialStatus: { replicas: 0 },
    subresources: [scale(({ spec }: ReplicationController) => formatLabelSelector(selectorOfMap(spec?.selector)))],
    selectableFields: { 'status.replicas': ({ status }) => String(status?.replicas ?? 0) },
    columns: replicationControllerColumns,
    applyDefaults: defaultReplicationController,
    warnings: (object) => workloadWarnings(object),
    validate: replicationControllerErrors,
    defaultPropagation: 'Orphan',
  }),
  defineRow({
    type: resourceQuotas,
    returnsDeleted: true,
    shortNames: ['quota'],
    hasStatus: true,
    generationOf: undefined,
    columns: resourceQuotaColumns,
    validate: quotaErrors,
    validateUpdate: quotaUpdateErrors,
    validateStatus: quotaErrors,
  }),
  defineRow({
    type: secrets,
    selectableFields: { type: (secret) => secret.type ?? '' },
    columns: secretColumns,
    applyDefaults: defaultSecret,
    warnings: secretWarnings,
    validate: secretErrors,
    validateUpdate: secretUpdateErrors,
  }),
  defineRow({
    type: serviceAccounts,
    returnsDeleted: true,
    shortNames: ['sa'],
    subresources: [special('token', ['create'], 'authentication.k8s.io/v1', 'TokenRequest')],
    columns: ageColumns(),
    prepareCreate: keepSecretNames,
    prepareUpdate: keepSecretNames,
    warnings: serviceAccountWarnings,
  }),
];

/** Nothing but the name of a secret means anything there. */
function keepSecretNames(account: ServiceAccount): void {
  if (account.secrets) account.secrets = account.secrets.map(({ name }) => (name === undefined ? {} : { name }));
}

/** A new phase begins now, unless who sets it says when. */
function stampPhase({ status }: PersistentVolume, { status: before }: PersistentVolume): void {
  if (!status) return;
  const isGiven = status.lastPhaseTransitionTime !== undefined && status.lastPhaseTransitionTime !== before?.lastPhaseTransitionTime;
  if (isGiven) return;
  status.lastPhaseTransitionTime = status.phase === before?.phase ? before?.lastPhaseTransitionTime : timestamp(Date.now());
}
