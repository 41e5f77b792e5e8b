/** The rows of a definition: one for each version that is served. To the rest of the server they are rows as any. */
import type { RuleNode } from '../cel/rules.ts';
import { hasRules, loadRuleEngine } from '../cel/validation-rules.ts';
import { cloneJson, takeOver } from '../codec/json-clone.ts';
import { isObject, type Json } from '../codec/json-object.ts';
import { defineRow, part } from '../registry/define-row.ts';
import type { Conversion, ResourceRow, ScaleSubresource } from '../registry/resource-row.ts';
import type { KubeObject } from '../resource-types.ts';
import type { CustomSchema, JsonSchema } from '../schema/schema.ts';
import { type FieldError, invalid } from '../validation/field-error.ts';
import { nameIsDnsSubdomain } from '../validation/names.ts';
import { type CustomResourceDefinition, type CustomVersion, type ScalePaths, storageVersionOf } from './definition.ts';
import { firstAt, parseJsonPath } from './json-path.ts';
import { printerColumns } from './printer-columns.ts';
import { applyDefaults, prune } from './structural.ts';
import { valueErrors } from './validate.ts';

type Loose = KubeObject & Json;

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

/** None before the names of the definition are accepted. */
export function customRows(definition: CustomResourceDefinition): ResourceRow[] {
  const { spec = {} } = definition;
  const served = (spec.versions ?? []).filter((version) => version.served);
  // Only the webhook knows how the other versions look.
  const calls = spec.conversion?.strategy === 'Webhook';
  return served.filter((version) => version.storage || !calls).map((version) => customRow(definition, version));
}

/** The row that has the objects as they are stored, served or not. */
export function storageRow(definition: CustomResourceDefinition): ResourceRow | undefined {
  const version = storageVersionOf(definition);
  return version && customRow(definition, version);
}

function customRow(definition: CustomResourceDefinition, version: CustomVersion): ResourceRow {
  const { group = '', names = {}, scope } = definition.spec ?? {};
  const {
    plural = '',
    kind = '',
    listKind = `${kind}List`,
    singular = '',
    shortNames = [],
    categories = [],
  } = {
    ...names,
    ...definition.status?.acceptedNames,
  };
  const root = version.schema?.openAPIV3Schema ?? { type: 'object' };
  const hasStatus = version.subresources?.status !== undefined;
  const generationOf = ({ metadata: _metadata, ...rest }: Loose): unknown => rest;
  const content = new Content(root, version);
  const scale = version.subresources?.scale;
  return defineRow<Loose>({
    type: { group, version: version.name ?? '', kind, resource: plural, namespaced: scope === 'Namespaced' },
    schema: schemaOf(group, version.name ?? '', kind, root),
    ...{ listKind, singular, shortNames, categories },
    storedAs: `${group}/${plural}`,
    conversion: conversionOf(definition, version, content),
    deprecation: deprecationOf(group, kind, version),
    columns: printerColumns(version.additionalPrinterColumns),
    selectableFields: selectableFieldsOf(version),
    unknownField: (path) => `field label not supported: ${path}`,
    updatesUnconditionally: false,
    validateName: nameIsDnsSubdomain,
    applyDefaults: (object) => content.applyDefaults(object),
    prepareCreate: (object) => {
      if (hasStatus) delete object.status;
    },
    prepareUpdate: (next, old) => {
      if (hasStatus) takeOver(next, old, 'status');
    },
    validate: (object) => content.errors(object),
    validateUpdate: (next, old) => content.errors(next, old),
    generationOf,
    subresources: [...(hasStatus ? [statusOf(content)] : []), ...(scale ? [scaleOf(scale)] : [])],
  });
}

/** `com.example.v1.Widget`: the group from behind, as upstream names it in OpenAPI. */
function schemaOf(group: string, version: string, kind: string, root: JsonSchema): CustomSchema {
  return { type: [...group.split('.').toReversed(), version, kind].join('.'), root };
}

