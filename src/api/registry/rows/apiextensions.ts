/** apiextensions.k8s.io/v1. */
import { defaultColumns } from '../../columns/default-columns.ts';
import { type CustomResourceDefinition, cleanupFinalizer, customResourceDefinitions, storageVersionOf } from '../../custom/definition.ts';
import { definitionErrors, definitionUpdateErrors } from '../../custom/definition-errors.ts';
import { definitionSchema } from '../../custom/definition-schema.ts';
import { definitionWarnings } from '../../custom/definition-warnings.ts';
import { withCondition } from '../../custom/naming.ts';
import { defineRow } from '../define-row.ts';
import type { ResourceRow } from '../resource-row.ts';

export const apiextensionsRows: readonly ResourceRow[] = [
  defineRow<CustomResourceDefinition>({
    type: customResourceDefinitions,
    schema: definitionSchema,
    storedAs: 'apiextensions.k8s.io/customresourcedefinitions',
    shortNames: ['crd', 'crds'],
    categories: ['api-extensions'],
    hasStatus: true,
    initialStatus: {},
    updatesUnconditionally: false,
    returnsDeleted: true,
    columns: defaultColumns,
    applyDefaults,
    prepareCreate: rememberStorageVersion,
    prepareUpdate: rememberStorageVersion,
    validate: definitionErrors,
    validateUpdate: definitionUpdateErrors,
    warnings: definitionWarnings,
    beginDeletion: (definition, now) => {
      const finalizers = definition.metadata.finalizers ?? [];
      if (!finalizers.includes(cleanupFinalizer)) definition.metadata.finalizers = [...finalizers, cleanupFinalizer];
      definition.status = withCondition(
        definition.status ?? {},
        {
          type: 'Terminating',
          status: 'True',
          reason: 'InstanceDeletionPending',
          message: 'CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon',
        },
        now.getTime(),
      );
    },
  }),
];

function applyDefaults({ spec }: CustomResourceDefinition): void {
  if (!spec) return;
  const { names, conversion } = spec;
  if (names?.kind) {
    names.singular ||= names.kind.toLowerCase();
    names.listKind ||= `${names.kind}List`;
  }
  spec.conversion ??= { strategy: 'None' };
  const service = conversion?.webhook?.clientConfig?.service;
  if (service) service.port ??= 443;
}

/** A version that objects were ever stored in is named until somebody has seen to it that there are none. */
function rememberStorageVersion(definition: CustomResourceDefinition): void {
  const name = storageVersionOf(definition)?.name;
  const stored = definition.status?.storedVersions ?? [];
  const status = { conditions: [], acceptedNames: { plural: '', kind: '' }, ...definition.status };
  definition.status = { ...status, storedVersions: name === undefined || stored.includes(name) ? stored : [...stored, name] };
}
