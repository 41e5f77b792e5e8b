/**
 * `GET /openapi/v2`, for tools from before version 3 (kubectl up to 1.26 explains and validates by it): the same document as version 3 says
 * it, all groups in one, in the words of Swagger 2.0.
 */
import type { Json } from './openapi-schema.ts';

const schemaPath = '#/components/schemas/';

interface Document3 {
  readonly paths: Readonly<Record<string, Json>>;
  readonly components: { readonly schemas: Readonly<Record<string, Json>>; readonly securitySchemes: Json };
}

/** Of the documents of version 3, one of each group version, made one. */
export function swagger(documents: readonly Document3[], version: string): Json {
  const definitions: Json = {};
  const paths: Json = {};
  let security: Json = {};
  for (const { paths: own, components } of documents) {
    for (const [name, schema] of Object.entries(components.schemas))
      definitions[name] = merged(definitions[name] as Json, schemaOf(schema));
    for (const [path, item] of Object.entries(own)) paths[path] = pathItem(item);
    security = components.securitySchemes;
  }
  return { swagger: '2.0', info: { title: 'Kubernetes', version }, paths, definitions, securityDefinitions: security };
}

/** A type such as DeleteOptions is in the documents of several groups, each of which may know it as a kind. */
function merged(known: Json | undefined, schema: Json): Json {
  const key = 'x-kubernetes-group-version-kind';
  if (!known?.[key]) return schema;
  const kinds = [...(known[key] as Json[]), ...((schema[key] as Json[] | undefined) ?? [])];
  return { ...schema, [key]: kinds.filter((k, i) => kinds.findIndex((other) => JSON.stringify(other) === JSON.stringify(k)) === i) };
}

function schemaOf(given: Json): Json {
  const { $ref, allOf, oneOf, anyOf: _anyOf, not: _not, items, additionalProperties, properties, ...own } = loosened(given);
  const reference = $ref ?? (allOf as Json[] | undefined)?.[0]?.$ref;
  if (typeof reference === 'string') {
    // A reference is the whole of it; what it is for may stand beside it.
    const { description } = own;
    return { ...(description === undefined ? {} : { description }), $ref: `#/definitions/${reference.slice(schemaPath.length)}` };
  }
  return {
    ...own,
    // There is no choice of types: what may be a number too is written as a string.
    ...(oneOf && own.type === undefined && !properties ? { type: 'string' } : {}),
    ...(items ? { items: schemaOf(items as Json) } : {}),
    ...(typeof additionalProperties === 'object' ? { additionalProperties: schemaOf(additionalProperties as Json) } : {}),
    ...(properties
      ? { properties: Object.fromEntries(Object.entries(properties).map(([name, one]) => [name, schemaOf(one as Json)])) }
      : {}),
  };
}

/** Of custom resources: what may be null or have any field is said to be anything, or old kubectls would refuse it. As upstream. */
function loosened(schema: Json): Json {
  const isAny = schema['x-kubernetes-preserve-unknown-fields'] === true;
  if (!schema.nullable && !isAny) return schema;
  const { type, nullable: _nullable, items: _items, properties: _properties, required: _required, ...rest } = schema;
  // A kind stays an object.
  return !schema.nullable && (type !== 'object' || 'x-kubernetes-group-version-kind' in schema) && type !== 'array'
    ? { ...rest, type }
    : rest;
}

function pathItem(item: Json): Json {
  return Object.fromEntries(
    Object.entries(item).map(([key, value]) => [key, key === 'parameters' ? (value as Json[]).map(parameter) : operation(value as Json)]),
  );
}

function operation(given: Json): Json {
  const { parameters = [], requestBody, responses, ...own } = given;
  const { content, required } = (requestBody ?? {}) as {
    readonly content?: Readonly<Record<string, { schema: Json }>>;
    required?: boolean;
  };
  const [taken] = Object.values(content ?? {});
  const body = taken ? [{ name: 'body', in: 'body', ...(required ? { required } : {}), schema: schemaOf(taken.schema) }] : [];
  const all = [...body, ...(parameters as Json[]).map(parameter)];
  return {
    ...own,
    ...(content ? { consumes: Object.keys(content) } : {}),
    produces: ['application/json'],
    ...(all.length > 0 ? { parameters: all } : {}),
    responses: Object.fromEntries(Object.entries(responses as Record<string, Json>).map(([code, answer]) => [code, response(answer)])),
  };
}

function parameter({ schema, ...own }: Json): Json {
  return { ...own, ...(schema as Json) };
}

function response({ content, ...own }: Json): Json {
  const [given] = Object.values((content ?? {}) as Record<string, { schema: Json }>);
  return { ...own, ...(given ? { schema: schemaOf(given.schema) } : {}) };
}
