/**
 * What informers cost the server, as JSON and as protobuf: listing 10,000 pods, and 1,000 watches of pods that change. The server runs in
 * this thread, whose CPU is measured, the informers in another one. Then what reading the same objects costs a client in JavaScript.
 */
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { decodeProtobuf, encodeProtobuf } from '../api/codec/protobuf.ts';
import { MemoryStore } from '../storage/memory/memory-store.ts';
import { encodeObject } from './cache/cached-object.ts';
import { pod } from './testing/pod.ts';
import { TestServer } from './testing/test-server.ts';

interface Load {
  readonly url: string;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

const accepts = { JSON: 'application/json', protobuf: 'application/vnd.kubernetes.protobuf,application/json' } as const;
const podCount = 10_000;
const lists = 5;
const watchers = 1_000;
const changes = 100;

async function informers(load: Load): Promise<void> {
  const say = (message: object): void => parentPort?.postMessage(message);
  const agent = new Agent({ keepAlive: true, ...load });
  const open = (path: string, accept: string, onBytes: (bytes: number) => void): Promise<{ ended: Promise<void>; close(): void }> =>
    new Promise((resolve, reject) => {
      const req = request(load.url + path, { agent, headers: { accept } }, (res) => {
        res.on('data', (chunk: Buffer) => onBytes(chunk.length));
        res.on('error', () => {});
        resolve({ ended: new Promise((done) => res.once('end', done)), close: () => req.destroy() });
      });
      req.on('error', reject);
      req.end();
    });

  for (const [name, accept] of Object.entries(accepts)) {
    for (const what of ['first list of 10,000 pods', `a list of 10,000 pods, mean of ${lists}`]) {
      const times = what.startsWith('first') ? 1 : lists;
      let bytes = 0;
      say({ begin: true });
      for (let i = 0; i < times; i++) await (await open('/api/v1/pods', accept, (n) => (bytes += n))).ended;
      say({ end: `${name.padEnd(9)} ${what}`, times, bytes });
    }
  }
  for (const [name, accept] of Object.entries(accepts)) {
    let bytes = 0;
    let idle: NodeJS.Timeout | undefined;
    const quiet = Promise.withResolvers<void>();
    const took = (n: number): void => {
      bytes += n;
      idle?.refresh();
    };
    const watching = [];
    const from = await newest(load, agent);
    for (let i = 0; i < watchers; i++) watching.push(await open(`/api/v1/pods?watch=true&resourceVersion=${from}`, accept, took));
    say({ begin: true });
    say({ change: true });
    let before = -1;
    idle = setTimeout(() => {
      // A busy thread sees the end of the time before it sees what has come meanwhile.
      if (bytes > 0 && bytes === before) return quiet.resolve();
      before = bytes;
      idle?.refresh();
    }, 1000);
    await quiet.promise;
    say({ end: `${name.padEnd(9)} ${watchers} watches × ${changes} changes`, times: 1, bytes });
    for (const one of watching) one.close();
  }
  agent.destroy();
}

async function newest(load: Load, agent: Agent): Promise<string> {
  const reply = await new Promise<IncomingMessage>((resolve) => request(`${load.url}/api/v1/pods?limit=1`, { agent }, resolve).end());
  const { metadata } = JSON.parse(Buffer.concat(await reply.toArray()).toString()) as { metadata: { resourceVersion: string } };
  return metadata.resourceVersion;
}

/** Microseconds of CPU and bytes for one object. */
function reading(): void {
  const objects = Array.from({ length: 2000 }, (_, i) => pod(i));
  const asJson = objects.map((o) => Buffer.from(JSON.stringify(o)));
  const asProtobuf = objects.map((o) => encodeProtobuf(o as never));
  const each = (what: string, list: readonly Buffer[], read: (bytes: Buffer) => unknown): void => {
    for (const bytes of list) read(bytes);
    const before = process.threadCpuUsage();
    for (let round = 0; round < 5; round++) for (const bytes of list) read(bytes);
    const { user, system } = process.threadCpuUsage(before);
    console.log(`${what.padEnd(45)} ${((user + system) / 5 / list.length).toFixed(1).padStart(6)} µs   ${list[0]?.length} bytes a pod`);
  };
  each('reading JSON (JSON.parse)', asJson, (bytes) => JSON.parse(bytes.toString()));
  each('reading protobuf (decodeProtobuf)', asProtobuf, (bytes) => decodeProtobuf(bytes));
}

async function main(): Promise<void> {
  const store = new MemoryStore();
  const key = (i: number): string => `/registry/pods/default/p-${i}`;
  for (let i = 0; i < podCount; i++) await store.put(key(i), encodeObject(pod(i)));
  const server = await TestServer.start(store);
  const worker = new Worker(import.meta.filename, {
    workerData: { url: server.url, ca: server.pki.ca, ...(await server.pki.client('bench', 'system:masters')) },
  });
  let cpu = process.threadCpuUsage();
  worker.on('message', async (message: { begin?: true; change?: true; end?: string; times?: number; bytes?: number }) => {
    if (message.begin) cpu = process.threadCpuUsage();
    if (message.change) for (let i = 0; i < changes; i++) await store.put(key(i), encodeObject(pod(i)));
    if (message.end === undefined) return;
    const { user, system } = process.threadCpuUsage(cpu);
    const { times = 1, bytes = 0 } = message;
    console.log(
      `${message.end.padEnd(45)} ${((user + system) / 1000 / times).toFixed(0).padStart(6)} ms CPU   ${(bytes / times / 1e6).toFixed(1)} MB`,
    );
  });
  await new Promise((resolve, reject) => {
    worker.once('exit', resolve);
    worker.once('error', reject);
  });
  await server.stop();
  reading();
}

if (isMainThread) await main();
else await informers(workerData as Load);
