/**
 * A resource is a row: everything the generic machinery (API server, discovery, OpenAPI, Tables) has to know about it.
 *
 * The life of a write, in this order (`lifecycle.ts` does the steps marked *):
 *
 *     create   decode → applyDefaults* → mutating admission → [applyDefaults*] → beforeCreate* (metadata, prepareCreate, validate) → store
 *     update   decode or patch → applyDefaults* → admission → beforeUpdate* (metadata, prepareUpdate, generation, validateUpdate) → store
 *     part     the same with the strategy of the subresource (`status`, `ephemeralcontainers`, `finalize`, …)
 *
 * Functions that are given an object to change (`applyDefaults`, `prepare*`, `setReplicas`) change it **in place**; it must
 * be the caller's own copy. They never change `old`, and `old` may share nothing with `next`: whatever is taken over from
 * it is cloned. All are pure otherwise: no clock, no randomness, no I/O.
 */
import type { KubeObject, ResourceType } from '../resource-types.ts';
import type { Schema } from '../schema/schema.ts';
import type { FieldError } from '../validation/field-error.ts';

/** As discovery names them. */
export type Verb = 'create' | 'delete' | 'deletecollection' | 'get' | 'list' | 'patch' | 'update' | 'watch';

/** How an update of the object, or of one part of it, is made and checked. */
export interface UpdateStrategy<T extends KubeObject = KubeObject> {
  /** Puts back what this request may not change: a plain update keeps the old status, a status update the old spec. */
  prepareUpdate(next: T, old: T): void;
  /** Errors of the new object and of the step from the old one (immutable fields), `metadata` aside. */
  validateUpdate(next: T, old: T): FieldError[];
}

/** A subresource that shows the object itself and updates one part of it: GET, PUT, PATCH. */
export interface PartSubresource<T extends KubeObject = KubeObject> extends UpdateStrategy<T> {
  readonly kind: 'part';
  /** `status`, `ephemeralcontainers`, `resize`, `finalize`, `approval`. */
  readonly name: string;
  readonly verbs: readonly Verb[];
  /** True where labels and annotations may change along with the part; elsewhere `beforeUpdate` puts the old ones back. */
  readonly changesMeta: boolean;
  /** True where labels stay as they are even so. */
  readonly keepsLabels?: boolean;
}

/** `autoscaling/v1 Scale` of the object. */
export interface ScaleSubresource<T extends KubeObject = KubeObject> {
  readonly kind: 'scale';
  readonly name: 'scale';
  readonly verbs: readonly Verb[];
  read(object: T): { readonly replicas: number; readonly statusReplicas: number; readonly selector: string };
  /** The result then goes through `applyDefaults` and `beforeUpdate` of the row, as a plain update would. */
  setReplicas(object: T, replicas: number): void;
}

/** A subresource that has code of its own in the API server; here is what discovery says of it. */
export interface SpecialSubresource {
  readonly kind: 'special';
  /** `binding`, `eviction`, `exec`, `attach`, `portforward`, `log`, `proxy`, `token`. */
  readonly name: string;
  readonly verbs: readonly Verb[];
  /** What the body or the answer is: `policy/v1 Eviction`. */
  readonly body: { readonly group: string; readonly version: string; readonly kind: string };
}

export type Subresource<T extends KubeObject = KubeObject> = PartSubresource<T> | ScaleSubresource<T> | SpecialSubresource;

/** meta.k8s.io/v1 TableColumnDefinition. `priority` 0 is always shown, a higher one only by `-o wide`. */
export interface Column {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'boolean' | 'number' | 'date';
  /** `name` marks the first column for kubectl. */
  readonly format: string;
  readonly description: string;
  readonly priority: number;
}

export type Cell = string | number | boolean | null;

/** The Table of a resource. Cells are in the order of `definitions`, printed as kubectl shows them. */
export interface Columns<T extends KubeObject = KubeObject> {
  readonly definitions: readonly Column[];
  /** `now` is for ages, which upstream's server too renders as text. */
  cells(object: T, now: Date): Cell[];
  /** TableRow.conditions: `Completed` for pods that ended. */
  conditions?(object: T): readonly { readonly type: string; readonly status: string; readonly reason: string; readonly message: string }[];
}

/** A resource served in one version and stored in another one (events.k8s.io/v1 is stored as v1). */
export interface Conversion<T extends KubeObject = KubeObject> {
  fromStored(stored: KubeObject): T;
  toStored(object: T): KubeObject;
}

/**
 * A resource whose versions another program converts into each other: a webhook. What is stored may be of any of them. Throws a StatusError.
 * Objects that are given stay as they are.
 */
