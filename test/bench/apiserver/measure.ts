/** One round with one API server: what it does in a second, what that costs, how soon watchers hear of a change, what 50,000 pods weigh. */
import { setTimeout as sleep } from 'node:timers/promises';
import { pod } from '../../../src/apiserver/testing/pod.ts';
import type { Caller, Watcher } from './caller.ts';
import { Contestant, type Program } from './contestant.ts';

export interface Size {
  readonly pods: number;
  readonly watchers: number;
}

export interface Limits {
  /** Of each kind of request. */
  readonly requestsMs: number;
  readonly lists: number;
  /** That watchers hear of. */
  readonly changes: number;
  /** Watches that share a connection of HTTP/2; 1 for HTTP/1.1. */
  readonly perConnection: number;
}

/** How often in a second, and microseconds of CPU for one. */
interface Rate {
  readonly rate: number;
  readonly cpu: number;
}

/** Milliseconds of time and of CPU. */
interface Cost {
  readonly ms: number;
  readonly cpuMs: number;
}

export interface Figures {
  readonly requests: Readonly<Record<string, Rate>>;
  readonly lists: Readonly<Record<keyof typeof encodings, Cost>>;
  readonly connecting: Cost;
  /** From the request of a change until a watcher has it, for every change and watcher. */
  readonly deliveredMs: readonly number[];
  /** Microseconds of CPU for one event of one watcher. */
  readonly deliveryCpu: number;
  readonly memory: Contestant['memory'];
}

export const encodings = { JSON: 'application/json', protobuf: 'application/vnd.kubernetes.protobuf' } as const;
const many = 64;
/** Pods that are made first: by then what makes them is compiled, as in a server that has run for a minute. */
const warmUp = 1_000;
/** Of a namespace: what is listed. */
const podsOfNamespace = 10_000;

const namespaceOf = (i: number): string => `bench-${Math.floor(i / podsOfNamespace)}`;
const collectionOf = (i: number): string => `/api/v1/namespaces/${namespaceOf(i)}/pods`;

/** The pods of a server, made one after the other. */
class Pods {
  readonly #caller: Caller;
  made = 0;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  async create(): Promise<void> {
    const i = this.made++;
    const { status: _, ...object } = this.#object(i);
    await this.#caller.call('POST', collectionOf(i), { body: JSON.stringify(object) });
  }

  async get(n: number): Promise<void> {
    await this.#caller.call('GET', this.#path(n));
  }

  async patchStatus(n: number): Promise<void> {
    const body = JSON.stringify({ status: { podIP: `10.244.${n & 255}.${(n >> 8) & 255}`, message: String(n) } });
    await this.#caller.call('PATCH', `${this.#path(n)}/status`, { body, type: 'application/strategic-merge-patch+json' });
  }

  /** Where the pod of that number is, counted around those that are there. */
  #path(n: number): string {
    // The last ones may not be there yet.
    const i = (n * 7919) % Math.max(1, this.made - many);
    return `${collectionOf(i)}/${this.#object(i).metadata.name}`;
  }

  #object(i: number): { metadata: { name: string; namespace?: string }; status?: unknown } {
    const { metadata, ...rest } = pod(i) as unknown as { metadata: { name: string; ownerReferences: object[] }; status: object };
    const owner = { ...metadata.ownerReferences[0], uid: `b65ae303-b674-486b-8ba2-${i.toString(16).padStart(12, '0')}` };
    return { ...rest, metadata: { ...metadata, namespace: namespaceOf(i), ownerReferences: [owner] } as { name: string } };
  }
}

/** What is asked over and over again. */
const requests: Readonly<Record<string, { readonly writers: number; one(pods: Pods, n: number): Promise<void> }>> = {
  'create of a pod, 1 writer': { writers: 1, one: (pods) => pods.create() },
  'create of a pod, 64 writers': { writers: many, one: (pods) => pods.create() },
  'get of a pod, 1 reader': { writers: 1, one: (pods, n) => pods.get(n) },
  'get of a pod, 64 readers': { writers: many, one: (pods, n) => pods.get(n) },
  'patch of its status, 64 writers': { writers: many, one: (pods, n) => pods.patchStatus(n) },
};

export const requestNames: readonly string[] = Object.keys(requests);

