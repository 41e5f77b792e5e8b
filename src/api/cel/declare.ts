/** The types that a schema declares for its rules, as in k8s.io/apiserver/pkg/cel/common/schemas.go. */
import type { Environment } from '@marcbachmann/cel-js';
import { isObject } from '../codec/json-object.ts';
import type { JsonSchema } from '../schema/schema.ts';
import { escapeName } from './escape.ts';
import { durationFrom } from './library/times.ts';
import {
  bytesFrom,
  type Declared,
  DeclaredObject,
  type Field,
  integerFrom,
  intOrStringFrom,
  listFrom,
  mapFrom,
  timestampFrom,
} from './values.ts';

const same = (json: unknown): unknown => json;
const text: Declared = { name: 'string', of: same };
const scalars: Readonly<Record<string, Declared>> = {
  string: text,
  boolean: { name: 'bool', of: same },
  number: { name: 'double', of: same },
  integer: { name: 'int', of: integerFrom },
};
const formats: Readonly<Record<string, Declared>> = {
  byte: { name: 'bytes', of: bytesFrom },
  duration: { name: 'google.protobuf.Duration', of: durationFrom },
  date: { name: 'google.protobuf.Timestamp', of: timestampFrom },
  'date-time': { name: 'google.protobuf.Timestamp', of: timestampFrom },
};
const intOrString: Declared = { name: 'dyn', of: intOrStringFrom };
/** Whole objects have these without their schema saying so. */
const typeMeta = { apiVersion: { type: 'string' }, kind: { type: 'string' } } as const;
const nameMeta: JsonSchema = { type: 'object', properties: { name: { type: 'string' }, generateName: { type: 'string' } } };

/** Declares the types of one schema in one environment. */
export class Declarations {
  readonly #environment: Environment;
  /** The package keeps names forever; numbers are the same in each environment. */
  #count = 0;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** Undefined for what no rule can see. */
  of(schema: JsonSchema, isWhole: boolean): Declared | undefined {
    if (schema['x-kubernetes-int-or-string']) return intOrString;
    const { type = '', format = '', items, additionalProperties } = isWhole ? { ...schema, type: 'object' } : schema;
    if (type === 'string') return (Object.hasOwn(formats, format) ? formats[format] : undefined) ?? text;
    if (type === 'array') return this.#list(schema, items);
    if (type !== 'object') return Object.hasOwn(scalars, type) ? scalars[type] : undefined;
    if (isObject(additionalProperties)) return this.#map(additionalProperties as JsonSchema);
    return this.#object(schema, isWhole);
  }

  /** An object whose fields each compiler has for itself (`Compiler.openType`). */
  open(name: string, ctor: new (...args: never[]) => DeclaredObject): void {
    this.#environment.registerType({ name, ctor, fields: {} } as never);
    this.#environment.registerOperator(`${name} == ${name}`, (a: unknown, b: unknown) => a === b);
  }

  #below(schema: JsonSchema): Declared | undefined {
    return this.of(schema, schema['x-kubernetes-embedded-resource'] === true);
  }

  #list(schema: JsonSchema, items: JsonSchema | undefined): Declared | undefined {
    const entries = items && this.#below(items);
    return entries && { name: `list<${entries.name}>`, of: listFrom(schema, entries), entries };
  }

  #map(schema: JsonSchema): Declared | undefined {
    const entries = this.#below(schema);
    return entries && { name: `map<string, ${entries.name}>`, of: mapFrom(entries), entries };
  }

  #object(schema: JsonSchema, isWhole: boolean): Declared {
    const properties = isWhole ? { ...schema.properties, ...typeMeta, metadata: nameMeta } : (schema.properties ?? {});
    const fields = new Map<string, Field>();
    for (const [name, property] of Object.entries(properties)) {
      const escaped = escapeName(name);
      const declared = this.#below(property);
      if (escaped !== undefined && declared) fields.set(escaped, { name, declared });
    }
    return this.named(`object${++this.#count}`, fields);
  }

  /** An object of these fields, by their names in expressions. */
  named(name: string, fields: ReadonlyMap<string, Field>): Declared {
    const ctor = class extends DeclaredObject {
      readonly fields = fields;
    };
    const types = Object.fromEntries([...fields].map(([field, { declared }]) => [field, declared.name]));
    this.#environment.registerType({ name, ctor, fields: types } as never);
    // How two of them are compared is the evaluation's; that they can be is said here.
    this.#environment.registerOperator(`${name} == ${name}`, (a: unknown, b: unknown) => a === b);
    this.#environment.registerOperator(`${name} == null`, () => false);
    return { name, of: (json) => new ctor(isObject(json) ? json : {}), fields };
  }
}
