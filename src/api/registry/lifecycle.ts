/**
 * The steps of a write that are the same for all resources (upstream's rest.BeforeCreate and rest.BeforeUpdate). Callers:
 * the API server, after decoding, defaulting and admission, before the store. The object is changed in place.
 */
import { isDeepStrictEqual } from 'node:util';
import { timestamp } from '../../clock/timestamp.ts';
import { cloneJson } from '../codec/json-clone.ts';
import type { KubeObject } from '../resource-types.ts';
import { type FieldError, nonNegative } from '../validation/field-error.ts';
import { keepServerMeta, metaErrors, metaUpdateErrors } from '../validation/object-meta.ts';
import { takeOver } from './define-row.ts';
import type { PartSubresource, ResourceRow } from './resource-row.ts';

export interface CreateContext {
  readonly now: Date;
  readonly uid: string;
}

/**
 * Sets what the server sets and returns what is wrong. The name is already there (`generateName`), the namespace is the
 * request's, and defaults are applied; that a resourceVersion is refused is the caller's part.
 */
export function beforeCreate(row: ResourceRow, object: KubeObject, { now, uid }: CreateContext): FieldError[] {
  const { metadata } = object;
  delete metadata.deletionTimestamp;
  delete metadata.deletionGracePeriodSeconds;
  delete metadata.selfLink;
  const { generation = 0 } = metadata;
  delete metadata.generation;
  metadata.uid = uid;
  metadata.creationTimestamp = timestamp(now.getTime());
  if (row.generationOf) metadata.generation = 1;
  row.prepareCreate(object);
  // Where nothing is counted upstream looks at what the client counted.
  const counted = row.generationOf ? [] : nonNegative(generation, 'metadata.generation');
  return [...row.validate(object), ...counted, ...metaErrors(metadata, rulesOf(row))];
}

/**
 * `next` becomes what the request may make of `old`: the server's metadata is kept, the generation counted, and the
 * errors returned. With `part` it is an update of that subresource.
 */
export function beforeUpdate(row: ResourceRow, next: KubeObject, old: KubeObject, part?: PartSubresource): FieldError[] {
  if (part && !part.changesMeta) {
    const { resourceVersion, managedFields } = next.metadata;
    next.metadata = cloneJson(old.metadata);
    if (resourceVersion !== undefined) next.metadata.resourceVersion = resourceVersion;
    // Already tells of this very write.
    if (managedFields !== undefined) next.metadata.managedFields = managedFields;
  }
  if (part?.keepsLabels) takeOver(next.metadata, old.metadata, 'labels');
  keepServerMeta(next.metadata, old.metadata);
  const strategy = part ?? row;
  strategy.prepareUpdate(next, old);
  // A status update cannot have changed what is counted, and is by far the most frequent one.
  const { generation } = old.metadata;
  if (part?.name !== 'status' && row.generationOf && generation !== undefined) {
    if (!isDeepStrictEqual(row.generationOf(next), row.generationOf(old))) next.metadata.generation = generation + 1;
  }
  return [...strategy.validateUpdate(next, old), ...metaUpdateErrors(next.metadata, old.metadata, rulesOf(row))];
}

/** The subresource of a row, by its name in the path. */
export function subresourceOf(row: ResourceRow, name: string): ResourceRow['subresources'][number] | undefined {
  return row.subresources.find((one) => one.name === name);
}

/** Takes out owners that stand twice, and returns what to tell of that. */
export function dedupOwners(metadata: KubeObject['metadata']): string[] {
  const owners = metadata.ownerReferences ?? [];
  if (owners.length < 2) return [];
  const once = new Map(owners.map((owner) => [JSON.stringify(Object.entries(owner).toSorted()), owner]));
  if (once.size === owners.length) return [];
  const seen = new Set<object>(once.values());
  const twice = new Set(owners.filter((owner) => !seen.has(owner)).map((owner) => owner.uid));
  metadata.ownerReferences = [...once.values()];
  return [
    `.metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: ${[...twice].join(', ')}`,
  ];
}

function rulesOf(row: ResourceRow): { namespaced: boolean; validateName: ResourceRow['validateName'] } {
  return { namespaced: row.type.namespaced, validateName: row.validateName };
}
