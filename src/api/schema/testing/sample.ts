/** An object of a type with every field that the tables know, each with a value of its form and no sense. */

import type { Json } from '../../codec/json-object.ts';
import { type ApiType, type Field, type Schema, typeOf } from '../schema.ts';

/** By table name or short name, or of types that come along. A type within itself is left out the second time. */
export function sampleOf(schema: Schema): Json {
  const type = typeOf(schema);
  if (!type) throw new RangeError(`no type ${JSON.stringify(schema)}`);
  return messageOf(type, new Set());
}

function messageOf(type: ApiType, within: ReadonlySet<ApiType>): Json {
  const inner = new Set([...within, type]);
  const fields = [...type.jsonFields].filter(([, field]) => !field.type || !inner.has(field.type));
  return Object.fromEntries(fields.map(([name, field]) => [name, shaped(field, inner)]));
}

function shaped(field: Field, within: ReadonlySet<ApiType>): unknown {
  const value = oneOf(field, within);
  return field.shape === 'list' ? [value] : field.shape === 'map' ? { key: value } : value;
}

function oneOf({ kind, type, name }: Field, within: ReadonlySet<ApiType>): unknown {
  switch (kind) {
    case 'message':
      return type ? messageOf(type, within) : {};
    case 'bool':
      return true;
    case 'int32':
    case 'int64':
      return 7;
    case 'intOrString':
      return '7%';
    case 'quantity':
      return '1500m';
    case 'bytes':
      return 'AQ==';
    case 'time':
      return '2026-01-01T00:00:00Z';
    case 'microTime':
      return '2026-01-01T00:00:00.000000Z';
    case 'strings':
      return ['one'];
    case 'double':
      return 7.5;
    case 'json':
    case 'fieldsV1':
    case 'raw':
      return { some: 'value' };
    case 'string':
      return `${name.toLowerCase()}-value`;
  }
}
