/** A request as a webhook or policy sees it: in the version that its rules name, and with a subresource's own object where that has one. */
import { cloneJson } from '../../../api/codec/json-clone.ts';
import { subresourceOf } from '../../../api/registry/lifecycle.ts';
import type { Registry } from '../../../api/registry/registry.ts';
import type { ResourceRow } from '../../../api/registry/resource-row.ts';
import { apiVersionOf, type KubeObject } from '../../../api/resource-types.ts';
import type { Schema } from '../../../api/schema/schema.ts';
import type { AdmissionRequest } from '../admission.ts';

export interface Kind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** What stands in the body: the object, an Eviction, a Scale. */
export function bodyOf(row: ResourceRow, subresource: string): Kind & { readonly schema: Schema } {
  const found = subresource === '' ? undefined : subresourceOf(row, subresource);
  if (found?.kind === 'special') return { ...found.body, schema: found.body.kind };
  if (found?.kind === 'scale') return { group: 'autoscaling', version: 'v1', kind: 'Scale', schema: 'Scale' };
  const { group, version, kind } = row.type;
  return { group, version, kind, schema: row.schema };
}

/** The other rows that show the same objects. */
export function equivalentRows(registry: Registry, { row, subresource }: AdmissionRequest): ResourceRow[] {
  const { storedAs } = row;
  if (storedAs === undefined) return [];
  return registry.rows.filter(
    (other) => other !== row && other.storedAs === storedAs && (subresource === '' || subresourceOf(other, subresource) !== undefined),
  );
}

/** The objects of a request as `row` has them. Shared: not to be changed. */
export class VersionedRequest {
  readonly request: AdmissionRequest;
  readonly row: ResourceRow;
  readonly body: Kind & { readonly schema: Schema };
  #old: KubeObject | undefined;

  constructor(request: AdmissionRequest, row: ResourceRow) {
    this.request = request;
    this.row = row;
    this.body = bodyOf(row, request.subresource);
  }

  get object(): KubeObject | undefined {
    return this.#show(this.request.object);
  }

  get old(): KubeObject | undefined {
    // It never changes, and all webhooks of this version are shown it.
    this.#old ??= this.#show(this.request.old);
    return this.#old;
  }

  /** What the server has of an object that is in this version: `shown` becomes the caller's. */
  back(shown: KubeObject): KubeObject {
    return this.#isItself ? shown : convert(shown, this.row, this.request.row);
  }

  #show(object: KubeObject | undefined): KubeObject | undefined {
    if (!object) return undefined;
    const { form } = this.request;
    if (form) return form.show(object);
    return this.#isItself ? object : convert(cloneJson(object), this.request.row, this.row);
  }

  /** A subresource's own object is the same in all versions. */
  get #isItself(): boolean {
    return this.row === this.request.row || this.body.kind !== this.row.type.kind;
  }
}

/** Of what gets its name by `generateName` a mutating webhook sees none, as it has none yet upstream. */
export function shownObject({ request, object }: VersionedRequest): KubeObject | undefined {
  if (!object || !request.isUnnamed || object.metadata?.uid) return object;
  const { name: _name, ...metadata } = object.metadata ?? {};
  return { ...object, metadata: metadata as KubeObject['metadata'] };
}

function convert(object: KubeObject, from: ResourceRow, to: ResourceRow): KubeObject {
  const stored = from.conversion ? from.conversion.toStored(object) : object;
  const converted = to.conversion ? to.conversion.fromStored(stored) : stored;
  return { ...converted, apiVersion: apiVersionOf(to.type), kind: to.type.kind };
}
