/** The resources that an API server serves: rows that are built in, from the files of `rows/`, and rows that are added while it runs. */
import { apiVersionOf, type ResourceType } from '../resource-types.ts';
import type { ResourceRow } from './resource-row.ts';
import { admissionRows } from './rows/admission.ts';
import { apiextensionsRows } from './rows/apiextensions.ts';
import { apiregistrationRows } from './rows/apiregistration.ts';
import { appsRows } from './rows/apps.ts';
import { autoscalingRows } from './rows/autoscaling.ts';
import { batchRows } from './rows/batch.ts';
import { coordinationRows } from './rows/coordination.ts';
import { coreRows } from './rows/core.ts';
import { deviceRows } from './rows/devices.ts';
import { eventRows } from './rows/events.ts';
import { networkingRows } from './rows/networking.ts';
import { podRows } from './rows/pods.ts';
import { rbacRows } from './rows/rbac.ts';
import { reviewRows } from './rows/reviews.ts';
import { serviceRows } from './rows/services.ts';
import { smallGroupRows } from './rows/small-groups.ts';

/** The rows that are built in. */
export const rows: readonly ResourceRow[] = [
  ...coreRows,
  ...podRows,
  ...serviceRows,
  ...eventRows,
  ...appsRows,
  ...autoscalingRows,
  ...batchRows,
  ...coordinationRows,
  ...networkingRows,
  ...admissionRows,
  ...smallGroupRows,
  ...deviceRows,
  ...rbacRows,
  ...reviewRows,
  ...apiextensionsRows,
  ...apiregistrationRows,
];

/**
 * The rows that an API server serves now. Rows may be added and removed; each time `generation` grows, so that documents made from the rows
 * (discovery, OpenAPI) are known to be out of date.
 */
export class Registry {
  readonly #byPath = new Map<string, ResourceRow>();
  readonly #byKind = new Map<string, ResourceRow>();
  readonly #followers = new Set<RegistryFollower>();
  #generation = 0;

  constructor(initial: Iterable<ResourceRow> = rows) {
    for (const row of initial) this.add(row);
  }

  get generation(): number {
    return this.#generation;
  }

  /** In the order in which they were added. */
  get rows(): readonly ResourceRow[] {
    return [...this.#byPath.values()];
  }

  /** Throws when its path or kind is taken, or when its objects are another row's without a conversion. */
  add(row: ResourceRow): void {
    const [path, kind] = [pathKey(row.type), kindKey(apiVersionOf(row.type), row.type.kind)];
    if (this.#byPath.has(path) || this.#byKind.has(kind)) throw new Error(`${path} (${row.type.kind}) is served already`);
    if (row.storedAs !== undefined && !row.conversion && !row.remote && this.#owners(row.storedAs).length > 0)
      throw new Error(`the objects of ${path} are those of another row, and it has no conversion`);
    this.#byPath.set(path, row);
    this.#byKind.set(kind, row);
    this.#generation++;
    for (const follower of this.#followers) follower.added(row);
  }

  /** Its objects stay in the store. */
  remove(row: ResourceRow): void {
    const { group, version, resource } = row.type;
    if (this.rowOf(group, version, resource) !== row) return;
    this.#byPath.delete(pathKey(row.type));
    this.#byKind.delete(kindKey(apiVersionOf(row.type), row.type.kind));
    this.#generation++;
    for (const follower of this.#followers) follower.removed(row);
  }

  /** Tells a follower of every row, and of each that is added or removed from now on. Returns a function that ends this. */
  follow(follower: RegistryFollower): () => void {
    for (const row of this.rows) follower.added(row);
    this.#followers.add(follower);
    return () => void this.#followers.delete(follower);
  }

  /** `rowOf('apps', 'v1', 'deployments')`; the core group is ''. */
  rowOf(group: string, version: string, resource: string): ResourceRow | undefined {
    return this.#byPath.get(`${group}/${version}/${resource}`);
  }

  /** `rowOfKind('apps/v1', 'Deployment')`. */
  rowOfKind(apiVersion: string, kind: string): ResourceRow | undefined {
    return this.#byKind.get(kindKey(apiVersion, kind));
  }

  /** The row of a resource that is always there. */
  rowFor({ group, version, resource }: ResourceType): ResourceRow {
    const row = this.rowOf(group, version, resource);
    if (!row) throw new Error(`${group}/${version}/${resource} is not served`);
    return row;
  }

  /** Whether the objects of some row are stored under this name. */
  stores(storedAs: string): boolean {
    return this.rows.some((row) => row.storedAs === storedAs);
  }

  #owners(storedAs: string): ResourceRow[] {
    return this.rows.filter((row) => row.storedAs === storedAs && !row.conversion);
  }
}

export interface RegistryFollower {
  added(row: ResourceRow): void;
  removed(row: ResourceRow): void;
}

function pathKey({ group, version, resource }: ResourceType): string {
  return `${group}/${version}/${resource}`;
}

function kindKey(apiVersion: string, kind: string): string {
  return `${apiVersion}/${kind}`;
}
