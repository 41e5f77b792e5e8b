/**
 * Which schemas a definition may have: structural ones, with the messages of apiextensions-apiserver (apiserver/schema/validation.go and
 * apis/apiextensions/validation). A schema says of every field what it is in one place; what stands in `allOf`, `anyOf`, `oneOf` and `not`
 * only narrows values.
 */
import { isDeepStrictEqual } from 'node:util';
import { hasRules, loadRuleEngine, rulesOf } from '../cel/validation-rules.ts';
import { cloneJson } from '../codec/json-clone.ts';
import { isObject } from '../codec/json-object.ts';
import { checkFields, isUnknownField } from '../codec/strict.ts';
import type { JsonSchema } from '../schema/schema.ts';
import { type FieldError, forbidden, invalid, notSupported, required } from '../validation/field-error.ts';
import { collectionErrors } from './collection-errors.ts';
import { definitionSchema } from './definition-schema.ts';
import { patternProblem, patternSize } from './pattern.ts';
import { prune } from './structural.ts';
import { valueErrors } from './validate.ts';

const mostErrors = 100;
/** Of all patterns of a schema together: to compile so much takes a second or two. */
const mostPatternSize = 2_000_000;
const schemaTypes = ['array', 'boolean', 'integer', 'number', 'object', 'string'];
const intOrString = [{ type: 'integer' }, { type: 'string' }];
/** What may stand beside the properties of an object with a status subresource. */
const atRoot: ReadonlySet<string> = new Set([
  ...['description', 'type', 'format', 'title', 'maximum', 'exclusiveMaximum', 'minimum', 'exclusiveMinimum', 'maxLength', 'minLength'],
  ...['pattern', 'maxItems', 'minItems', 'uniqueItems', 'multipleOf', 'required', 'items', 'properties', 'externalDocs', 'example'],
  ...['x-kubernetes-preserve-unknown-fields', 'x-kubernetes-validations'],
]);
const atRootText =
  '[Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields XValidations]';

/** Members that no schema here may have. */
const unsupported = ['id', 'additionalItems', 'patternProperties', 'definitions', 'dependencies', '$ref'];

type Level = 'root' | 'item' | 'field';
type Unread = Readonly<Record<string, unknown>>;

/** Errors of the schema of one version, which stands at `path`. */
export function schemaErrors(schema: JsonSchema, path: string, hasStatus: boolean): FieldError[] {
  const walk = new SchemaWalk();
  if (hasStatus) walk.add(...statusRootErrors(schema, path));
  if (schema.nullable) walk.add(forbidden(`${path}.nullable`, 'nullable cannot be true at the root'));
  walk.structural(schema, 'root', path);
  walk.complete(schema, schema, path, path);
  // Of what is no schema at all no more is said.
  if (walk.isUnreadable) return walk.errors;
  walk.plain(schema, path, { isRoot: true, inMeta: false });
  if (walk.errors.length === 0) walk.defaults(schema, path, true);
  if (walk.errors.length === 0 && hasRules(schema)) walk.add(...loadRuleEngine().expressionErrors(schema, path));
  return walk.errors;
}

function statusRootErrors(schema: JsonSchema, path: string): FieldError[] {
  for (const [name, value] of Object.entries(schema)) {
    if (name === 'type' && schema.type !== 'object')
      return [
        invalid(
          `${path}.type`,
          schema.type,
          'only "object" is allowed as the type at the root of the schema if the status subresource is enabled',
        ),
      ];
    if (!atRoot.has(name) && value !== false)
      return [
        invalid(path, schema, `only ${atRootText} fields are allowed at the root of the schema if the status subresource is enabled`),
      ];
  }
  return [];
}

class SchemaWalk {
  readonly errors: FieldError[] = [];
  isUnreadable = false;
  readonly #patterns = new Set<string>();
  #patternSize = 0;

  add(...errors: readonly FieldError[]): void {
    for (const error of errors) if (this.errors.length < mostErrors) this.errors.push(error);
  }

