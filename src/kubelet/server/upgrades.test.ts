import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, createServer as createTcp, type Socket, type Server as TcpServer } from 'node:net';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { eventually } from '../../clock/testing/eventually.ts';
import { silentLog } from '../../observability/log.ts';
import type { Cri } from '../cri/cri.ts';
import type { PodLookup } from './pod-lookup.ts';
import { Upgrades } from './upgrades.ts';

const tunnel = 'SPDY/3.1+portforward.k8s.io';

describe('Upgrades', () => {
  /** The runtime's streaming server: takes every upgrade, and does nothing more by itself. */
  let runtime: TcpServer;
  const streams: Socket[] = [];
  let asked = false;
  /** Where the runtime says that it serves the stream. */
  let url: string;
  let upgrades: Upgrades;
  let server: Server;
  const port = (): number => (server.address() as AddressInfo).port;

  before(async () => {
    runtime = createTcp((socket) => {
      streams.push(socket);
      socket.on('error', () => {});
      // The first byte of a SPDY control frame: the client opens its streams.
      socket.on('data', (chunk: Buffer) => {
        if (chunk[0] === 0x80) asked = true;
      });
      socket.once('data', () => socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: SPDY/3.1\r\n\r\n'));
    });
    runtime.listen(0, '127.0.0.1');
    await once(runtime, 'listening');
  });
  after(() => void runtime.close());
  beforeEach(async () => {
    streams.length = 0;
    asked = false;
    url = `http://127.0.0.1:${(runtime.address() as AddressInfo).port}/x`;
    const cri = { exec: async () => url, portForward: async () => url } as unknown as Cri;
    const pods = { runningContainer: () => 'c', sandbox: () => 's' } as unknown as PodLookup;
    upgrades = new Upgrades({ cri, pods, log: silentLog });
    server = createServer();
    server.on('upgrade', (req, socket, head) => {
      socket.on('error', () => {});
      upgrades.serve(req, socket, head).catch((err: Error) => socket.end(`HTTP/1.1 400 ${err.message}\r\n\r\n`));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterEach(() => {
    upgrades.close();
    for (const stream of streams) stream.destroy();
    server.close();
    server.closeAllConnections();
  });

  test('lets go of clients that speak SPDY when it closes', async () => {
    const client = connect(port(), '127.0.0.1');
    client.on('error', () => {});
    client.write('POST /exec/ns/p/c?output=1 HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: SPDY/3.1\r\n\r\n');
    await once(client, 'data');
    upgrades.close();
    const closed = once(client, 'close');
    client.resume();
    await closed;
  });

  test('lets go of the runtime when a WebSocket handshake fails', async () => {
    const client = connect(port(), '127.0.0.1');
    client.on('error', () => {});
    const head = `upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: bad\r\nsec-websocket-protocol: ${tunnel}`;
    client.write(`GET /portForward/ns/p?port=80 HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\n${head}\r\n\r\n`);
    const [answer] = (await once(client, 'data')) as [Buffer];
    assert.match(answer.toString(), /^HTTP\/1.1 400/);
    await eventually('the stream to the runtime ends', () => streams[0]?.readyState !== 'open' && streams.length > 0);
  });

  test('joins a port-forward over WebSocket with the runtime', async () => {
    const client = connect(port(), '127.0.0.1');
    client.on('error', () => {});
    const key = Buffer.alloc(16).toString('base64');
    const head = `upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: ${key}\r\nsec-websocket-protocol: ${tunnel}`;
    client.write(`GET /portForward/ns/p?port=80 HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\n${head}\r\n\r\n`);
    const [answer] = (await once(client, 'data')) as [Buffer];
    assert.match(answer.toString(), /^HTTP\/1.1 101 [\s\S]*Sec-WebSocket-Protocol: SPDY\/3.1\+portforward.k8s.io\r\n/i);
    // A binary frame of two bytes, with a mask of zeros.
    client.write(Buffer.from([0x82, 0x82, 0, 0, 0, 0, 0x68, 0x69]));
    assert.deepEqual(await once(streams[0]!, 'data'), [Buffer.from('hi')]);
    streams[0]!.write('yo');
    assert.deepEqual(await once(client, 'data'), [Buffer.from([0x82, 2, 0x79, 0x6f])]);
    client.destroy();
    await eventually('the stream to the runtime ends', () => streams[0]!.readyState !== 'open');
  });

  test('leaves the channels of client-python and client-node to the runtime, which is told the ports', async () => {
    // The part of a runtime's server that speaks v4.channel.k8s.io.
    const asked: string[] = [];
    const channels = new WebSocketServer({
      host: '127.0.0.1',
      port: 0,
      handleProtocols: (p) => (p.has('v4.channel.k8s.io') ? 'v4.channel.k8s.io' : false),
    });
    await once(channels, 'listening');
    channels.on('connection', (ws, req) => {
      asked.push(req.url ?? '');
      for (const channel of [0, 1]) ws.send(Buffer.from([channel, 80, 0]));
      ws.on('message', (data: Buffer) => ws.send(data));
    });
    url = `http://127.0.0.1:${(channels.address() as AddressInfo).port}/portforward/token`;
    try {
      const ws = new WebSocket(`ws://127.0.0.1:${port()}/portForward/ns/p?port=80&port=443`, ['v5.channel.k8s.io', 'v4.channel.k8s.io']);
      const seen: Buffer[] = [];
      ws.on('message', (data: Buffer) => seen.push(data));
      await once(ws, 'open');
      assert.equal(ws.protocol, 'v4.channel.k8s.io');
      ws.send(Buffer.from([0, 104, 105]));
      await eventually('both ports and the echo', () => seen.length === 3);
      assert.deepEqual(
        seen.map((m) => [...m]),
        [
          [0, 80, 0],
          [1, 80, 0],
          [0, 104, 105],
        ],
      );
      assert.deepEqual(asked, ['/portforward/token?port=80&port=443']);
      ws.close();
      await once(ws, 'close');
    } finally {
      channels.close();
      for (const client of channels.clients) client.terminate();
    }
  });

  test('refuses such a client that names no port', async () => {
    const client = connect(port(), '127.0.0.1');
    client.write(
      'GET /portForward/ns/p HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-protocol: v4.channel.k8s.io\r\n\r\n',
    );
    const [answer] = (await once(client, 'data')) as [Buffer];
    assert.match(answer.toString(), /^HTTP\/1.1 400 query parameter "port" is required/);
  });

  /** The messages of a command whose runtime says `status` on the error stream, which is opened first, and goes. */
  async function messagesOf(protocol: string, status: string): Promise<string[]> {
    const ws = new WebSocket(`ws://127.0.0.1:${port()}/exec/ns/p/c?output=1`, protocol);
    const seen: string[] = [];
    ws.on('message', (data: Buffer) => seen.push(`${data[0]} ${data.subarray(1)}`));
    await eventually('streams are asked for', () => asked);
    const head = Buffer.alloc(8);
    head.writeUInt32BE(1, 0);
    head.writeUInt32BE((1 << 24) | status.length, 4);
    streams[0]!.end(Buffer.concat([head, Buffer.from(status)]));
    await once(ws, 'close');
    return seen;
  }
  const success = '{"metadata":{},"status":"Success"}';
  for (const [protocol, status, wanted] of [
    ['v4.channel.k8s.io', success, [`3 ${success}`]],
    ['channel.k8s.io', success, []],
    ['channel.k8s.io', '{"metadata":{},"status":"Failure","message":"exit code 1"}', ['3 exit code 1']],
  ] as const)
    test(`tells a client of ${protocol} ${JSON.stringify(wanted)} when a command ends with ${status}`, async () => {
      assert.deepEqual(await messagesOf(protocol, status), wanted);
    });

  test('refuses ports that are none', async () => {
    const client = connect(port(), '127.0.0.1');
    client.write('GET /portForward/ns/p?port=80,x HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
    const [answer] = (await once(client, 'data')) as [Buffer];
    assert.match(answer.toString(), /^HTTP\/1.1 400 invalid ports/);
  });
});
