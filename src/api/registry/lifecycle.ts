/**
 * The steps of a write that are the same for all resources (upstream's rest.BeforeCreate and rest.BeforeUpdate). The API server calls them
 * after decoding, defaulting and admission, and before it writes to the store. The object is changed in place.
 */
import { isDeepStrictEqual } from 'node:util';
import { timestamp } from '../../clock/timestamp.ts';
import { cloneJson, takeOver } from '../codec/json-clone.ts';
import type { KubeObject } from '../resource-types.ts';
import { type FieldError, nonNegative } from '../validation/field-error.ts';
import { keepServerMeta, metaErrors, metaUpdateErrors } from '../validation/object-meta.ts';
import type { PartSubresource, ResourceRow } from './resource-row.ts';

export interface CreateContext {
  readonly now: Date;
  readonly uid: string;
}

/**
 * Sets the server's fields of a new object, and returns the errors. Before that the caller generates the name, sets the namespace of the
 * request, applies the defaults, and refuses a resourceVersion.
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
  // As upstream: only kinds without generations have the client's generation checked.
  const counted = row.generationOf ? [] : nonNegative(generation, 'metadata.generation');
  return [...metaErrors(metadata, rulesOf(row)), ...counted, ...row.validate(object)];
}

/**
 * Makes `next` the object that the request may store in place of `old`: puts back what the request may not change, sets the generation, and
 * returns the errors. With `part` it is an update of that subresource.
 */
export function beforeUpdate(row: ResourceRow, next: KubeObject, old: KubeObject, part?: PartSubresource): FieldError[] {
  if (part && !part.changesMeta) {
    const { resourceVersion, managedFields } = next.metadata;
    next.metadata = cloneJson(old.metadata);
    if (resourceVersion !== undefined) next.metadata.resourceVersion = resourceVersion;
    // The caller has recorded this write in it.
    if (managedFields !== undefined) next.metadata.managedFields = managedFields;
  }
  if (part?.keepsLabels) takeOver(next.metadata, old.metadata, 'labels');
  keepServerMeta(next.metadata, old.metadata);
  const strategy = part ?? row;
  strategy.prepareUpdate(next, old);
  // Status updates are by far the most frequent ones, and never change what the generation counts: save the comparison.
  const { generation } = old.metadata;
  if (part?.name !== 'status' && row.generationOf && generation !== undefined) {
    if (!isDeepStrictEqual(row.generationOf(next), row.generationOf(old))) next.metadata.generation = generation + 1;
  }
  return [...metaUpdateErrors(next.metadata, old.metadata, rulesOf(row)), ...strategy.validateUpdate(next, old)];
}

/** The subresource of a row, by its name in the path. */
export function subresourceOf(row: ResourceRow, name: string): ResourceRow['subresources'][number] | undefined {
  return row.subresources.find((one) => one.name === name);
}

/** Removes repeated owner references, and returns the warning about them. */
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
