/**
 * An API server of a few lines in memory, behind the methods of a client: client-go's fake clientset. It keeps what it is sent, answers
 * as a server does (names, uids, versions, conflicts, preconditions, finalizers), records every request, and refuses what a test says.
 */

import { objectKey } from '../../api/object-key.ts';
import { mergePatch } from '../../api/patch/merge.ts';
import { strategicMerge } from '../../api/patch/strategic.ts';
import { type KubeObject, pathOf, type ResourceType } from '../../api/resource-types.ts';
import type { Event, Status } from '../../api/schema/types.ts';
import { labelSelectorOf, parseLabelSelector } from '../../api/selector/label.ts';
import type { Clock } from '../../clock/clock.ts';
import { timestamp } from '../../clock/timestamp.ts';
import { ApiError } from '../api-error.ts';
import { Client, type ListOptions, type ListResult, type ObjectDeleteOptions, type PatchOptions, type WriteOptions } from '../client.ts';

export interface FakeRequest {
  /** `create pods default/web-1`, `update deployments/status default/web`. */
  readonly line: string;
  /** The body as it goes over the wire. */
  readonly json: string;
}

/** What the server says when it does not do what was asked. */
export function refusal(code: number, reason: string, message: string = reason, details?: Status['details']): ApiError {
  return new ApiError({
    apiVersion: 'v1',
    kind: 'Status',
    metadata: {},
    status: 'Failure',
    code,
    reason,
    message,
    ...(details ? { details } : {}),
  });
}

interface Stored {
  readonly type: ResourceType;
  readonly object: KubeObject;
}

interface Refusal {
  readonly line: RegExp;
  readonly err: Error;
  left: number;
}

export class FakeClient extends Client {
  /** In order; without events, and without what was only read. */
  readonly writes: FakeRequest[] = [];
  /** `get jobs default/a`, `list pods default`. */
  readonly reads: string[] = [];
  /** `Normal SuccessfulCreate Created pod: web-1`. */
  readonly events: string[] = [];
  readonly #clock: Clock;
  readonly #stored = new Map<string, Stored>();
  readonly #refusals: Refusal[] = [];
  #version = 1;
  #made = 0;

  constructor(clock: Clock) {
    super({ server: 'http://nowhere.invalid' });
    this.#clock = clock;
  }

