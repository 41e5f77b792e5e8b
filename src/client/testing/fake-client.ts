/**
 * An API server of a few lines in memory, behind the methods of a client: client-go's fake clientset. It keeps what it is sent, answers
 * as a server does (names, uids, versions, conflicts, preconditions, finalizers), records every request, and refuses what a test says.
 */

import { objectKey } from '../../api/object-key.ts';
import { mergePatch } from '../../api/patch/merge.ts';
import { strategicMerge } from '../../api/patch/strategic.ts';
import { apiVersionOf, type KubeObject, pathOf, type ResourceType } from '../../api/resource-types.ts';
import type { Event, Pod, Status } from '../../api/schema/types.ts';
import { parseFieldSelector } from '../../api/selector/field.ts';
import { labelSelectorOf, parseLabelSelector } from '../../api/selector/label.ts';
import { aborted } from '../../clock/aborted.ts';
import type { Clock } from '../../clock/clock.ts';
import { timestamp } from '../../clock/timestamp.ts';
import { ApiError } from '../api-error.ts';
import {
  Client,
  type ListOptions,
  type ListResult,
  type ObjectDeleteOptions,
  type PatchOptions,
  type WatchEvent,
  type WatchOptions,
  type WriteOptions,
} from '../client.ts';
import type { DiscoveredResource } from '../discovery.ts';

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

