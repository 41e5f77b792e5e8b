/** The OpenAPI v3 schemas of a custom resource: its structural schema, with what every object has. */
import { isObject, type Json } from '../codec/json-object.ts';
import type { CustomSchema, JsonSchema } from '../schema/schema.ts';

const meta: Readonly<Record<'apiVersion' | 'kind', Json>> = {
  apiVersion: {
    description:
      'Group and version of the schema that the object is written in, such as apps/v1. Servers refuse versions that they do not know.',
    type: 'string',
  },
  kind: { description: 'What the object is, as a word in CamelCase. Cannot be changed.', type: 'string' },
};

/** By name: the object, and the list of them. `refTo` names a schema of the document, `metaType` one of meta/v1. */
export function customSchemas(
  { type, root }: CustomSchema,
  refTo: (name: string) => Json,
  metaType: (name: 'ObjectMeta' | 'ListMeta') => Json,
): [name: string, schema: Json][] {
  const metadata = { allOf: [metaType('ObjectMeta')], description: 'Name, labels and what else every object has' };
  const list = {
    type: 'object',
    required: ['items'],
    properties: {
      ...meta,
      metadata: { allOf: [metaType('ListMeta')], description: 'What every list has' },
      items: { description: 'The objects', type: 'array', items: refTo(type) },
    },
  };
  return [
    [type, wholeObject(root, metadata)],
    [`${type}List`, list],
  ];
}

function wholeObject(schema: JsonSchema, metadata: Json): Json {
  const inner = withEmbedded(schema, metadata) as Json;
  return { ...inner, properties: { ...(inner.properties as Json | undefined), ...meta, metadata } };
}

/** Objects within objects have metadata, too. */
function withEmbedded(schema: unknown, metadata: Json): unknown {
  if (!isObject(schema)) return schema;
  const { properties, items, additionalProperties } = schema;
  const out: Json = { ...schema };
  if (isObject(properties))
    out.properties = Object.fromEntries(Object.entries(properties).map(([name, one]) => [name, below(one, metadata)]));
  if (isObject(items)) out.items = below(items, metadata);
  if (isObject(additionalProperties)) out.additionalProperties = below(additionalProperties, metadata);
  return out;
}

function below(schema: unknown, metadata: Json): unknown {
  const isWhole = isObject(schema) && schema['x-kubernetes-embedded-resource'] === true;
  return isWhole ? wholeObject(schema as JsonSchema, metadata) : withEmbedded(schema, metadata);
}
