/** The rows of a definition: one for each version that is served. To the rest of the server they are rows as any. */
import { cloneJson, takeOver } from '../codec/json-clone.ts';
import { isObject, type Json } from '../codec/json-object.ts';
import { defineRow, part } from '../registry/define-row.ts';
import type { Conversion, ResourceRow, ScaleSubresource } from '../registry/resource-row.ts';
import type { KubeObject } from '../resource-types.ts';
import type { CustomSchema, JsonSchema } from '../schema/schema.ts';
import { nameIsDnsSubdomain } from '../validation/names.ts';
import { at, Content, type Loose, rootOf } from './content.ts';
import { type CustomResourceDefinition, type CustomVersion, type ScalePaths, storageVersionOf } from './definition.ts';
import { parseJsonPath } from './json-path.ts';
import { printerColumns } from './printer-columns.ts';
import { type ConvertObjects, RemoteVersions } from './remote-versions.ts';

/**
 * None before the names of the definition are accepted. Where a webhook converts, `convert` calls it; nobody else knows how the other versions look.
 */
export function customRows(definition: CustomResourceDefinition, convert: ConvertObjects): ResourceRow[] {
  const { spec = {} } = definition;
  const served = (spec.versions ?? []).filter((version) => version.served);
  const remote = spec.conversion?.strategy === 'Webhook' ? new RemoteVersions(definition, convert) : undefined;
  return served.map((version) =>
    remote
      ? customRow(definition, version, { conversion: undefined, remote: remote.of(version.name ?? '') })
      : customRow(definition, version, { conversion: conversionOf(definition, version), remote: undefined }),
  );
}

/** The row that has the objects as they are stored, of whichever version, served or not: to mark and to delete them. */
export function storageRow(definition: CustomResourceDefinition): ResourceRow | undefined {
  const version = storageVersionOf(definition);
  return version && customRow(definition, version, { conversion: undefined, remote: undefined });
}

type Conversions = Pick<ResourceRow<Loose>, 'conversion' | 'remote'>;

function customRow(definition: CustomResourceDefinition, version: CustomVersion, conversions: Conversions): ResourceRow {
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
  const hasStatus = version.subresources?.status !== undefined;
  const generationOf = ({ metadata: _metadata, ...rest }: Loose): unknown => rest;
  const content = new Content(version);
  const scale = version.subresources?.scale;
  return defineRow<Loose>({
    type: { group, version: version.name ?? '', kind, resource: plural, namespaced: scope === 'Namespaced' },
    schema: schemaOf(group, version.name ?? '', kind, rootOf(version)),
    ...{ listKind, singular, shortNames, categories },
    storedAs: `${group}/${plural}`,
    ...conversions,
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

/**
 * Of the version that objects are stored in, while its schema is the one that they were written under, nothing has to be done. Of others the
 * apiVersion changes, and they are shown as their schema has them now.
 */
function conversionOf(definition: CustomResourceDefinition, version: CustomVersion): Conversion<Loose> | undefined {
  const { metadata, spec } = definition;
  if (version.storage && metadata.generation === 1) return undefined;
  const content = new Content(version);
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
