/** A worker thread that does what must not fail: it renews a node's lease and asks whether the server is ready, and tells how long that took. */
import { Agent, request } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';

export interface Renewer {
  readonly url: string;
  readonly ca: string;
  /** Of the node n1. */
  readonly cert: string;
  readonly key: string;
}

/** Milliseconds that each took; `failed` are those that were not answered with 200. */
export interface Renewed {
  readonly renewals: readonly number[];
  /** `/readyz` over the connection that the renewals keep. */
  readonly ready: readonly number[];
  /** `/readyz`, each over a connection of its own. */
  readonly probes: readonly number[];
  readonly failed: readonly string[];
}

const { url, ...certificate } = workerData as Renewer;
// Nodes have addresses of their own.
const tls = { ...certificate, localAddress: '127.0.0.2' };
const agent = new Agent({ keepAlive: true, ...tls });
const lease = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n1';
type Told = { readonly [Series in keyof Renewed]: Renewed[Series][number][] };
const nothing = (): Told => ({ renewals: [], ready: [], probes: [], failed: [] });
let told = nothing();

function ask(method: string, path: string, by: Agent, body?: string): Promise<number> {
  return new Promise((resolve) => {
    const more = body === undefined ? {} : { 'content-type': 'application/merge-patch+json', 'content-length': Buffer.byteLength(body) };
    const req = request(url + path, { method, agent: by, headers: more }, (res) => {
      res.resume().on('end', () => resolve(res.statusCode ?? 0));
      res.on('error', () => resolve(0));
    });
    req.on('error', () => resolve(0));
    req.end(body);
  });
}

async function timed(took: number[], what: string, one: () => Promise<number>): Promise<void> {
  const began = performance.now();
  const status = await one();
  took.push(performance.now() - began);
  if (status !== 200) told.failed.push(`${what}: ${status}`);
}

async function renew(): Promise<void> {
  for (let i = 0; ; i++) {
    const body = JSON.stringify({ spec: { leaseDurationSeconds: 40 + (i % 2) } });
    await timed(told.renewals, 'renewal', () => ask('PATCH', lease, agent, body));
    await timed(told.ready, 'readyz', () => ask('GET', '/readyz', agent));
    await sleep(10);
  }
}

async function probe(): Promise<void> {
  for (;;) {
    const fresh = new Agent(tls);
    await timed(told.probes, 'probe', () => ask('GET', '/readyz', fresh));
    fresh.destroy();
    await sleep(50);
  }
}

// Tells what there was since the last time.
parentPort?.on('message', () => {
  parentPort?.postMessage(told);
  told = nothing();
});
void renew();
void probe();
