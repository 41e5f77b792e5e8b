/** OpenAPI v3 schemas of API types, from the tables; what kubectl's explain and its patches by schema look at. */

import { customSchemas } from '../custom/open-api.ts';
import { fieldDescription, typeDescription } from '../descriptions/descriptions.ts';
import { type ApiType, type CustomSchema, type Field, isCustom, type Schema, typeOf } from '../schema/schema.ts';

export type Json = Record<string, unknown>;

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1';

/** The schemas that are not objects of fields, with the names upstream has for them. */
const specialTypes: Readonly<Partial<Record<Field['kind'], readonly [name: string, schema: Json]>>> = {
  time: [`${meta}.Time`, { type: 'string', format: 'date-time' }],
  microTime: [`${meta}.MicroTime`, { type: 'string', format: 'date-time' }],
  fieldsV1: [`${meta}.FieldsV1`, { type: 'object' }],
  quantity: ['io.k8s.apimachinery.pkg.api.resource.Quantity', { oneOf: [{ type: 'string' }, { type: 'number' }] }],
  intOrString: [
    'io.k8s.apimachinery.pkg.util.intstr.IntOrString',
    { format: 'int-or-string', oneOf: [{ type: 'integer' }, { type: 'string' }] },
  ],
  raw: ['io.k8s.apimachinery.pkg.runtime.RawExtension', { type: 'object' }],
  json: ['io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON', { description: 'Any value of JSON.' }],
};

const plain: Readonly<Partial<Record<Field['kind'], Json>>> = {
  string: { type: 'string' },
  bool: { type: 'boolean' },
  int32: { type: 'integer', format: 'int32' },
  int64: { type: 'integer', format: 'int64' },
  double: { type: 'number', format: 'double' },
  bytes: { type: 'string', format: 'byte' },
  strings: { type: 'array', items: { type: 'string' } },
};

function described(description: string | undefined): Json {
  return description === undefined ? {} : { description };
}

/** A reference to a schema among the document's components. */
function refTo(openApi: string): Json {
  return { $ref: `#/components/schemas/${openApi}` };
}

/** Collects the schemas that a document needs: what was asked for, and all that it is made of. */
export class SchemaSet {
  readonly #schemas = new Map<string, Json>();

  /** Adds a type and answers the reference to it. */
  add(schema: Schema): Json {
    if (isCustom(schema)) return this.#addCustom(schema);
    const type = typeOf(schema);
    return type ? this.#add(type) : { type: 'object' };
  }

  /** Says which kind an object of the type is. */
  addKind(schema: Schema, gvk: { readonly group: string; readonly version: string; readonly kind: string }): Json {
    const ref = this.add(schema);
    const made = this.#schemas.get(isCustom(schema) ? schema.type : (typeOf(schema)?.openApiName ?? ''));
    if (made) made['x-kubernetes-group-version-kind'] = [{ group: gvk.group, kind: gvk.kind, version: gvk.version }];
    return ref;
  }

  /** An object, and the list of them: what is defined by the definition alone. */
  #addCustom(schema: CustomSchema): Json {
    if (!this.#schemas.has(schema.type)) {
      const meta = (name: string): Json => this.add(`meta.v1.${name}`);
      for (const [name, one] of customSchemas(schema, refTo, meta)) this.#schemas.set(name, one);
    }
    return refTo(schema.type);
  }

  #add(type: ApiType): Json {
    const name = type.openApiName;
    if (!this.#schemas.has(name)) {
      // Entered before its fields are looked at: types may contain themselves.
      const schema: Json = { ...described(typeDescription(type.name)), type: 'object' };
      this.#schemas.set(name, schema);
      this.#fill(schema, type);
    }
    return refTo(name);
  }

  /** All schemas by name, sorted. */
  toJSON(): Json {
    return Object.fromEntries([...this.#schemas].toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }

  #fill(schema: Json, type: ApiType): void {
    const properties: Json = {};
    if (type.isKind) {
      properties.apiVersion = { ...described(fieldDescription(type.name, 'apiVersion')), type: 'string' };
      properties.kind = { ...described(fieldDescription(type.name, 'kind')), type: 'string' };
    }
    const required: string[] = [];
    for (const [name, field] of type.jsonFields) {
      properties[name] = { ...described(fieldDescription(type.name, name)), ...this.#property(field) };
      if (field.required) required.push(name);
    }
    if (Object.keys(properties).length > 0) schema.properties = properties;
    if (required.length > 0) schema.required = required.toSorted();
    if (type.isAtomic) schema['x-kubernetes-map-type'] = 'atomic';
  }

  #property(field: Field): Json {
    const { marks, shape } = field;
    const entry = this.#entry(field);
    const own: Json = {};
    if (shape === 'list') Object.assign(own, { type: 'array', items: this.#wrapped(field, entry) });
    else if (shape === 'map') Object.assign(own, { type: 'object', additionalProperties: this.#wrapped(field, entry) });
    // A reference may have no neighbours, so what else is to be said stands around it.
    else if (entry.$ref !== undefined) own.allOf = [entry];
    else Object.assign(own, entry);
    if (marks.default !== undefined) own.default = marks.default;
    if (marks.listKeys) own['x-kubernetes-list-map-keys'] = marks.listKeys;
    if (marks.listType) own['x-kubernetes-list-type'] = marks.listType;
    if (marks.mapType) own['x-kubernetes-map-type'] = marks.mapType;
    if (marks.mergeKey) own['x-kubernetes-patch-merge-key'] = marks.mergeKey;
    if (marks.strategy) own['x-kubernetes-patch-strategy'] = marks.strategy;
    return own;
  }

  #wrapped(field: Field, entry: Json): Json {
    return field.kind === 'message' ? { allOf: [entry], default: {} } : entry;
  }

  #entry(field: Field): Json {
    if (field.type) return this.#add(field.type);
    const special = specialTypes[field.kind];
    const { enum: values } = field.marks;
    if (!special) return { ...plain[field.kind], ...(values ? { enum: values } : {}) };
    const [name, schema] = special;
    this.#schemas.set(name, schema);
    return refTo(name);
  }
}
