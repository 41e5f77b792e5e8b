/**
 * A Swagger document as gnostic's protobuf (google/gnostic openapiv2/OpenAPIv2.proto), the only form that client-go asks for. Fields are written
 * from the last to the first, as `WireWriter` wants it.
 */
import { WireWriter } from '../codec/wire-writer.ts';
import type { Json } from './openapi-schema.ts';

const methods: readonly (readonly [name: string, field: number])[] = [
  ['patch', 8],
  ['delete', 5],
  ['post', 4],
  ['put', 3],
  ['get', 2],
];

export function swaggerBytes(document: Json): Buffer {
  const out = new Out();
  const { swagger, info, paths, definitions, securityDefinitions } = document as Readonly<Record<string, Json>>;
  out.message(13, () =>
    out.entries(1, securityDefinitions, (scheme) => out.message(2, () => out.texts(scheme, ['type', 'name', 'in', 'description']))),
  );
  out.message(9, () => out.entries(1, definitions, (schema) => writeSchema(out, schema)));
  out.message(8, () => out.entries(2, paths, (item) => writePath(out, item)));
  out.message(2, () => out.texts(info ?? {}, ['title', 'version']));
  out.text(1, swagger);
  return out.finish();
}

class Out {
  readonly #writer = new WireWriter();

  finish(): Buffer {
    return this.#writer.finish();
  }

  text(field: number, value: unknown): void {
    if (value === undefined) return;
    this.#writer.string(String(value));
    this.#tag(field, 2);
  }

  bool(field: number, value: unknown): void {
    if (value !== true) return;
    this.#writer.uint32(1);
    this.#tag(field, 0);
  }

  message(field: number, content: () => void): void {
    const from = this.#writer.written;
    content();
    this.#writer.uint32(this.#writer.written - from);
    this.#tag(field, 2);
  }

  list<T>(field: number, values: readonly T[] | undefined, each: (value: T) => void): void {
    for (const value of (values ?? []).toReversed()) this.message(field, () => each(value));
  }

  textList(field: number, values: unknown): void {
    for (const value of ((values ?? []) as string[]).toReversed()) this.text(field, value);
  }

  /** Fields 1, 2, 3 … by their names. */
  texts(from: Json, names: readonly string[]): void {
    for (const [i, name] of names.entries().toArray().toReversed()) this.text(i + 1, from[name]);
  }

  /** A map, as a list of names (1) and values (2). */
  entries(field: number, map: Json | undefined, each: (value: Json) => void): void {
    this.list(field, Object.entries(map ?? {}), ([name, value]) => {
      this.message(2, () => each(value as Json));
      this.text(1, name);
    });
  }

  /** What no field is there for, as YAML, of which JSON is a part. */
  extensions(field: number, from: Json): void {
    const own = Object.entries(from).filter(([name]) => name.startsWith('x-'));
    this.entries(field, Object.fromEntries(own), (value) => this.text(2, JSON.stringify(value)));
  }

  #tag(field: number, wire: number): void {
    this.#writer.uint32((field << 3) | wire);
  }
}

function writeSchema(out: Out, schema: Json): void {
  const { properties, items, additionalProperties, type } = schema as { readonly [name: string]: Json };
  out.extensions(31, schema);
  if (properties) out.message(25, () => out.entries(1, properties, (one) => writeSchema(out, one)));
  if (items) out.message(23, () => out.message(1, () => writeSchema(out, items)));
  if (type) out.message(22, () => out.text(1, type));
  if (additionalProperties) out.message(21, () => out.message(1, () => writeSchema(out, additionalProperties)));
  out.list(20, schema.enum as string[] | undefined, (value) => out.text(2, JSON.stringify(value)));
  out.textList(19, schema.required);
  const { default: preset } = schema;
  if (preset !== undefined) out.message(5, () => out.text(2, JSON.stringify(preset)));
  out.text(4, schema.description);
  out.text(2, schema.format);
  out.text(1, schema.$ref);
}

function writePath(out: Out, item: Json): void {
  writeParameters(out, 9, item.parameters as Json[] | undefined);
  for (const [name, field] of methods) {
    const operation = item[name] as Json | undefined;
    if (operation) out.message(field, () => writeOperation(out, operation));
  }
}

function writeOperation(out: Out, operation: Json): void {
  out.extensions(13, operation);
  out.message(9, () => out.entries(1, operation.responses as Json, (answer) => out.message(1, () => writeResponse(out, answer))));
  writeParameters(out, 8, operation.parameters as Json[] | undefined);
  out.textList(7, operation.consumes);
  out.textList(6, operation.produces);
  out.text(5, operation.operationId);
  out.textList(1, operation.tags);
}

function writeResponse(out: Out, { description, schema }: Json): void {
  if (schema) out.message(2, () => out.message(1, () => writeSchema(out, schema as Json)));
  out.text(1, description);
}

function writeParameters(out: Out, field: number, parameters: readonly Json[] | undefined): void {
  // ParametersItem → Parameter → body or not → of the query or of the path.
  out.list(field, parameters, (one) => out.message(1, () => writeParameter(out, one)));
}

function writeParameter(out: Out, one: Json): void {
  if (one.in === 'body') {
    out.message(1, () => {
      if (one.schema) out.message(5, () => writeSchema(out, one.schema as Json));
      out.bool(4, one.required);
      out.text(3, one.in);
      out.text(2, one.name);
    });
    return;
  }
  const inPath = one.in === 'path';
  out.message(2, () =>
    out.message(inPath ? 4 : 3, () => {
      out.bool(inPath ? 19 : 20, one.uniqueItems);
      out.text(inPath ? 5 : 6, one.type);
      out.text(4, one.name);
      out.text(2, one.in);
      out.bool(1, one.required);
    }),
  );
}
