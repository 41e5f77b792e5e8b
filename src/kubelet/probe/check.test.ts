import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { describe, test } from 'node:test';
import { Server as GrpcServer, ServerCredentials } from '@grpc/grpc-js';
import { freePort } from '../../ip/testing/free-port.ts';
import { type Cri, CriError } from '../cri/cri.ts';
import { type CheckAction, type CheckResult, check, portOf } from './check.ts';

const container = { name: 'main', ports: [{ name: 'web', containerPort: 8080 }] };

async function look(action: CheckAction, { timeoutMs = 10_000, cri = {} as Cri, podIp = '127.0.0.1' } = {}): Promise<CheckResult> {
  return await check(action, { cri, containerId: 'c1', container, podIp, timeoutMs });
}

/** Listens on loopback until the work is over. */
async function serving(server: Server, work: (port: number) => Promise<void>): Promise<void> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    await work((server.address() as AddressInfo).port);
  } finally {
    server.close();
  }
}

describe('portOf()', () => {
  for (const [port, wanted] of [
    [80, 80],
    ['80', 80],
    ['web', 8080],
    [1, 1],
    [65_535, 65_535],
  ] as const)
    test(`${port} is ${wanted}`, () => assert.equal(portOf(port, container), wanted));
  for (const port of [0, 65_536, 'x', '', 1.5])
    test(`"${port}" is none`, () =>
      assert.throws(() => portOf(port, container), { message: `couldn't find port: ${port} in container main` }));
});