export async function measure(program: Program, size: Size, limits: Limits): Promise<Figures> {
  await using server = await Contestant.start(program);
  const { caller } = server;
  for (let i = 0; i < Math.max(size.pods, podsOfNamespace); i += podsOfNamespace)
    await caller.call('POST', '/api/v1/namespaces', { body: JSON.stringify({ metadata: { name: namespaceOf(i) } }) });
  const pods = new Pods(caller);
  const fill = (count: number): Promise<void> => lanes(many, () => (pods.made < count ? pods.create() : undefined));
  await fill(warmUp);
  const rates: Record<string, Rate> = {};
  for (const name of requestNames) rates[name] = await rateOf(server, pods, name, limits.requestsMs);
  await fill(Math.min(size.pods, podsOfNamespace));
  const lists: Partial<Record<keyof typeof encodings, Cost>> = {};
  for (const [name, accept] of Object.entries(encodings))
    lists[name as keyof typeof encodings] = await costOf(server, limits.lists, () => caller.call('GET', collectionOf(0), { accept }));
  await fill(size.pods);
  await sleep(1000);
  const { memory } = server;
  return {
    requests: rates,
    lists: lists as Figures['lists'],
    memory,
    ...(await measureWatches(server, size.watchers, limits)),
  };
}

async function rateOf(server: Contestant, pods: Pods, name: string, limitMs: number): Promise<Rate> {
  const { writers, one } = requests[name]!;
  const { cpu } = server;
  const began = performance.now();
  let count = 0;
  await lanes(writers, () => (performance.now() - began < limitMs ? one(pods, count++) : undefined));
  const seconds = (performance.now() - began) / 1000;
  return { rate: count / seconds, cpu: ((server.cpu - cpu) / count) * 1e6 };
}

/** So many at once, each one after the other, until there is no next. */
async function lanes(count: number, next: () => Promise<void> | undefined): Promise<void> {
  const lane = async (): Promise<void> => {
    for (let work = next(); work; work = next()) await work;
  };
  await Promise.all(Array.from({ length: count }, lane));
}

async function costOf(server: Contestant, times: number, what: () => Promise<unknown>): Promise<Cost> {
  const { cpu } = server;
  const began = performance.now();
  for (let i = 0; i < times; i++) await what();
  return { ms: (performance.now() - began) / times, cpuMs: ((server.cpu - cpu) * 1000) / times };
}

const maps = '/api/v1/namespaces/bench-0/configmaps';

async function measureWatches(
  server: Contestant,
  count: number,
  { changes, perConnection }: Limits,
): Promise<Pick<Figures, 'connecting' | 'deliveredMs' | 'deliveryCpu'>> {
  const { caller } = server;
  const list = JSON.parse((await caller.call('GET', maps)).toString()) as { metadata: { resourceVersion: string } };
  const path = `${maps}?watch=true&resourceVersion=${list.metadata.resourceVersion}`;
  const deliveredMs: number[] = [];
  let sentAt = 0;
  let missing = 0;
  let all = Promise.withResolvers<void>();
  const onEvents = (events: number): void => {
    deliveredMs.push(performance.now() - sentAt);
    missing -= events;
    if (missing === 0) all.resolve();
  };
  let watchers: Watcher[] = [];
  const connecting = await costOf(server, 1, async () => {
    const connections = Math.ceil(count / perConnection);
    const connect = (_: unknown, i: number): Promise<Watcher> =>
      perConnection > 1
        ? caller.watchTogether(path, Math.min(perConnection, count - i * perConnection), onEvents)
        : caller.watch(path, onEvents);
    watchers = await Promise.all(Array.from({ length: connections }, connect));
  });
  // kube-apiserver's own ConfigMaps come first.
  await sleep(500);
  deliveredMs.length = 0;
  const { cpu } = server;
  for (let i = 0; i < changes; i++) {
    all = Promise.withResolvers();
    missing = count;
    sentAt = performance.now();
    await caller.call('POST', maps, { body: JSON.stringify({ metadata: { name: `change-${i}` }, data: { text: 'x'.repeat(1000) } }) });
    await all.promise;
  }
  const deliveryCpu = ((server.cpu - cpu) * 1e6) / changes / count;
  for (const watcher of watchers) watcher.close();
  return { connecting, deliveredMs, deliveryCpu };
}
