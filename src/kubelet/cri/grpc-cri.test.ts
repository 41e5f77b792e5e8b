import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before, beforeEach } from 'node:test';
import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  Server,
  ServerCredentials,
  type ServerErrorResponse,
  status,
} from '@grpc/grpc-js';
import { MessageCodec } from '../../api/codec/message-codec.ts';
import { CriError } from './cri.ts';
import { GrpcCri } from './grpc-cri.ts';
import { type MethodName, messageTable, pathOf } from './messages.ts';

const codec = new MessageCodec(messageTable);
const directory = mkdtempSync(join(tmpdir(), 'grpc-cri-'));
const endpoint = `unix://${directory}/runtime.sock`;
const server = new Server();
let cri: GrpcCri;
/** What the runtime answers, and what it was asked. */
let answer: object | Partial<ServerErrorResponse>;
let asked: { readonly method: string; readonly request: Record<string, unknown>; readonly seconds: number } | undefined;

for (const name of Object.keys(messageTable)) {
  const method = /^(.*)Request$/.exec(name)?.[1] as MethodName | undefined;
  if (!method) continue;
  const serve: handleUnaryCall<Record<string, unknown>, object> = (call, done) => {
    asked = { method, request: call.request, seconds: (Number(call.getDeadline()) - Date.now()) / 1000 };
    if ('code' in answer) done(answer);
    else done(null, answer);
  };
  const write = (value: object): Buffer => codec.encode(`${method}Response`, value);
  const read = (bytes: Buffer): Record<string, unknown> => codec.decode(`${method}Request`, bytes);
  server.register(pathOf(method), serve, write, read, 'unary');
}

const asIs = (bytes: Buffer): Buffer => bytes;

/** Serves a stream that tells these, and ends with the error if there is one. */
function serveStream(path: string, told: readonly Buffer[], error?: Partial<ServerErrorResponse>): void {
  server.unregister(path);
  const serve: handleServerStreamingCall<Buffer, Buffer> = (call) => {
    for (const bytes of told) call.write(bytes);
    if (error) call.emit('error', error);
    else call.end();
  };
  server.register(path, serve, asIs, asIs, 'serverStream');
}

before(async () => {
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(endpoint, ServerCredentials.createInsecure(), (err) => (err ? reject(err) : resolve()));
  });
  cri = new GrpcCri(endpoint);
});
beforeEach(() => {
  answer = {};
  asked = undefined;
});
after(() => {
  cri.close();
  server.forceShutdown();
  rmSync(directory, { recursive: true, force: true });
});

interface Case {
  readonly method: MethodName;
  readonly call: () => Promise<unknown>;
  /** Fields of the request that are not at their default. */
  readonly request?: object;
  readonly answer?: object;
  readonly result?: unknown;
}

const cases: readonly Case[] = [
  {
    method: 'Version',
    call: async () => (await cri.version()).runtimeName,
    request: { version: 'v1' },
    answer: { runtimeName: 'r' },
    result: 'r',
  },
  {
    method: 'RuntimeConfig',
    call: async () => (await cri.runtimeConfig()).linux,
    answer: { linux: { cgroupDriver: 1 } },
    result: { cgroupDriver: 1 },
  },
  { method: 'Status', call: async () => (await cri.status()).status, answer: { status: {} }, result: { conditions: [] } },
  {
    method: 'RunPodSandbox',
    call: () => cri.runPodSandbox({ hostname: 'h' }, 'kata'),
    request: { config: { hostname: 'h' }, runtimeHandler: 'kata' },
    answer: { podSandboxId: 's' },
    result: 's',
  },
  { method: 'StopPodSandbox', call: () => cri.stopPodSandbox('s'), request: { podSandboxId: 's' } },
  { method: 'RemovePodSandbox', call: () => cri.removePodSandbox('s'), request: { podSandboxId: 's' } },
  {
    method: 'PodSandboxStatus',
    call: async () => (await cri.podSandboxStatus('s')).id,
    request: { podSandboxId: 's' },
    answer: { status: { id: 's' } },
    result: 's',
  },
  {
    method: 'ListPodSandbox',
    call: async () => (await cri.listPodSandboxes('u')).map((s) => s.id),
    request: { filter: { labelSelector: { 'io.kubernetes.pod.uid': 'u' } } },
    answer: { items: [{ id: 's' }] },
    result: ['s'],
  },
  { method: 'ListPodSandbox', call: () => cri.listPodSandboxes(), result: [] },
  {
    method: 'CreateContainer',
    call: () => cri.createContainer('s', { workingDir: '/' }, { hostname: 'h' }),
    request: { podSandboxId: 's', config: { workingDir: '/' }, sandboxConfig: { hostname: 'h' } },
    answer: { containerId: 'c' },
    result: 'c',
  },
  { method: 'StartContainer', call: () => cri.startContainer('c'), request: { containerId: 'c' } },
  { method: 'StopContainer', call: () => cri.stopContainer('c', 30), request: { containerId: 'c', timeout: 30 } },
  { method: 'RemoveContainer', call: () => cri.removeContainer('c'), request: { containerId: 'c' } },
  {
    method: 'ListContainers',
    call: async () => (await cri.listContainers('u')).map((c) => c.id),
    request: { filter: { labelSelector: { 'io.kubernetes.pod.uid': 'u' } } },
    answer: { containers: [{ id: 'c' }] },
    result: ['c'],
  },
  { method: 'ListContainers', call: () => cri.listContainers(), result: [] },
  {
    method: 'ContainerStatus',
    call: async () => (await cri.containerStatus('c')).id,
    request: { containerId: 'c' },
    answer: { status: { id: 'c' } },
    result: 'c',
  },
  {
    method: 'UpdateContainerResources',
    call: () => cri.updateContainerResources('c', { cpuShares: 2 }),
    request: { containerId: 'c', linux: { cpuShares: 2 } },
  },
  { method: 'ReopenContainerLog', call: () => cri.reopenContainerLog('c'), request: { containerId: 'c' } },
  {
    method: 'ExecSync',
    call: async () => (await cri.execSync('c', ['true'], 1)).exitCode,
    request: { containerId: 'c', cmd: ['true'], timeout: 1 },
    answer: { exitCode: 7 },
    result: 7,
  },
  {
    method: 'Exec',
    call: () => cri.exec({ containerId: 'c' }),
    request: { containerId: 'c' },
    answer: { url: 'http://e' },
    result: 'http://e',
  },
  {
    method: 'Attach',
    call: () => cri.attach({ containerId: 'c' }),
    request: { containerId: 'c' },
    answer: { url: 'http://a' },
    result: 'http://a',
  },
  {
    method: 'PortForward',
    call: () => cri.portForward({ podSandboxId: 's', port: [80] }),
    request: { podSandboxId: 's', port: [80] },
    answer: { url: 'http://p' },
    result: 'http://p',
  },
  {
    method: 'ListContainerStats',
    call: async () => (await cri.listContainerStats()).map((s) => s.attributes?.id),
    answer: { stats: [{ attributes: { id: 'c' } }] },
    result: ['c'],
  },
  { method: 'ListImages', call: async () => (await cri.listImages()).map((i) => i.id), answer: { images: [{ id: 'i' }] }, result: ['i'] },
  {
    method: 'ImageStatus',
    call: async () => (await cri.imageStatus('box'))?.id,
    request: { image: { image: 'box' } },
    answer: { image: { id: 'i' } },
    result: 'i',
  },
  {
    method: 'PullImage',
    call: () => cri.pullImage('box', { username: 'u' }, { hostname: 'h' }),
    request: { image: { image: 'box' }, auth: { username: 'u' }, sandboxConfig: { hostname: 'h' } },
    answer: { imageRef: 'i' },
    result: 'i',
  },
  { method: 'RemoveImage', call: () => cri.removeImage('box'), request: { image: { image: 'box' } } },
  {
    method: 'ImageFsInfo',
    call: async () => (await cri.imageFsInfo()).map((f) => f.fsId?.mountpoint),
    answer: { imageFilesystems: [{ fsId: { mountpoint: '/m' } }] },
    result: ['/m'],
  },
];

