/** What a schema may say of lists and maps: how their entries are told apart, and who may own them. */
import type { JsonSchema } from '../schema/schema.ts';
import { type FieldError, forbidden, invalid, notSupported, required } from '../validation/field-error.ts';

export function collectionErrors(schema: JsonSchema, path: string): FieldError[] {
  return [...mapTypeErrors(schema, path), ...listTypeErrors(schema, path), ...keysErrors(schema, path)];
}

/** An error unless the schema is of the type that goes with one of its members. */
function typeErrors({ type = '' }: JsonSchema, path: string, wanted: string, member: string): FieldError[] {
  if (type === wanted) return [];
  const why = `must be ${wanted} if ${member} is specified`;
  return [type === '' ? required(`${path}.type`, why) : invalid(`${path}.type`, type, why)];
}

function mapTypeErrors(schema: JsonSchema, path: string): FieldError[] {
  const member = 'x-kubernetes-map-type';
  const mapType = schema[member];
  if (mapType === undefined) return [];
  const known = ['atomic', 'granular'];
  return [
    ...typeErrors(schema, path, 'object', member),
    ...(known.includes(mapType) ? [] : [notSupported(`${path}.${member}`, mapType, known)]),
  ];
}

function listTypeErrors(schema: JsonSchema, path: string): FieldError[] {
  const member = 'x-kubernetes-list-type';
  const listType = schema[member];
  if (listType === undefined) return [];
  const known = ['atomic', 'set', 'map'];
  const { items } = schema;
  const mayBeNull = listType !== 'atomic' && known.includes(listType) && items?.nullable;
  return [
    ...typeErrors(schema, path, 'array', member),
    ...(schema.type === 'array' && listType === 'set' && items ? setErrors(items, path) : []),
    ...(known.includes(listType) ? [] : [notSupported(`${path}.${member}`, listType, known)]),
    ...(mayBeNull ? [forbidden(`${path}.items.nullable`, `cannot be nullable when x-kubernetes-list-type is ${listType}`)] : []),
  ];
}

function setErrors(items: JsonSchema, path: string): FieldError[] {
  const why = 'must be atomic as item of a list with x-kubernetes-list-type=set';
  const inner = items['x-kubernetes-list-type'];
  if (items.type === 'array' && inner !== undefined && inner !== 'atomic')
    return [invalid(`${path}.items.x-kubernetes-list-type`, inner, why)];
  if (items.type !== 'object' || items['x-kubernetes-map-type'] === 'atomic') return [];
  return [invalid(`${path}.items.x-kubernetes-map-type`, null, why)];
}

function keysErrors(schema: JsonSchema, path: string): FieldError[] {
  const listType = schema['x-kubernetes-list-type'];
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  if (listType === 'map') return keyedListErrors(schema.items, keys, path);
  if (keys.length === 0) return [];
  const why = 'must be map if x-kubernetes-list-map-keys is non-empty';
  const at = `${path}.x-kubernetes-list-type`;
  return [listType === undefined ? required(at, why) : invalid(at, listType, why)];
}

function keyedListErrors(items: JsonSchema | undefined, keys: readonly string[], path: string): FieldError[] {
  const at = `${path}.x-kubernetes-list-map-keys`;
  const none = keys.length === 0 ? [required(at, 'must not be empty if x-kubernetes-list-type is map')] : [];
  if (!items) return [...none, required(`${path}.items`, 'must have a schema if x-kubernetes-list-type is map')];
  if (items.type !== 'object')
    return [...none, invalid(`${path}.items.type`, items.type ?? '', "must be object if parent array's x-kubernetes-list-type is map")];
  const isRepeated = new Set(keys).size < keys.length;
  return [
    ...none,
    ...keys.flatMap((key) => keyErrors(items, key, keys, path)),
    ...(isRepeated ? [invalid(at, keys, 'must not contain duplicate entries')] : []),
  ];
}

function keyErrors(items: JsonSchema, key: string, keys: readonly string[], path: string): FieldError[] {
  const property = items.properties && Object.hasOwn(items.properties, key) ? items.properties[key] : undefined;
  if (!property) return [invalid(`${path}.x-kubernetes-list-map-keys`, keys, 'entries must all be names of item properties')];
  const of = `${path}.items.properties[${key}]`;
  const why = 'this property is in x-kubernetes-list-map-keys, so it';
  const isMissing = !items.required?.includes(key) && property.default === undefined;
  return [
    ...(property.type === 'array' || property.type === 'object'
      ? [invalid(`${of}.type`, items.type, "must be a scalar type if parent array's x-kubernetes-list-type is map")]
      : []),
    ...(isMissing ? [required(`${of}.default`, `${why} must have a default or be a required property`)] : []),
    ...(property.nullable ? [forbidden(`${of}.nullable`, `${why} cannot be nullable`)] : []),
  ];
}