interface Change {
  readonly type: ResourceType;
  readonly event: WatchEvent<KubeObject>;
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
  /** The same, as they were sent; a repetition counts no further here. */
  readonly eventObjects: Event[] = [];
  /** What discovery tells of. */
  serves: readonly DiscoveredResource[] = [];
  /** What is answered to a request by its path alone, such as `GET /apis/metrics.k8s.io/v1beta1/namespaces/default/pods`. */
  readonly answers: Map<string, object> = new Map();
  readonly #clock: Clock;
  readonly #stored = new Map<string, Stored>();
  readonly #refusals: Refusal[] = [];
  readonly #changes: Change[] = [];
  #changed = Promise.withResolvers<void>();
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
    this.#remove(pathOfKey(type, key));
  }

  /** What the server has. */
  find<T extends KubeObject>(type: ResourceType<T>, key: string): T | undefined {
    return this.#stored.get(pathOfKey(type, key))?.object as T | undefined;
  }

  all<T extends KubeObject>(type: ResourceType<T>): T[] {
    return [...this.#stored.values()].flatMap((one) => (one.type.resource === type.resource ? [one.object as T] : []));
  }

  /** Those of them that the options pick. */
  selected<T extends KubeObject>(type: ResourceType<T>, options: Selection): T[] {
    return this.all(type).filter(matcher(options));
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
    const items = this.selected(type, options);
    return { items, resourceVersion: this.resourceVersion };
  }

  /** Everything that has changed since a version, as it happens. */
  override async watch<T extends KubeObject>(
    type: ResourceType<T>,
    options: WatchOptions,
    onEvent: (event: WatchEvent<T>) => void,
  ): Promise<void> {
    options.onOpen?.(undefined);
    const { signal, sendInitialEvents = false } = options;
    const resourceVersion = sendInitialEvents ? this.resourceVersion : (options.resourceVersion ?? '0');
    const matches = matcher(options);
    if (sendInitialEvents) for (const event of this.#initialEvents(type, options)) onEvent(event);
    const isNew = ({ event }: Change): boolean => Number(event.object.metadata.resourceVersion) > Number(resourceVersion);
    const ended = aborted(signal);
    for (let next = this.#changes.filter((change) => !isNew(change)).length; !signal.aborted; ) {
      const change = this.#changes[next];
      if (change) next++;
      else await Promise.race([this.#changed.promise, ended]);
      if (change?.type.resource === type.resource && matches(change.event.object)) onEvent(change.event as WatchEvent<T>);
    }
  }

  /** A list as events, with the bookmark at its end (KEP-3157). */
  *#initialEvents<T extends KubeObject>(type: ResourceType<T>, options: ListOptions): Generator<WatchEvent<T>> {
    this.reads.push(this.#heard(`list ${type.resource} ${options.namespace ?? ''}`.trim()));
    const metadata = { name: '', resourceVersion: this.resourceVersion, annotations: { 'k8s.io/initial-events-end': 'true' } };
    for (const object of this.selected(type, options)) yield { type: 'ADDED', object };
    yield { type: 'BOOKMARK', object: { apiVersion: apiVersionOf(type), kind: type.kind, metadata } as KubeObject as T };
  }

  override async create<T extends KubeObject>(type: ResourceType<T>, object: T): Promise<T> {
    if (type.kind === 'Event') {
      const event = object as unknown as Event;
      this.events.push(`${event.type} ${event.reason} ${event.message}`);
      this.eventObjects.push(event);
      return object;
    }
    // Everybody may do everything, and nobody is known by a token.
    if (type.kind.endsWith('Review')) return { ...object, status: { allowed: true, authenticated: false } };
    const { metadata } = object;
    const name = metadata.name || `${metadata.generateName}${++this.#made}`;
    const key = keyFrom(type, metadata.namespace, name);
    this.#write(`create ${type.resource} ${key}`, object);
    if (this.find(type, key)) throw refusal(409, 'AlreadyExists', `${type.resource} "${name}" already exists`);
    const made = { name, uid: this.#newUid(pathOfKey(type, key), name), generation: 1, creationTimestamp: this.#now() };
    return this.#keep(type, { ...object, metadata: { ...metadata, ...made } });
  }

  /** Binds a pod to the node that the body names; else gives a token that lasts an hour. */
  override async createSubresource<T>(
    type: ResourceType,
    name: string,
    subresource: string,
    body: object,
    options: { readonly namespace?: string } = {},
  ): Promise<T> {
    if (subresource === 'binding') {
      const key = keyFrom(type, options.namespace, name);
      const { target } = body as { readonly target: { readonly name: string } };
      this.#write(`bind ${key} to ${target.name}`, body);
      const there = this.#must<Pod>(type as ResourceType<Pod>, key);
      return this.#keep(type, { ...there, spec: { containers: [], ...there.spec, nodeName: target.name } } as Pod) as T;
    }
    const expirationTimestamp = timestamp(this.#clock.now() + 3600_000);
    return { ...body, status: { token: `token-of-${name}`, expirationTimestamp } } as T;
  }

  override async update<T extends KubeObject>(type: ResourceType<T>, object: T, options: WriteOptions = {}): Promise<T> {
    const key = objectKey(object);
    this.#write(`update ${withSubresource(type, options)} ${key}`, object);
    const there = this.#must(type, key);
    this.#check(there, object.metadata);
    return this.#keep(type, options.subresource === 'status' ? withStatusOf(there, object) : object);
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
    return this.#delete(type, there, options);
  }

  override async deleteCollection(type: ResourceType, options: ObjectDeleteOptions & Selection = {}): Promise<void> {
    this.#write(`delete collection ${type.resource} ${options.namespace ?? ''}`.trim(), options);
    for (const object of this.selected(type, options)) this.#delete(type, object, options);
  }

  #delete(type: ResourceType, object: KubeObject, { gracePeriodSeconds }: ObjectDeleteOptions): KubeObject | Status {
    // A pod on a node has its grace, and the kubelet the last word.
    const isRunning = (object as { spec?: { nodeName?: string } }).spec?.nodeName !== undefined && gracePeriodSeconds !== 0;
    const lives = (object.metadata.finalizers?.length ?? 0) > 0 || isRunning;
    const leaving = { deletionTimestamp: this.#now(), deletionGracePeriodSeconds: 30 };
    if (lives) return this.#keep(type, { ...object, metadata: { ...leaving, ...object.metadata } });
    this.#remove(this.#pathOf(type, object));
    return { apiVersion: 'v1', kind: 'Status', metadata: {}, status: 'Success' };
  }

  /** Who comes again under the name of one that has gone is another one. */
  #newUid(path: string, name: string): string {
    const before = this.#changes.filter(
      ({ type, event: { type: what, object } }) => what === 'DELETED' && this.#pathOf(type, object) === path,
    );
    return before.length === 0 ? `uid-${name}` : `uid-${name}-${before.length + 1}`;
  }

  /** The documents of discovery. Whatever else is asked for by its path alone is empty: no request ever leaves the process. */
  override async raw(method: string, path: string, { body }: { readonly body?: string | undefined } = {}): Promise<string> {
    const line = `${method} ${path}`;
    if (body === undefined) this.#heard(line);
    else this.#write(line, JSON.parse(body));
    const answer = this.answers.get(line);
    if (answer) return JSON.stringify(answer);
    const groups = new Set(this.serves.filter(({ group }) => group !== '').map(apiVersionOf));
    if (path === '/apis') return JSON.stringify({ groups: [...groups].map((groupVersion) => ({ versions: [{ groupVersion }] })) });
    const served = this.serves.filter((type) => path === `${type.group ? '/apis' : '/api'}/${apiVersionOf(type)}`);
    return JSON.stringify(served.length > 0 ? { resources: served.map(({ resource, ...type }) => ({ name: resource, ...type })) } : {});
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
    if (isOver) this.#remove(path);
    else {
      this.#stored.set(path, { type, object: kept });
      this.#tell(type, { type: old ? 'MODIFIED' : 'ADDED', object: kept });
    }
    return kept;
  }

  #remove(path: string): void {
    const there = this.#stored.get(path);
    if (!there) return;
    this.#stored.delete(path);
    const metadata = { ...there.object.metadata, resourceVersion: String(++this.#version) };
    this.#tell(there.type, { type: 'DELETED', object: { ...there.object, metadata } });
  }

  #tell(type: ResourceType, event: WatchEvent<KubeObject>): void {
    this.#changes.push({ type, event });
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  #pathOf(type: ResourceType, { metadata }: KubeObject): string {
    return pathOf(type, metadata.namespace, metadata.name);
  }

  #now(): string {
    return timestamp(this.#clock.now());
  }
}

export type Selection = Pick<ListOptions, 'namespace' | 'labelSelector' | 'fieldSelector'>;

function matcher({ namespace, labelSelector, fieldSelector }: Selection): (object: KubeObject) => boolean {
  const labels = labelSelector ? parseLabelSelector(labelSelector) : labelSelectorOf({});
  const terms = parseFieldSelector(fieldSelector ?? '');
  return (object) =>
    (!namespace || object.metadata.namespace === namespace) &&
    labels.matches(object.metadata.labels ?? {}) &&
    terms.every(({ path, op, value }) => (fieldOf(object, path) === value) === (op === '='));
}

/** Of `spec.nodeName` and the like; empty when it is not there. */
function fieldOf(object: object, path: string): string {
  const found = path.split('.').reduce<unknown>((value, name) => (value as Record<string, unknown> | undefined)?.[name], object);
  return String(found ?? '');
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

/** An update of the status takes the annotations, too. */
function withStatusOf<T extends KubeObject>(there: T, object: T): T {
  const { annotations } = object.metadata;
  const metadata = { ...there.metadata, ...(annotations ? { annotations } : {}) };
  return { ...there, metadata, status: (object as { status?: unknown }).status };
}
