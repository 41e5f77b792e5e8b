/** How a row is written: what it leaves out, `defineRow` fills in with what most resources do. A finished row has every field. */
import { cloneJson, takeOver } from '../codec/json-clone.ts';
import { defaultColumns } from '../columns/default-columns.ts';
import type { KubeObject, ResourceType } from '../resource-types.ts';
import { nameIsDnsSubdomain } from '../validation/names.ts';
import { immutableFields } from '../validation/object-meta.ts';
import type { PartSubresource, ResourceRow, ScaleSubresource, SpecialSubresource, UpdateStrategy, Verb } from './resource-row.ts';

export const allVerbs: readonly Verb[] = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
const partVerbs: readonly Verb[] = ['get', 'patch', 'update'];

/** Only `type` is needed. `hasStatus` gives a `status` subresource and keeps the status out of plain writes. */
export type RowSpec<T extends KubeObject> = Pick<ResourceRow<T>, 'type'> &
  Partial<Omit<ResourceRow<T>, 'type'>> & {
    readonly hasStatus?: boolean;
    /** The status of a new object: `{}` by default, 'given' where the creator sends it (nodes). */
    readonly initialStatus?: object | 'given';
    /** Paths of fields that an update may not change: `spec.selector`. Ignored where there is a `validateUpdate`. */
    readonly immutable?: readonly string[];
    /** Errors of a status update, beyond those of every status update. */
    readonly validateStatus?: (next: T, old: T) => FieldErrors;
    /** Called last when a status update is prepared. */
    readonly prepareStatus?: (next: T, old: T) => void;
    /** Status updates leave the labels alone. */
    readonly statusKeepsLabels?: boolean;
  };
type FieldErrors = ReturnType<ResourceRow['validate']>;

/** Any object with a spec and a status. */
interface Loose {
  spec?: unknown;
  status?: unknown;
}

export function defineRow<T extends KubeObject>(spec: RowSpec<T>): ResourceRow {
  const { type, hasStatus = false, initialStatus = {}, immutable = [], validateStatus, prepareStatus, statusKeepsLabels, ...given } = spec;
  const virtual = given.verbs !== undefined && !given.verbs.includes('get');
  const validate = given.validate ?? ((): FieldErrors => []);
  const status = hasStatus ? [statusPart<T>(validateStatus, prepareStatus, statusKeepsLabels === true)] : [];
  const subresources = [...status, ...(given.subresources ?? [])];
  const row: ResourceRow<T> = {
    schema: type.kind,
    listKind: `${type.kind}List`,
    singular: type.kind.toLowerCase(),
    shortNames: [],
    categories: [],
    verbs: allVerbs,
    storedAs: virtual ? undefined : type.resource,
    conversion: undefined,
    remote: undefined,
    ttlSeconds: undefined,
    columns: defaultColumns,
    deprecation: undefined,
    warnings: () => [],
    applyDefaults: () => {},
    validateName: nameIsDnsSubdomain,
    generationOf: hasStatus ? (object) => withoutMetaAndStatus(object) : undefined,
    createsOnUpdate: false,
    updatesUnconditionally: true,
    beginDeletion: undefined,
    gracePeriod: undefined,
    defaultPropagation: 'Background',
    deletionWarning: undefined,
    holdsDeletion: undefined,
    returnsDeleted: given.gracePeriod !== undefined,
    ...given,
    type,
    subresources,
    validate,
    validateUpdate: given.validateUpdate ?? ((next, old) => [...validate(next), ...immutableFields(next, old, immutable)]),
    prepareCreate: (object) => {
      if (hasStatus && initialStatus !== 'given') (object as Loose).status = cloneJson(initialStatus);
      given.prepareCreate?.(object);
    },
    prepareUpdate: (next, old) => {
      if (hasStatus) takeOver(next, old, 'status');
      given.prepareUpdate?.(next, old);
    },
    selectableFields: {
      'metadata.name': (object) => object.metadata.name,
      // Kinds that say nothing of their own have upstream's default, of which cluster-wide objects have an empty namespace.
      ...(type.namespaced || !given.selectableFields ? { 'metadata.namespace': (object: T) => object.metadata.namespace ?? '' } : {}),
      ...given.selectableFields,
    },
    unknownField:
      given.unknownField ??
      ((path) =>
        given.selectableFields
          ? `field label not supported: ${path}`
          : `${JSON.stringify(path)} is not a known field selector: only "metadata.name", "metadata.namespace"`),
  };
  // A list of rows of all kinds cannot keep the type of their objects. Callers give each row only objects of its kind.
  return row as unknown as ResourceRow;
}

/** A subresource that updates one part of the object. */
export function part<T extends KubeObject>(
  name: string,
  strategy: UpdateStrategy<T>,
  options: { readonly verbs?: readonly Verb[]; readonly changesMeta?: boolean } = {},
): PartSubresource<T> {
  return { kind: 'part', name, verbs: options.verbs ?? partVerbs, changesMeta: options.changesMeta ?? false, ...strategy };
}

/** A scale subresource over `spec.replicas`, `status.replicas` and `spec.selector`. */
export function scale<
  T extends KubeObject & {
    spec?: { replicas?: number | undefined; selector?: unknown } | undefined;
    status?: { replicas?: number | undefined } | undefined;
  },
>(selector: (object: T) => string): ScaleSubresource<T> {
  return {
    kind: 'scale',
    name: 'scale',
    verbs: partVerbs,
    read: (object) => ({
      replicas: object.spec?.replicas ?? 0,
      statusReplicas: object.status?.replicas ?? 0,
      selector: selector(object),
    }),
    setReplicas: (object, replicas) => {
      if (object.spec) object.spec.replicas = replicas;
    },
  };
}

export function special(name: string, verbs: readonly Verb[], groupVersion: string, kind: string): SpecialSubresource {
  const slash = groupVersion.indexOf('/');
  const group = slash < 0 ? '' : groupVersion.slice(0, slash);
  return { kind: 'special', name, verbs, body: { group, version: groupVersion.slice(slash + 1), kind } };
}

/** A row that is answered and never stored: a review. */
export function defineReview<T extends KubeObject>(type: ResourceType<T>): ResourceRow {
  return defineRow<T>({ type, verbs: ['create'] });
}

function statusPart<T extends KubeObject>(
  validateStatus: ((next: T, old: T) => FieldErrors) | undefined,
  prepareStatus: ((next: T, old: T) => void) | undefined,
  keepsLabels: boolean,
): PartSubresource<T> {
  const status = part<T>(
    'status',
    {
      prepareUpdate: (next, old) => {
        for (const key of new Set([...Object.keys(next), ...Object.keys(old)])) {
          if (key !== 'status' && key !== 'metadata' && key !== 'kind' && key !== 'apiVersion') takeOver(next, old, key);
        }
        prepareStatus?.(next, old);
      },
      validateUpdate: (next, old) => validateStatus?.(next, old) ?? [],
    },
    { changesMeta: true },
  );
  return keepsLabels ? { ...status, keepsLabels } : status;
}

function withoutMetaAndStatus(object: KubeObject & Loose): unknown {
  const { metadata: _metadata, status: _status, ...rest } = object;
  return rest;
}