/** What the schema makes of objects, and says of them. */
class Content {
  readonly #root: JsonSchema;
  readonly #scale: ScalePaths | undefined;
  readonly #hasRules: boolean;
  /** Compiled for the first object. */
  #rules: RuleNode | undefined;
  /** Objects that asked for more defaults than an object may have values. */
  readonly #overfull = new WeakSet<object>();

  constructor(root: JsonSchema, { subresources }: CustomVersion) {
    this.#root = root;
    this.#scale = subresources?.scale;
    this.#hasRules = hasRules(root);
  }

  applyDefaults(object: Loose): void {
    if (!applyDefaults(object, this.#root)) this.#overfull.add(object);
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

function at(object: unknown, path: string): unknown {
  const steps = parseJsonPath(path);
  return steps && firstAt(object, steps);
}

/**
 * Of the version that objects are stored in, while its schema is the one that they were written under, nothing has to be done. Of others the
 * apiVersion changes, and they are shown as their schema has them now.
 */
function conversionOf(definition: CustomResourceDefinition, version: CustomVersion, content: Content): Conversion<Loose> | undefined {
  const { metadata, spec } = definition;
  if (version.storage && metadata.generation === 1) return undefined;
  const storage = storageVersionOf(definition)?.name;
  const inVersion = (object: KubeObject, name: string | undefined): Loose => ({ ...object, apiVersion: `${spec?.group}/${name}` });
  return {
    fromStored: (stored) => {
      const object = inVersion(cloneJson(stored), version.name);
      content.renew(object);
      return object;
    },
    toStored: (object) => inVersion(object, storage),
  };
}

function deprecationOf(group: string, kind: string, { name, deprecated, deprecationWarning }: CustomVersion): string | undefined {
  return deprecated ? (deprecationWarning ?? `${group}/${name} ${kind} is deprecated`) : undefined;
}

function selectableFieldsOf({ selectableFields = [] }: CustomVersion): Record<string, (object: Loose) => string> {
  return Object.fromEntries(
    selectableFields.map(({ jsonPath = '' }) => [
      jsonPath.slice(1),
      (object: Loose) => {
        const value = at(object, jsonPath);
        return value === undefined || value === null ? '' : String(value);
      },
    ]),
  );
}

/** Upstream lets it change the status alone, no labels either. */
function statusOf(content: Content): ReturnType<typeof part<Loose>> {
  return part<Loose>('status', {
    prepareUpdate: (next, old) => {
      for (const key of new Set([...Object.keys(next), ...Object.keys(old)]))
        if (!['status', 'metadata', 'kind', 'apiVersion'].includes(key)) takeOver(next, old, key);
    },
    validateUpdate: (next, old) => content.statusErrors(next, old),
  });
}

function scaleOf({ specReplicasPath = '', statusReplicasPath = '', labelSelectorPath = '' }: ScalePaths): ScaleSubresource<Loose> {
  const number = (object: Loose, path: string): number => {
    const value = at(object, path);
    return typeof value === 'number' ? value : 0;
  };
  return {
    kind: 'scale',
    name: 'scale',
    verbs: ['get', 'patch', 'update'],
    read: (object) => {
      const selector = labelSelectorPath === '' ? '' : at(object, labelSelectorPath);
      return {
        replicas: number(object, specReplicasPath),
        statusReplicas: number(object, statusReplicasPath),
        selector: typeof selector === 'string' ? selector : '',
      };
    },
    setReplicas: (object, replicas) => setAt(object, specReplicasPath, replicas),
  };
}

/** Makes the objects on the way. */
function setAt(object: Json, path: string, value: unknown): void {
  const names = (parseJsonPath(path) ?? []).map((step) => (step.kind === 'field' ? step.name : ''));
  let inner = object;
  for (const name of names.slice(0, -1)) {
    const below = Object.hasOwn(inner, name) ? inner[name] : undefined;
    if (isObject(below)) inner = below;
    else inner = inner[name] = {} as Json;
  }
  inner[names.at(-1) ?? ''] = value;
}
