/** Groups with a resource or two: certificates, node, policy, scheduling, storage. */

import { timestamp } from '../../../clock/timestamp.ts';
import { takeOver } from '../../codec/json-clone.ts';
import { certificateColumns } from '../../columns/certificate-columns.ts';
import { disruptionBudgetColumns, priorityClassColumns, runtimeClassColumns } from '../../columns/policy-columns.ts';
import {
  csiDriverColumns,
  csiNodeColumns,
  storageClassColumns,
  volumeAttachmentColumns,
  volumeAttributesClassColumns,
} from '../../columns/storage-columns.ts';
import { defaultPriorityClass, defaultStorageClass } from '../../defaults/core.ts';
import {
  certificateSigningRequests,
  csiDrivers,
  csiNodes,
  csiStorageCapacities,
  podDisruptionBudgets,
  priorityClasses,
  runtimeClasses,
  storageClasses,
  volumeAttachments,
  volumeAttributesClasses,
} from '../../resource-types.ts';
import type { CertificateSigningRequest } from '../../schema/types.ts';
import { certificateApprovalErrors, certificateErrors, certificateStatusErrors } from '../../validation/certificate.ts';
import { disruptionBudgetErrors, priorityClassErrors, priorityClassUpdateErrors } from '../../validation/core.ts';
import { nameIsPathSegment } from '../../validation/names.ts';
import { immutableFields } from '../../validation/object-meta.ts';
import { runtimeClassErrors } from '../../validation/runtime-class.ts';
import {
  attributesClassErrors,
  attributesClassUpdateErrors,
  csiDriverErrors,
  csiDriverUpdateErrors,
  csiNodeErrors,
  csiNodeUpdateErrors,
  storageCapacityErrors,
  storageClassErrors,
  storageClassUpdateErrors,
  volumeAttachmentErrors,
} from '../../validation/storage.ts';
import { csiDriverWarnings, runtimeClassWarnings, storageClassWarnings } from '../../warnings/other.ts';
import { defineRow, part } from '../define-row.ts';
import type { ResourceRow } from '../resource-row.ts';

export const smallGroupRows: readonly ResourceRow[] = [
  defineRow({
    type: certificateSigningRequests,
    shortNames: ['csr'],
    hasStatus: true,
    generationOf: undefined,
    subresources: [
      part<CertificateSigningRequest>(
        'approval',
        {
          prepareUpdate: (next, old) => {
            const conditions = next.status?.conditions;
            takeOver(next, old, 'spec');
            takeOver(next, old, 'status');
            // As in Go, a request without conditions has an empty list: it removes them.
            next.status = { ...next.status, conditions: conditions ?? [] };
            stampConditions(next, old);
          },
          validateUpdate: certificateApprovalErrors,
        },
        { changesMeta: true },
      ),
    ],
    prepareStatus: stampConditions,
    validateStatus: certificateStatusErrors,
    selectableFields: { 'spec.signerName': ({ spec }) => spec?.signerName ?? '' },
    columns: certificateColumns,
    validate: certificateErrors,
    prepareUpdate: (next, old) => takeOver(next, old, 'spec'),
  }),
  defineRow({
    type: runtimeClasses,
    updatesUnconditionally: false,
    columns: runtimeClassColumns,
    warnings: runtimeClassWarnings,
    validate: runtimeClassErrors,
    immutable: ['handler'],
  }),
  defineRow({
    type: podDisruptionBudgets,
    shortNames: ['pdb'],
    hasStatus: true,
    initialStatus: { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 },
    updatesUnconditionally: false,
    columns: disruptionBudgetColumns,
    validate: disruptionBudgetErrors,
    // Upstream checks no more of the name.
    validateName: nameIsPathSegment,
  }),
  defineRow({
    type: priorityClasses,
    shortNames: ['pc'],
    columns: priorityClassColumns,
    // As upstream: it has a generation, which nothing counts up.
    generationOf: () => undefined,
    applyDefaults: defaultPriorityClass,
    validate: priorityClassErrors,
    validateUpdate: priorityClassUpdateErrors,
  }),
  defineRow({
    type: csiDrivers,
    updatesUnconditionally: false,
    returnsDeleted: true,
    columns: csiDriverColumns,
    applyDefaults: ({ spec }) => {
      if (!spec) return;
      spec.attachRequired ??= true;
      spec.podInfoOnMount ??= false;
      spec.storageCapacity ??= false;
      spec.fsGroupPolicy ??= 'ReadWriteOnceWithFSType';
      spec.volumeLifecycleModes ??= ['Persistent'];
      spec.requiresRepublish ??= false;
      spec.seLinuxMount ??= false;
    },
    warnings: csiDriverWarnings,
    validate: csiDriverErrors,
    validateUpdate: csiDriverUpdateErrors,
  }),
  defineRow({
    type: csiNodes,
    updatesUnconditionally: false,
    returnsDeleted: true,
    columns: csiNodeColumns,
    validate: csiNodeErrors,
    validateUpdate: csiNodeUpdateErrors,
  }),
  defineRow({
    type: csiStorageCapacities,
    updatesUnconditionally: false,
    validate: storageCapacityErrors,
    validateUpdate: (next, old) => immutableFields(next, old, ['nodeTopology', 'storageClassName']),
  }),
  defineRow({
    type: storageClasses,
    returnsDeleted: true,
    shortNames: ['sc'],
    columns: storageClassColumns,
    applyDefaults: defaultStorageClass,
    warnings: storageClassWarnings,
    validate: storageClassErrors,
    validateUpdate: storageClassUpdateErrors,
  }),
  defineRow({
    type: volumeAttributesClasses,
    returnsDeleted: true,
    shortNames: ['vac'],
    columns: volumeAttributesClassColumns,
    validate: attributesClassErrors,
    validateUpdate: attributesClassUpdateErrors,
  }),
  defineRow({
    type: volumeAttachments,
    statusKeepsLabels: true,
    columns: volumeAttachmentColumns,
    updatesUnconditionally: false,
    returnsDeleted: true,
    hasStatus: true,
    initialStatus: { attached: false },
    generationOf: undefined,
    validate: volumeAttachmentErrors,
    immutable: ['spec'],
  }),
];

/** Sets the times that whoever approves or denies left out. */
function stampConditions(next: CertificateSigningRequest, old: CertificateSigningRequest): void {
  const now = timestamp(Date.now());
  for (const condition of next.status?.conditions ?? []) {
    const before = old.status?.conditions?.find((c) => c.type === condition.type && c.status === condition.status);
    condition.lastUpdateTime ??= now;
    condition.lastTransitionTime ??= before?.lastTransitionTime ?? now;
  }
}
