/** Where the fields of a resource are written, for those who own them: the object itself, and each subresource that shows it. */
import { FieldSet } from '../../api/apply/field-set.ts';
import type { Place } from '../../api/apply/ownership.ts';
import { shapeOf } from '../../api/apply/shape.ts';
import type { PartSubresource, ResourceRow } from '../../api/registry/resource-row.ts';
import { apiVersionOf } from '../../api/resource-types.ts';

const made = new WeakMap<object, Place>();

export function placeOf(row: ResourceRow, part?: PartSubresource): Place {
  const known = made.get(part ?? row);
  if (known) return known;
  const shape = shapeOf(row.schema);
  if (!shape) throw new Error(`${row.type.kind} has no schema`);
  const place: Place = {
    shape,
    apiVersion: apiVersionOf(row.type),
    subresource: part?.name ?? '',
    ignored: FieldSet.of(
      ...ignoredBy(
        row,
        part,
        [...shape.fields.keys()].filter((name) => name !== 'apiVersion' && name !== 'kind'),
      ),
    ),
  };
  made.set(part ?? row, place);
  return place;
}

/** The object itself and its status: between them, all that can be written. */
export function placesOf(row: ResourceRow): Place[] {
  const status = statusOf(row);
  return status ? [placeOf(row), placeOf(row, status)] : [placeOf(row)];
}

function statusOf(row: ResourceRow): PartSubresource | undefined {
  return row.subresources.find((one): one is PartSubresource => one.kind === 'part' && one.name === 'status');
}

function ignoredBy(row: ResourceRow, part: PartSubresource | undefined, fields: readonly string[]): string[][] {
  if (!part) return statusOf(row) ? [['f:status']] : [];
  const others = part.name === 'status' ? fields.filter((name) => name !== 'status' && name !== 'metadata') : ['status'];
  const kept = [...others, ...(part.changesMeta ? [] : ['metadata'])].map((name) => [`f:${name}`]);
  return part.keepsLabels ? [...kept, ['f:metadata', 'f:labels']] : kept;
}
