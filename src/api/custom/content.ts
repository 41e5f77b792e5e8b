/** What the schema of a version makes of objects, and says of them. */
import type { RuleNode } from '../cel/rules.ts';
import { hasRules, loadRuleEngine } from '../cel/validation-rules.ts';
import type { Json } from '../codec/json-object.ts';
import type { KubeObject } from '../resource-types.ts';
import type { JsonSchema } from '../schema/schema.ts';
import { type FieldError, invalid } from '../validation/field-error.ts';
import type { CustomVersion, ScalePaths } from './definition.ts';
import { firstAt, parseJsonPath } from './json-path.ts';
import { applyDefaults, prune } from './structural.ts';
import { valueErrors } from './validate.ts';

export type Loose = KubeObject & Json;

/** Errors after which rules are not asked. */
const blocking: ReadonlySet<FieldError['type']> = new Set([
  'FieldValueNotSupported',
  'FieldValueRequired',
  'FieldValueTooLong',
  'FieldValueTooMany',
  'FieldValueTypeInvalid',
]);
const notChecked =
  'some validation rules were not checked because the object was invalid; correct the existing errors to complete validation';

export class Content {
  readonly #root: JsonSchema;
  readonly #scale: ScalePaths | undefined;
  readonly #hasRules: boolean;
  /** Compiled for the first object. */
  #rules: RuleNode | undefined;
  /** Objects that asked for more defaults than an object may have values. */
  readonly #overfull = new WeakSet<object>();

  constructor(version: CustomVersion) {
    this.#root = rootOf(version);
    this.#scale = version.subresources?.scale;
    this.#hasRules = hasRules(this.#root);
  }

  applyDefaults(object: Loose): void {
    if (!applyDefaults(object, this.#root)) this.#overfull.add(object);
  }

  /** Takes out what the schema does not have. */
  prune(object: Loose): void {
    prune(object, this.#root, true);
  }

  /** As it is shown of what was stored when the schema was another one. */
  renew(object: Loose): void {
    prune(object, this.#root, true);
    applyDefaults(object, this.#root);
  }

  errors(object: Loose, old?: Loose): FieldError[] {
    if (this.#overfull.has(object)) return [invalid('', '', 'the defaults of the schema make the object too large')];
    return this.#withRules([...valueErrors(object, this.#root, old), ...this.#replicasErrors(object)], object, old);
  }

  /** Of an update of the status nothing else is looked at. */
  statusErrors(object: Loose, old: Loose): FieldError[] {
    const schema = this.#root.properties?.status;
    const errors = schema && object.status !== undefined ? valueErrors(object.status, schema, old.status) : [];
    const within = (path: string): string => (path === '' || path === '<nil>' ? 'status' : `status.${path}`);
    return this.#withRules(
      [...errors.map((error) => ({ ...error, path: within(error.path) })), ...this.#replicasErrors(object)],
      object,
      old,
    );
  }

  /** Rules may take for granted that the object is as its schema says. */
  #withRules(errors: FieldError[], object: Loose, old?: Loose): FieldError[] {
    if (!this.#hasRules) return errors;
    if (errors.some(({ type }) => blocking.has(type))) return [...errors, invalid('<nil>', null, notChecked)];
    const engine = loadRuleEngine();
    this.#rules ??= engine.compileRules(this.#root);
    return this.#rules ? [...errors, ...engine.ruleErrors(this.#rules, object, old)] : errors;
  }

  #replicasErrors(object: Loose): FieldError[] {
    const { specReplicasPath: spec = '', statusReplicasPath: status = '' } = this.#scale ?? {};
    return [spec, status].flatMap((path) => (path === '' ? [] : replicasErrors(at(object, path), path)));
  }
}

function replicasErrors(value: unknown, path: string): FieldError[] {
  if (value === undefined) return [];
  if (!Number.isInteger(value))
    return [invalid(path, 0, `${path} accessor error: ${String(value)} is of the type ${goType(value)}, expected int64`)];
  if ((value as number) < 0) return [invalid(path, value, 'should be a non-negative integer')];
  return (value as number) > 2 ** 31 - 1 ? [invalid(path, value, 'should be less than or equal to 2147483647')] : [];
}

function goType(value: unknown): string {
  if (typeof value === 'number') return 'float64';
  if (Array.isArray(value)) return '[]interface {}';
  return typeof value === 'boolean' ? 'bool' : typeof value === 'object' ? 'map[string]interface {}' : typeof value;
}

export function at(object: unknown, path: string): unknown {
  const steps = parseJsonPath(path);
  return steps && firstAt(object, steps);
}

/** The schema of whole objects. */
export function rootOf({ schema }: CustomVersion): JsonSchema {
  return schema?.openAPIV3Schema ?? { type: 'object' };
}
