/** A CustomResourceDefinition as apiextensions.k8s.io/v1 has it. */
import type { KubeObject, ResourceType } from '../resource-types.ts';
import type { JsonSchema } from '../schema/schema.ts';
import type { WebhookClientConfig } from '../schema/types.ts';

export interface CustomNames {
  plural?: string;
  singular?: string;
  kind?: string;
  listKind?: string;
  shortNames?: string[];
  categories?: string[];
}

export interface PrinterColumn {
  name?: string;
  type?: string;
  format?: string;
  description?: string;
  priority?: number;
  jsonPath?: string;
}

export interface ScalePaths {
  specReplicasPath?: string;
  statusReplicasPath?: string;
  labelSelectorPath?: string;
}

export interface CustomVersion {
  name?: string;
  served?: boolean;
  storage?: boolean;
  deprecated?: boolean;
  deprecationWarning?: string;
  schema?: { openAPIV3Schema?: JsonSchema };
  subresources?: { status?: object; scale?: ScalePaths };
  additionalPrinterColumns?: PrinterColumn[];
  selectableFields?: { jsonPath?: string }[];
}

export interface CustomConversion {
  strategy?: string;
  webhook?: { clientConfig?: WebhookClientConfig; conversionReviewVersions?: string[] };
}

export interface DefinitionSpec {
  group?: string;
  scope?: string;
  names?: CustomNames;
  versions?: CustomVersion[];
  conversion?: CustomConversion;
  preserveUnknownFields?: boolean;
}

export interface DefinitionCondition {
  type: string;
  status: 'True' | 'False' | 'Unknown';
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
}

export interface DefinitionStatus {
  conditions?: DefinitionCondition[] | null;
  acceptedNames?: CustomNames;
  storedVersions?: string[];
}

export interface CustomResourceDefinition extends KubeObject {
  spec?: DefinitionSpec;
  status?: DefinitionStatus;
}

export const customResourceDefinitions: ResourceType<CustomResourceDefinition> = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  resource: 'customresourcedefinitions',
  namespaced: false,
};

/** Holds a definition until its objects are gone. */
export const cleanupFinalizer = 'customresourcecleanup.apiextensions.k8s.io';

export function hasCondition({ status }: CustomResourceDefinition, type: string, is: DefinitionCondition['status'] = 'True'): boolean {
  return (status?.conditions ?? []).some((one) => one.type === type && one.status === is);
}

export function storageVersionOf({ spec }: CustomResourceDefinition): CustomVersion | undefined {
  return spec?.versions?.find(({ storage }) => storage);
}