describe('check()', () => {
  test('exec: succeeds with exit code 0, and shows what the command said, up to 10 KiB', async () => {
    const asked: unknown[] = [];
    let exitCode = 0;
    const execSync = async (...args: unknown[]): Promise<object> => {
      asked.push(args);
      return { exitCode, stdout: Buffer.from('out '), stderr: Buffer.alloc(20_000, 'e') };
    };
    const cri = { execSync } as unknown as Cri;
    const action = { exec: { command: ['is', 'up'] } };
    assert.equal((await look(action, { cri, timeoutMs: 1500 })).ok, true);
    exitCode = 1;
    const { ok, output } = await look(action, { cri });
    assert.deepEqual([ok, output.slice(0, 6), output.length], [false, 'out ee', 10_240]);
    assert.deepEqual(asked, [
      ['c1', ['is', 'up'], 2],
      ['c1', ['is', 'up'], 10],
    ]);
  });

  for (const [err, output] of [
    [new CriError(4, 'late'), 'command timed out: is up timed out after 10s'],
    [new CriError(5, 'no container'), 'no container'],
  ] as const)
    test(`exec: fails with "${output}"`, async () => {
      const cri = { execSync: () => Promise.reject(err) } as unknown as Cri;
      assert.deepEqual(await look({ exec: { command: ['is', 'up'] } }, { cri }), { ok: false, output });
    });

  for (const [code, ok] of [
    [200, true],
    [204, true],
    [399, true],
    [400, false],
    [503, false],
  ] as const)
    test(`HTTP: an answer ${code} is ${ok ? 'success' : 'failure'}`, async () => {
      const server = createServer((socket) => socket.on('data', () => socket.end(`HTTP/1.1 ${code} Said\r\nContent-Length: 0\r\n\r\n`)));
      await serving(server, async (port) =>
        assert.deepEqual(await look({ httpGet: { port } }), { ok, output: `HTTP probe failed with statuscode: ${code}` }),
      );
    });

  test('HTTP: asks for the path with the headers of the probe', async () => {
    const seen: unknown[] = [];
    const server = createHttpServer((req, res) => {
      seen.push([req.url, req.headers['user-agent'], req.headers.accept, req.headers.x]);
      res.end();
    });
    await serving(server, async (port) => {
      await look({ httpGet: { port, path: 'ready?full' } });
      await look({
        httpGet: {
          port,
          path: '/live',
          httpHeaders: [
            { name: 'X', value: '1' },
            { name: 'User-Agent', value: 'me' },
          ],
        },
      });
      await look({ httpGet: { port, host: '127.0.0.1' } }, { podIp: '192.0.2.1' });
    });
    assert.deepEqual(seen, [
      ['/ready?full', 'kube-probe/1.35', '*/*', undefined],
      ['/live', 'me', '*/*', '1'],
      ['/', 'kube-probe/1.35', '*/*', undefined],
    ]);
  });

  test('HTTP: says what is wrong as Go does', async () => {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}/`;
    assert.deepEqual(await look({ httpGet: { port } }), {
      ok: false,
      output: `Get "${url}": dial tcp 127.0.0.1:${port}: connect: connection refused`,
    });
    const sockets: { destroy(): void }[] = [];
    await serving(
      createServer((socket) => void sockets.push(socket)),
      async (silent) => {
        const { ok, output } = await look({ httpGet: { port: silent } }, { timeoutMs: 20 });
        assert.equal(ok, false);
        assert.match(output, /context deadline exceeded \(Client.Timeout exceeded while awaiting headers\)$/);
        assert.equal(
          (await look({ httpGet: { port: silent, scheme: 'HTTPS' } }, { timeoutMs: 20 })).output.startsWith('Get "https://'),
          true,
        );
        for (const socket of sockets) socket.destroy();
      },
    );
  });

  test('TCP: succeeds where somebody listens', async () => {
    await serving(createServer(), async (port) => assert.deepEqual(await look({ tcpSocket: { port } }), { ok: true, output: '' }));
    const port = await freePort();
    assert.deepEqual(await look({ tcpSocket: { port } }), { ok: false, output: `dial tcp 127.0.0.1:${port}: connect: connection refused` });
  });

  /** On a node whose environment names a proxy, which leads nowhere. */
  const withProxy = async (work: () => Promise<unknown>): Promise<void> => {
    const before = process.env.grpc_proxy;
    process.env.grpc_proxy = 'http://127.0.0.1:1';
    try {
      await work();
    } finally {
      if (before === undefined) delete process.env.grpc_proxy;
      else process.env.grpc_proxy = before;
    }
  };

  test('gRPC: succeeds when the service says SERVING', async () => {
    const asked: string[] = [];
    const asIs = (bytes: Buffer): Buffer => bytes;
    const method = { path: '/grpc.health.v1.Health/Check', requestStream: false, responseStream: false };
    const codec = { requestSerialize: asIs, requestDeserialize: asIs, responseSerialize: asIs, responseDeserialize: asIs };
    const server = new GrpcServer();
    server.addService(
      { Check: { ...method, ...codec } },
      {
        Check: ({ request }: { request: Buffer }, answer: (err: null, bytes: Buffer) => void) => {
          asked.push(request.toString('hex'));
          answer(null, request.length === 0 ? Buffer.from([8, 1]) : Buffer.from([8, 2]));
        },
      },
    );
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (err, bound) => (err ? reject(err) : resolve(bound))),
    );
    try {
      assert.equal((await look({ grpc: { port } })).ok, true);
      assert.deepEqual(await look({ grpc: { port, service: 'db' } }), {
        ok: false,
        output: 'service unhealthy (responded with "NOT_SERVING")',
      });
      const long = 'x'.repeat(300);
      await withProxy(() => look({ grpc: { port, service: long } }));
      // The length of a field takes as many bytes as it needs: 300 is ac 02.
      assert.deepEqual(asked, ['', '0a026462', `0aac02${Buffer.from(long).toString('hex')}`]);
    } finally {
      server.forceShutdown();
    }
    const { ok, output } = await look({ grpc: { port } }, { timeoutMs: 2000 });
    assert.equal(ok, false);
    assert.match(output, /^error: health rpc failed: /);
  });

  test('a handler of another kind fails', async () =>
    assert.deepEqual(await look({}), { ok: false, output: 'the handler is of no supported kind' }));
});