export interface RemoteConversion {
  /** Whether what is stored with this apiVersion is shown as it is, byte by byte. */
  isShown(apiVersion: string): boolean;
  /** Each as the row's version has it, in their order; a promise for each, since one may fail without the others. */
  fromStored(stored: readonly KubeObject[]): Promise<KubeObject>[];
  toStored(object: KubeObject): Promise<KubeObject>;
  /** As another served version has an object of this row's. */
  toVersion(object: KubeObject, apiVersion: string): Promise<KubeObject>;
}

export interface ResourceRow<T extends KubeObject = KubeObject> {
  // ── names ────────────────────────────────────────────────────────────────────────────────────────────────────────
  readonly type: ResourceType<T>;
  /** The name of the type in `schema/types.ts` and the schema tables (the kind, but for clashes such as `EventsV1Event`), or a schema of its own. */
  readonly schema: Schema;
  /** `PodList`. */
  readonly listKind: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  /** `all` for what `kubectl get all` shows. */
  readonly categories: readonly string[];
  /** Of the resource itself. Only `create`: a review, answered and never stored. */
  readonly verbs: readonly Verb[];
  /** Told to everybody who asks for the resource, where it is deprecated. */
  readonly deprecation: string | undefined;
  readonly subresources: readonly Subresource<T>[];

  // ── storage ──────────────────────────────────────────────────────────────────────────────────────────────────────
  /**
   * The stored key is `/registry/` + this + `/namespace/name`, or `/name` for a cluster resource. Rows with the same
   * value share their objects (and so their watch cache). Undefined: never stored.
   */
  readonly storedAs: string | undefined;
  /** Set where what is stored is of another version than `type`. */
  readonly conversion: Conversion<T> | undefined;
  /** Set, and `conversion` not, where that takes time. All other rows are read and written without waiting for anybody. */
  readonly remote: RemoteConversion | undefined;
  /** Objects delete themselves after so long (events: one hour). */
  readonly ttlSeconds: number | undefined;

  // ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────
  /**
   * Fields that a field selector may name, with their value for an object (`spec.nodeName`, '' when unset). Contains
   * `metadata.name`, and `metadata.namespace` when namespaced.
   */
  readonly selectableFields: Readonly<Record<string, (object: T) => string>>;
  /** What is said to who selects by another one; the answer is 400. */
  readonly unknownField: (path: string) => string;
  readonly columns: Columns<T>;

  // ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────────
  /** Fills in upstream's defaults; doing it again changes nothing. Also what decoding does upstream: Secret.stringData → data. */
  applyDefaults(object: T): void;
  /** Errors of `metadata.name`, without the path. `asPrefix` for `generateName`, which may end in a dash. */
  validateName(name: string, asPrefix: boolean): string[];
  /** Drops what a creator may not set (status) and sets what only the server may (Namespace: finalizer and phase; Pod: phase and QoS class). */
  prepareCreate(object: T): void;
  /** Errors of everything but `metadata`. */
  validate(object: T): FieldError[];
  /** What is told of an object that was accepted; of an update only when it changed what the generation counts. */
  warnings(object: T): string[];
  prepareUpdate(next: T, old: T): void;
  /** Errors of the new object and of the step, `metadata` aside. */
  validateUpdate(next: T, old: T): FieldError[];
  /**
   * What a generation counts: `metadata.generation` starts at 1 and grows when this value changes. Undefined: the
   * resource has no generation.
   */
  generationOf: ((object: T) => unknown) | undefined;
  /** A PUT on a name that does not exist creates it. */
  readonly createsOnUpdate: boolean;
  /** A PUT without resourceVersion overwrites; otherwise it is `metadata.resourceVersion: Invalid value: 0x0: must be specified for an update`. */
  readonly updatesUnconditionally: boolean;

  // ── deleting ─────────────────────────────────────────────────────────────────────────────────────────────────────
  /** Done to an object before it is deleted for the first time: what it says from then on, finalizers that hold it. Changes it in place. */
  beginDeletion: ((object: T, now: Date) => void) | undefined;
  /**
   * Seconds between deletionTimestamp and the removal, which then is someone else's (the kubelet's) deletion with
   * gracePeriodSeconds 0. `requested` is DeleteOptions.gracePeriodSeconds. 0, or no function: remove at once. Setting
   * deletionTimestamp also counts the generation up, if there is one.
   */
  gracePeriod: ((object: T, requested: number | undefined) => number) | undefined;
  /** What becomes of dependents when DeleteOptions do not say. */
  readonly defaultPropagation: 'Background' | 'Orphan';
  /** Told to who deletes without a word on the dependents. */
  readonly deletionWarning: string | undefined;
  /**
   * Whether something besides `metadata.finalizers` keeps a deleted object in place: a Namespace stays while
   * `spec.finalizers` holds a name. The update that leaves a deleted object with neither removes it.
   */
  holdsDeletion: ((object: T) => boolean) | undefined;
  /** Whether who deletes an object gets it back, and no Status, when it is gone. */
  readonly returnsDeleted: boolean;
}