  /** Of the part that says what fields are: every value has a type. */
  structural(schema: JsonSchema, level: Level, path: string): void {
    const { type = '', items, properties = {}, additionalProperties } = schema;
    if (type === 'array' && !items) this.add(required(`${path}.items`, 'must be specified'));
    if (items) this.structural(items, 'item', `${path}.items`);
    for (const [name, one] of Object.entries(properties)) this.structural(one, 'field', `${path}.properties[${name}]`);
    if (additionalProperties !== undefined && level === 'root')
      this.add(forbidden(`${path}.additionalProperties`, 'must not be used at the root'));
    if (isObject(additionalProperties)) this.#additional(additionalProperties as JsonSchema, `${path}.additionalProperties`);
    this.#extensions(schema, level, path);
    this.#whole(schema, level, path);
    this.#narrowing(schema, path, true);
    if (level === 'root' && type !== '' && type !== 'object') this.add(invalid(`${path}.type`, type, 'must be object at the root'));
  }

  /** These are read as JSON only: a type of the tables cannot be of two forms. */
  #additional(schema: JsonSchema, path: string): void {
    const type = `${definitionSchema.type.slice(0, definitionSchema.type.lastIndexOf('.'))}.JSONSchemaProps`;
    const wrong = checkFields(cloneJson(schema), { ...definitionSchema, type }).find((error) => !isUnknownField(error));
    if (wrong === undefined) this.structural(schema, 'field', path);
    else {
      this.isUnreadable = true;
      this.add(invalid(path, '', wrong));
    }
  }

  #extensions(schema: JsonSchema, level: Level, path: string): void {
    const { type = '' } = schema;
    const preserves = schema['x-kubernetes-preserve-unknown-fields'];
    const embedded = schema['x-kubernetes-embedded-resource'];
    if (schema['x-kubernetes-int-or-string']) {
      const why = 'must be false if x-kubernetes-int-or-string is true';
      if (preserves) this.add(invalid(`${path}.x-kubernetes-preserve-unknown-fields`, true, why));
      if (embedded) this.add(invalid(`${path}.x-kubernetes-embedded-resource`, true, why));
    }
    if (embedded) this.#embedded(schema, path);
    else if (type === '' && !schema['x-kubernetes-int-or-string'] && !preserves) {
      const where = { root: 'at the root', item: 'for specified array items', field: 'for specified object fields' }[level];
      this.add(required(`${path}.type`, `must not be empty ${where}`));
    }
  }

  #embedded(schema: JsonSchema, path: string): void {
    const { type = '', properties = {}, additionalProperties } = schema;
    const isEmpty = Object.keys(properties).length === 0 && !schema['x-kubernetes-preserve-unknown-fields'];
    const why = 'must be object if x-kubernetes-embedded-resource is true';
    if (type !== 'object') this.add(type === '' ? required(`${path}.type`, why) : invalid(`${path}.type`, type, why));
    if (additionalProperties !== undefined)
      this.add(forbidden(`${path}.additionalProperties`, 'must not be used if x-kubernetes-embedded-resource is set'));
    if (isEmpty)
      this.add(
        required(
          `${path}.properties`,
          'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields',
        ),
      );
  }

  /** What a whole object has by itself. */
  #whole(schema: JsonSchema, level: Level, path: string): void {
    if (level !== 'root' && !schema['x-kubernetes-embedded-resource']) return;
    const { apiVersion, kind, metadata } = schema.properties ?? {};
    for (const [name, one] of Object.entries({ kind, apiVersion }))
      if (one && one.type !== 'string') this.add(invalid(`${path}.properties[${name}].type`, one.type ?? '', 'must be string'));
    if (!metadata) return;
    const at = `${path}.properties[metadata]`;
    if (metadata.type !== 'object') this.add(invalid(`${at}.type`, metadata.type ?? '', 'must be object'));
    const { type: _type, description: _description, properties = {}, default: _default, ...rest } = metadata;
    const others = Object.keys(properties).filter((name) => name !== 'name' && name !== 'generateName');
    if (level === 'root' && (others.length > 0 || Object.keys(rest).length > 0 || metadata.description !== undefined))
      this.add(forbidden(at, 'must not specify anything other than name and generateName, but metadata is implicitly specified'));
  }

  #narrowing(schema: JsonSchema, path: string, isStructural: boolean): void {
    const { allOf = [], anyOf = [], oneOf = [], not, pattern } = schema;
    const isPair = (list: readonly JsonSchema[] | undefined): boolean => isStructural && isDeepStrictEqual(list, intOrString);
    if (!isPair(anyOf)) for (const [i, one] of anyOf.entries()) this.#nested(one, `${path}.anyOf[${i}]`);
    for (const [i, one] of allOf.entries()) this.#nested(one, `${path}.allOf[${i}]`, i === 0 && isPair(one.anyOf));
    for (const [i, one] of oneOf.entries()) this.#nested(one, `${path}.oneOf[${i}]`);
    if (not) this.#nested(not, `${path}.not`);
    const problem = pattern ? this.#patternProblem(pattern) : undefined;
    if (problem !== undefined) this.add(invalid(`${path}.pattern`, pattern, `must be a valid regular expression, but isn't: ${problem}`));
  }

  #patternProblem(pattern: string): string | undefined {
    if (!this.#patterns.has(pattern)) {
      this.#patterns.add(pattern);
      this.#patternSize += patternSize(pattern);
    }
    return this.#patternSize > mostPatternSize ? 'the patterns of the schema are too large together' : patternProblem(pattern);
  }

  /** In what only narrows nothing may be said anew. */
  #nested(schema: JsonSchema, path: string, skipsPair = false): void {
    this.#narrowing(skipsPair ? { ...schema, anyOf: [] } : schema, path, false);
    if (schema.items) this.#nested(schema.items, `${path}.items`);
    for (const [name, one] of Object.entries(schema.properties ?? {})) this.#nested(one, `${path}.properties[${name}]`);
    const unread = schema as Unread;
    for (const [name, how] of [
      ['type', 'empty'],
      ['additionalProperties', 'undefined'],
      ['default', 'undefined'],
      ['title', 'empty'],
      ['description', 'empty'],
      ['nullable', 'false'],
      ['x-kubernetes-preserve-unknown-fields', 'false'],
      ['x-kubernetes-embedded-resource', 'false'],
      ['x-kubernetes-int-or-string', 'false'],
      ['x-kubernetes-list-map-keys', 'empty'],
      ['x-kubernetes-list-type', 'undefined'],
      ['x-kubernetes-map-type', 'undefined'],
      ['x-kubernetes-validations', 'empty'],
    ] as const)
      if (unread[name] !== undefined && unread[name] !== false && unread[name] !== '')
        this.add(forbidden(`${path}.${name}`, `must be ${how} to be structural`));
    if (schema.properties && Object.hasOwn(schema.properties, 'metadata'))
      this.add(forbidden(`${path}.properties[metadata]`, 'must not be specified in a nested context'));
  }

  /** What is narrowed must be there: `at` is the structural part, `narrow` what narrows it. As upstream, of what stands at the root. */
  complete(narrow: JsonSchema, at: JsonSchema | undefined, path: string, narrowPath: string): void {
    const { allOf = [], anyOf = [], oneOf = [], not } = narrow;
    const lists = { allOf, anyOf, oneOf };
    if (not) this.#completeNested(not, at, path, `${narrowPath}.not`);
    for (const [name, list] of Object.entries(lists))
      for (const [i, one] of list.entries()) this.#completeNested(one, at, path, `${narrowPath}.${name}[${i}]`);
  }

  #completeNested(narrow: JsonSchema, at: JsonSchema | undefined, path: string, narrowPath: string): void {
    if (!at) {
      this.add(required(path, `because it is defined in ${narrowPath}`));
      return;
    }
    this.complete(narrow, at, path, narrowPath);
    if (this.errors.length >= mostErrors) return;
    if (narrow.items) this.#completeNested(narrow.items, at.items, `${path}.items`, `${narrowPath}.items`);
    for (const [name, one] of Object.entries(narrow.properties ?? {})) {
      const below = at.properties && Object.hasOwn(at.properties, name) ? at.properties[name] : undefined;
      this.#completeNested(one, below, `${path}.properties[${name}]`, `${narrowPath}.properties[${name}]`);
    }
  }

  /** What every schema is held to, wherever it stands. */
  plain(
    schema: JsonSchema,
    path: string,
    where: { readonly isRoot: boolean; readonly inMeta: boolean; readonly noDefault?: string },
  ): void {
    const { type = '', properties = {}, additionalProperties } = schema;
    if (type !== '' && !schemaTypes.includes(type)) this.add(notSupported(`${path}.type`, type, schemaTypes));
    if (type === 'null') this.add(forbidden(`${path}.type`, 'type cannot be set to null, use nullable as an alternative'));
    if (schema.default !== undefined && where.noDefault !== undefined)
      this.add(forbidden(`${path}.default`, `must not be set ${where.noDefault}`));
    for (const name of unsupported)
      if ((schema as Unread)[name] !== undefined) this.add(forbidden(`${path}.${name}`, `${name} is not supported`));
    if (where.inMeta && schema['x-kubernetes-embedded-resource'])
      this.add(forbidden(`${path}.x-kubernetes-embedded-resource`, 'must not be used inside of resource meta'));
    if (schema.uniqueItems)
      this.add(forbidden(`${path}.uniqueItems`, 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic'));
    if (Object.keys(properties).length > 0 && additionalProperties !== undefined && additionalProperties !== true)
      this.add(forbidden(`${path}.additionalProperties`, 'additionalProperties and properties are mutual exclusive'));
    if (schema['x-kubernetes-preserve-unknown-fields'] === false)
      this.add(invalid(`${path}.x-kubernetes-preserve-unknown-fields`, false, 'must be true or undefined'));
    this.add(...collectionErrors(schema, path));
    if (rulesOf(schema).length > 0) this.add(...loadRuleEngine().ruleFieldErrors(schema, path));
    this.#below(schema, path, where);
  }

  #below(
    schema: JsonSchema,
    path: string,
    where: { readonly isRoot: boolean; readonly inMeta: boolean; readonly noDefault?: string },
  ): void {
    const below = { ...where, isRoot: false };
    const { properties = {}, additionalProperties, items, not } = schema;
    const isWhole = where.isRoot || schema['x-kubernetes-embedded-resource'] === true;
    for (const [name, one] of Object.entries(properties)) {
      const isMeta = isWhole && ['metadata', 'kind', 'apiVersion'].includes(name);
      const noDefault = isMeta && where.isRoot ? { noDefault: `in top-level ${name}` } : {};
      this.plain(one, `${path}.properties[${name}]`, { ...below, ...(isMeta ? { inMeta: true } : {}), ...noDefault });
    }
    if (isObject(additionalProperties)) this.plain(additionalProperties as JsonSchema, `${path}.additionalProperties`, below);
    if (items) this.plain(items, `${path}.items`, below);
    if (not) this.plain(not, `${path}.not`, below);
    for (const name of ['allOf', 'anyOf', 'oneOf'] as const)
      for (const [i, one] of (schema[name] ?? []).entries()) this.plain(one, `${path}.${name}[${i}]`, below);
  }

  /** A default must be what its schema allows. */
  defaults(schema: JsonSchema, path: string, isRoot = false): void {
    if (schema.default !== undefined) this.#default(schema, path);
    for (const [name, one] of Object.entries(schema.properties ?? {}))
      if (!isRoot || !['metadata', 'kind', 'apiVersion'].includes(name)) this.defaults(one, `${path}.properties[${name}]`);
    if (schema.items) this.defaults(schema.items, `${path}.items`);
    if (isObject(schema.additionalProperties)) this.defaults(schema.additionalProperties as JsonSchema, `${path}.additionalProperties`);
  }

  #default(schema: JsonSchema, path: string): void {
    const at = `${path}.default`;
    if (schema.default === null && !schema.nullable) return;
    const value: unknown = cloneJson(schema.default);
    const pruned = prune(value, schema, false);
    if (pruned.length > 0) {
      this.add(invalid(at, schema.default, 'must not have unknown fields'));
      return;
    }
    // Named from the default on, as upstream.
    this.add(
      ...valueErrors(value, schema).map((error) => ({
        ...error,
        path: error.path === '' ? at : error.path === '<nil>' ? at : `${at}.${error.path}`,
      })),
    );
  }
}