for (const { method, call, request = {}, answer: given = {}, result } of cases)
  test(`${method} is sent with ${JSON.stringify(request)}, and what matters of its answer given`, async () => {
    answer = given;
    assert.deepEqual(await call(), result);
    assert.equal(asked?.method, method);
    const bytes = codec.encode(`${method}Request`, request);
    assert.deepEqual(asked?.request, codec.decode(`${method}Request`, bytes));
  });

test('what the runtime refuses is a CriError with its code and words', async () => {
  answer = { code: status.NOT_FOUND, details: 'no such container' };
  await assert.rejects(
    cri.containerStatus('c'),
    (err) => err instanceof CriError && err.status === 5 && err.message === 'no such container',
  );
});

test('a status without a status is one of something that is not there', async () => {
  await assert.rejects(cri.containerStatus('c'), { name: 'CriError', status: 5, message: 'container c not found' });
  await assert.rejects(cri.podSandboxStatus('s'), { name: 'CriError', status: 5, message: 'sandbox s not found' });
});

test('an image that is not there has no status', async () => {
  assert.equal(await cri.imageStatus('box'), undefined);
  answer = { code: status.NOT_FOUND, details: 'no such image' };
  assert.equal(await cri.imageStatus('box'), undefined);
});

test('a call has the time that it needs', async () => {
  await cri.stopContainer('c', 3600);
  assert.ok((asked?.seconds ?? 0) > 3600, 'the grace period and more');
  await cri.pullImage('box', undefined, {});
  assert.ok((asked?.seconds ?? 0) > 1800, 'a pull');
  await cri.execSync('c', ['true'], 1000);
  assert.ok((asked?.seconds ?? 0) > 500, 'a command');
  await cri.execSync('c', ['true'], 0);
  assert.ok((asked?.seconds ?? 0) > 60, 'a command without a limit has that of all calls');
});

async function countChanges(): Promise<number> {
  let count = 0;
  for await (const _ of cri.changes(new AbortController().signal)) count++;
  return count;
}

test('each event of the runtime is a change', async () => {
  serveStream(pathOf('GetContainerEvents'), [Buffer.alloc(0), Buffer.from([1])]);
  assert.equal(await countChanges(), 2);
});

test('a runtime without events is asked for the exits that containerd tells', async () => {
  const events = new MessageCodec({ Envelope: 'event:4:Any', Any: 'value:2:bytes', TaskExit: 'containerId:1:string id:2:string' });
  const exit = (id: string): Buffer => events.encode('Envelope', { event: { value: events.encode('TaskExit', { containerId: 'c', id }) } });
  serveStream(pathOf('GetContainerEvents'), [], { code: status.UNIMPLEMENTED });
  serveStream('/containerd.services.events.v1.Events/Subscribe', [exit('c'), exit('a command in it')]);
  assert.equal(await countChanges(), 1);
});

test('events that break off are an error', async () => {
  serveStream(pathOf('GetContainerEvents'), [], { code: status.UNAVAILABLE, details: 'gone' });
  await assert.rejects(countChanges(), { name: 'CriError', status: 14, message: 'gone' });
});
