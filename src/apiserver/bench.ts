/**
 * How many requests per second, and how fast changes reach many watchers. The server runs in this thread over SQLite (or, with
 * `memory` as argument, a store in memory), the clients in another one:
 *
 *     node src/apiserver/bench.ts [memory]
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { openStore } from '../storage/open.ts';
import { withoutHistory } from './cache/load.ts';
import { TestServer } from './testing/test-server.ts';

interface Load {
  readonly url: string;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

const maps = '/api/v1/namespaces/default/configmaps';
const connections = 16;

async function client(load: Load): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections, ...load });
  const call = (method: string, path: string, body?: string): Promise<number> =>
    new Promise((resolve, reject) => {
      const headers = body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
      const req = request(load.url + path, { method, agent, headers }, (res) => {
        let size = 0;
        res.on('data', (chunk: Buffer) => {
          size += chunk.length;
        });
        res.on('end', () => ((res.statusCode ?? 500) < 300 ? resolve(size) : reject(new Error(`${method} ${path}: ${res.statusCode}`))));
      });
      req.on('error', reject);
      req.end(body);
    });
  const measure = async (what: string, count: number, one: (i: number) => Promise<unknown>): Promise<void> => {
    const started = performance.now();
    const took: number[] = [];
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < count) {
        const at = performance.now();
        await one(next++);
        took.push(performance.now() - at);
      }
    };
    await Promise.all(Array.from({ length: connections }, lane));
    const seconds = (performance.now() - started) / 1000;
    took.sort((a, b) => a - b);
    const p = (q: number): string => (took[Math.floor(took.length * q)] ?? 0).toFixed(1);
    parentPort?.postMessage(`${what.padEnd(28)} ${(count / seconds).toFixed(0).padStart(7)}/s   p50 ${p(0.5)} ms  p99 ${p(0.99)} ms`);
  };

  const data = { 'config.yaml': 'x'.repeat(1500) };
  const object = (i: number): string => JSON.stringify({ metadata: { name: `bench-${i}`, labels: { app: `a${i % 10}` } }, data });
  const pod = { containers: [{ name: 'c', image: 'fairlead.local/box:1', ports: [{ containerPort: 80 }] }] };
  await call('POST', '/api/v1/namespaces/default/serviceaccounts', JSON.stringify({ metadata: { name: 'default' } }));
  await measure('create configmap', 3000, (i) => call('POST', maps, object(i)));
  await measure('get configmap', 10_000, (i) => call('GET', `${maps}/bench-${i % 3000}`));
  await measure('update configmap', 3000, (i) => call('PUT', `${maps}/bench-${i}`, object(i).replace('xxx', 'yyy')));
  await measure('list 3000 configmaps (6 MB)', 40, () => call('GET', maps));
  await measure('list 300 of 3000 by label', 200, () => call('GET', `${maps}?labelSelector=app%3Da1`));
  await measure('create pod', 2000, (i) =>
    call('POST', '/api/v1/namespaces/default/pods', JSON.stringify({ metadata: { name: `p-${i}` }, spec: pod })),
  );
  await measure('patch pod status', 2000, (i) => patchStatus(load, agent, i));
  await fanOut(load, call);
  agent.destroy();
}

function patchStatus(load: Load, agent: Agent, i: number): Promise<unknown> {
  const body = JSON.stringify({ status: { podIP: '10.244.1.2', conditions: [{ type: 'Ready', status: 'True' }] } });
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/strategic-merge-patch+json', 'content-length': Buffer.byteLength(body) };
    const req = request(`${load.url}/api/v1/namespaces/default/pods/p-${i}/status`, { method: 'PATCH', agent, headers }, (res) => {
      res.resume();
      res.on('end', () => (res.statusCode === 200 ? resolve(undefined) : reject(new Error(`patch: ${res.statusCode}`))));
    });
    req.on('error', reject);
    req.end(body);
  });
}

const watchers = 100;
const changes = 500;

async function fanOut(load: Load, call: (method: string, path: string, body?: string) => Promise<number>): Promise<void> {
  const agent = new Agent({ ...load });
  let seen = 0;
  let done: () => void = () => {};
  const all = new Promise<void>((resolve) => {
    done = resolve;
  });
  const open = await Promise.all(
    Array.from(
      { length: watchers },
      () =>
        new Promise<() => void>((resolve, reject) => {
          const req = request(`${load.url}/api/v1/secrets?watch=true`, { agent }, (res) => {
            res.on('data', (chunk: Buffer) => {
              for (const byte of chunk) if (byte === 10 && ++seen === watchers * changes) done();
            });
            res.on('error', () => {});
            resolve(() => req.destroy());
          });
          req.on('error', reject);
          req.end();
        }),
    ),
  );
  const started = performance.now();
  const lanes = Array.from({ length: connections }, async (_, lane) => {
    for (let i = lane; i < changes; i += connections) {
      await call(
        'POST',
        '/api/v1/namespaces/default/secrets',
        JSON.stringify({ metadata: { name: `s-${i}` }, stringData: { a: 'x'.repeat(500) } }),
      );
    }
  });
  await Promise.all([...lanes, all]);
  const seconds = (performance.now() - started) / 1000;
  parentPort?.postMessage(
    `${`${watchers} watchers × ${changes} creates`.padEnd(28)} ${((watchers * changes) / seconds).toFixed(0).padStart(7)}/s   events delivered`,
  );
  for (const close of open) close();
}

async function main(): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'fairlead-bench-'));
  const store = await openStore(process.argv[2] === 'memory' ? 'memory:' : `sqlite://${join(dir, 'state.db')}`, { withoutHistory });
  const server = await TestServer.start(store);
  const load: Load = { url: server.url, ca: server.pki.ca, ...(await server.pki.client('bench', 'system:masters')) };
  const worker = new Worker(import.meta.filename, { workerData: load });
  worker.on('message', (line: string) => console.log(line));
  await new Promise((resolve, reject) => {
    worker.once('exit', resolve);
    worker.once('error', reject);
  });
  const { rss, heapUsed, external } = process.memoryUsage();
  console.log(`memory: rss ${rss >> 20} MB, heap ${heapUsed >> 20} MB, external ${external >> 20} MB (both threads)`);
  await server.stop();
  await rm(dir, { recursive: true });
}

if (isMainThread) await main();
else await client(workerData as Load);