  /** As somebody else would write it, without a trace among the requests. Gives what is there then. */
  put<T extends KubeObject>(type: ResourceType<T>, object: T): T {
    const old = this.#stored.get(this.#pathOf(type, object))?.object;
    const { metadata } = object;
    return this.#keep(type, {
      ...object,
      metadata: { creationTimestamp: this.#now(), ...metadata, uid: metadata.uid ?? old?.metadata.uid ?? `uid-${metadata.name}` },
    });
  }

  /** As if somebody else had deleted it for good. */
  forget(type: ResourceType, key: string): void {
    this.#stored.delete(pathOfKey(type, key));
  }

  /** What the server has. */
  find<T extends KubeObject>(type: ResourceType<T>, key: string): T | undefined {
    return this.#stored.get(pathOfKey(type, key))?.object as T | undefined;
  }

  all<T extends KubeObject>(type: ResourceType<T>): T[] {
    return [...this.#stored.values()].flatMap((one) => (one.type.resource === type.resource ? [one.object as T] : []));
  }

  get resourceVersion(): string {
    return String(this.#version);
  }

  /** The next `times` requests like `line` get this answer. */
  refuse(line: RegExp, err: Error, times: number = Number.POSITIVE_INFINITY): void {
    this.#refusals.push({ line, err, left: times });
  }

  /** The lines of what was written since the last call. */
  took(): string[] {
    return this.writes.splice(0).map(({ line }) => line);
  }

  override async get<T extends KubeObject>(type: ResourceType<T>, name: string, options: { readonly namespace?: string } = {}): Promise<T> {
    const key = keyFrom(type, options.namespace, name);
    this.reads.push(this.#heard(`get ${type.resource} ${key}`));
    return this.#must(type, key);
  }

  override async list<T extends KubeObject>(type: ResourceType<T>, options: ListOptions = {}): Promise<ListResult<T>> {
    this.reads.push(this.#heard(`list ${type.resource} ${options.namespace ?? ''}`.trim()));
    const selector = options.labelSelector ? parseLabelSelector(options.labelSelector) : labelSelectorOf({});
    const items = this.all(type).filter(
      ({ metadata }) => (!options.namespace || metadata.namespace === options.namespace) && selector.matches(metadata.labels ?? {}),
    );
    return { items, resourceVersion: this.resourceVersion };
  }

  override async create<T extends KubeObject>(type: ResourceType<T>, object: T): Promise<T> {
    if (type.kind === 'Event') {
      const event = object as unknown as Event;
      this.events.push(`${event.type} ${event.reason} ${event.message}`);
      return object;
    }
    const { metadata } = object;
    const name = metadata.name || `${metadata.generateName}${++this.#made}`;
    const key = keyFrom(type, metadata.namespace, name);
    this.#write(`create ${type.resource} ${key}`, object);
    if (this.find(type, key)) throw refusal(409, 'AlreadyExists', `${type.resource} "${name}" already exists`);
    const made = { name, uid: `uid-${name}`, generation: 1, creationTimestamp: this.#now() };
    return this.#keep(type, { ...object, metadata: { ...metadata, ...made } });
  }

  override async update<T extends KubeObject>(type: ResourceType<T>, object: T, options: WriteOptions = {}): Promise<T> {
    const key = objectKey(object);
    this.#write(`update ${withSubresource(type, options)} ${key}`, object);
    const there = this.#must(type, key);
    this.#check(there, object.metadata);
    return this.#keep(type, options.subresource === 'status' ? { ...there, status: (object as { status?: unknown }).status } : object);
  }

  override async patch<T extends KubeObject>(type: ResourceType<T>, name: string, patch: object, options: PatchOptions = {}): Promise<T> {
    const key = keyFrom(type, options.namespace, name);
    if (type.kind === 'Event') return this.#countAgain() as never;
    this.#write(`patch ${withSubresource(type, options)} ${key}`, patch);
    const there = this.#must(type, key);
    this.#check(there, (patch as Partial<KubeObject>).metadata ?? {});
    const patched = options.kind === 'strategic' ? strategicMerge(there, patch, type.kind) : mergePatch(there, patch);
    return this.#keep(type, { ...patched, metadata: { ...patched.metadata, resourceVersion: there.metadata.resourceVersion } });
  }

  override async delete(type: ResourceType, name: string, options: ObjectDeleteOptions = {}): Promise<KubeObject | Status> {
    const key = keyFrom(type, options.namespace, name);
    this.#write(`delete ${type.resource} ${key}`, options);
    const there = this.#must(type, key);
    this.#check(there, options.preconditions ?? {});
    // A pod on a node has its grace, and the kubelet the last word.
    const lives = (there.metadata.finalizers?.length ?? 0) > 0 || (there as { spec?: { nodeName?: string } }).spec?.nodeName !== undefined;
    const leaving = { deletionTimestamp: this.#now(), deletionGracePeriodSeconds: 30 };
    if (lives) return this.#keep(type, { ...there, metadata: { ...leaving, ...there.metadata } });
    this.#stored.delete(pathOfKey(type, key));
    this.#version++;
    return { apiVersion: 'v1', kind: 'Status', metadata: {}, status: 'Success' };
  }

  #countAgain(): object {
    const last = this.events.at(-1);
    if (last !== undefined) this.events.push(last);
    return {};
  }

  #write(line: string, body: unknown): void {
    this.writes.push({ line, json: JSON.stringify(body) });
    this.#heard(line);
  }

  #heard(line: string): string {
    const refused = this.#refusals.find((one) => one.left > 0 && one.line.test(line));
    if (!refused) return line;
    refused.left--;
    throw refused.err;
  }

  #must<T extends KubeObject>(type: ResourceType<T>, key: string): T {
    const there = this.find(type, key);
    if (!there) throw refusal(404, 'NotFound', `${type.resource} "${key}" not found`);
    return there;
  }

  #check({ metadata }: KubeObject, wanted: { readonly uid?: string | undefined; readonly resourceVersion?: string | undefined }): void {
    const differs = (['uid', 'resourceVersion'] as const).some((field) => wanted[field] !== undefined && wanted[field] !== metadata[field]);
    if (differs) throw refusal(409, 'Conflict', `the object "${metadata.name}" has been modified`);
  }

  #keep<T extends KubeObject>(type: ResourceType<T>, object: T): T {
    const path = this.#pathOf(type, object);
    const old = this.#stored.get(path)?.object;
    const { metadata } = object;
    if (
      old &&
      text({ ...object, metadata: { ...metadata, resourceVersion: '' } }) ===
        text({ ...old, metadata: { ...old.metadata, resourceVersion: '' } })
    )
      return old as T;
    const kept = wire({ ...object, metadata: { ...metadata, resourceVersion: String(++this.#version) } });
    const isOver = metadata.deletionTimestamp && metadata.finalizers?.length === 0 && metadata.deletionGracePeriodSeconds === 0;
    if (isOver) this.#stored.delete(path);
    else this.#stored.set(path, { type, object: kept });
    return kept;
  }

  #pathOf(type: ResourceType, { metadata }: KubeObject): string {
    return pathOf(type, metadata.namespace, metadata.name);
  }

  #now(): string {
    return timestamp(this.#clock.now());
  }
}

function keyFrom(type: ResourceType, namespace: string | undefined, name: string): string {
  return type.namespaced ? `${namespace}/${name}` : name;
}

function pathOfKey(type: ResourceType, key: string): string {
  const [namespace, name] = type.namespaced ? key.split('/') : [undefined, key];
  return pathOf(type, namespace, name);
}

function withSubresource({ resource }: ResourceType, { subresource }: WriteOptions): string {
  return subresource ? `${resource}/${subresource}` : resource;
}

/** As it is after a way over the wire. */
function wire<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

function text(value: object): string {
  return JSON.stringify(value);
}
