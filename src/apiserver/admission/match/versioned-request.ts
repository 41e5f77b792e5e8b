/** A request as a webhook or policy sees it: in the version that its rules name, and with a subresource's own object where that has one. */
import { cloneJson } from '../../../api/codec/json-clone.ts';
import { subresourceOf } from '../../../api/registry/lifecycle.ts';
import type { Registry } from '../../../api/registry/registry.ts';
import type { ResourceRow } from '../../../api/registry/resource-row.ts';
import { apiVersionOf, type KubeObject } from '../../../api/resource-types.ts';
import type { Schema } from '../../../api/schema/schema.ts';
import { messageOf } from '../../../errors/known-error.ts';
import { inVersionOf } from '../../resource/remote-view.ts';
import { internalError } from '../../status/status-error.ts';
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
  readonly object: KubeObject | undefined;
  readonly old: KubeObject | undefined;

  private constructor(request: AdmissionRequest, row: ResourceRow, shown: Pick<VersionedRequest, 'object' | 'old'>) {
    this.request = request;
    this.row = row;
    this.body = bodyOf(row, request.subresource);
    this.object = shown.object;
    this.old = shown.old;
  }

  /** Throws a StatusError where the versions are a webhook's. */
  static async of(request: AdmissionRequest, row: ResourceRow): Promise<VersionedRequest> {
    const { object, old } = request;
    return new VersionedRequest(request, row, { object: await show(request, row, object), old: await showOld(request, row, old) });
  }

  /** What the server has of an object that is in this version: `shown` becomes the caller's. */
  async back(shown: KubeObject): Promise<KubeObject> {
    return isItself(this.request, this.row) ? shown : convert(shown, this.row, this.request.row);
  }
}

/** Of what gets its name by `generateName` a mutating webhook sees none, as it has none yet upstream. */
export function shownObject({ request, object }: VersionedRequest): KubeObject | undefined {
  if (!object || !request.isUnnamed || object.metadata?.uid) return object;
  const { name: _name, ...metadata } = object.metadata ?? {};
  return { ...object, metadata: metadata as KubeObject['metadata'] };
}

/** What was there never changes, and all webhooks of a version are shown the same. */
const shownOld = new WeakMap<AdmissionRequest, Map<ResourceRow, Promise<KubeObject | undefined>>>();

function showOld(request: AdmissionRequest, row: ResourceRow, old: KubeObject | undefined): Promise<KubeObject | undefined> {
  if (!old || request.form || isItself(request, row)) return show(request, row, old);
  const known = shownOld.get(request) ?? new Map<ResourceRow, Promise<KubeObject | undefined>>();
  shownOld.set(request, known);
  const made = known.get(row) ?? show(request, row, old);
  known.set(row, made);
  return made;
}

async function show(request: AdmissionRequest, row: ResourceRow, object: KubeObject | undefined): Promise<KubeObject | undefined> {
  if (!object) return undefined;
  const { form } = request;
  if (form) return form.show(object);
  return isItself(request, row) ? object : convert(cloneJson(object), request.row, row);
}

/** A subresource's own object is the same in all versions. */
function isItself(request: AdmissionRequest, row: ResourceRow): boolean {
  return row === request.row || bodyOf(row, request.subresource).kind !== row.type.kind;
}

async function convert(object: KubeObject, from: ResourceRow, to: ResourceRow): Promise<KubeObject> {
  const converted = await inVersionOf(from, to, object).catch((err: unknown) => {
    throw internalError(messageOf(err));
  });
  return { ...converted, apiVersion: apiVersionOf(to.type), kind: to.type.kind };
}
