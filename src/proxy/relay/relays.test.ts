/** Relays over real sockets of the loopback address. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createSocket, type Socket as Datagrams } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, test } from 'node:test';
import { systemClock } from '../../clock/clock.ts';
import { eventually } from '../../clock/testing/eventually.ts';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { isKnownError } from '../../errors/known-error.ts';
import { cidrContains, mustCidr } from '../../ip/ip.ts';
import type { EndpointAddress } from '../plan/service-plan.ts';
import { PortBalancer } from './balancer.ts';
import type { Route } from './relay.ts';
import { TcpRelay } from './tcp-relay.ts';
import { UdpRelay } from './udp-relay.ts';

const ending: (() => void)[] = [];
afterEach(() => {
  for (const end of ending.splice(0).reverse()) end();
});

function routeTo(ports: readonly number[], more: Partial<Route> = {}): Route {
  const cluster: EndpointAddress[] = ports.map((port) => ({ name: `127.0.0.1 . ${port}`, ip: '127.0.0.1', port, mayBeHere: true }));
  const balancer = new PortBalancer({ cluster, local: [], algorithm: 'round-robin' }, { now: () => 0 });
  return { balancer, listFor: () => 'cluster', isServing: (name) => cluster.some((endpoint) => endpoint.name === name), ...more };
}

/** Greets with its name, says everything back, and ends when the client has ended. */
async function echo(name: string): Promise<{ readonly port: number; readonly server: Server; readonly sockets: Socket[] }> {
  const sockets: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    socket.write(`${name} `);
    socket.pipe(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  ending.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { port: (server.address() as AddressInfo).port, server, sockets };
}

async function tcpRelay(route: Route): Promise<TcpRelay> {
  const relay = await TcpRelay.listen({ ip: '127.0.0.1', port: 0 }, route);
  ending.push(() => relay.cut());
  return relay;
}

/** What comes back when `text` was sent and the client has ended; `reset` when the connection was. */
async function ask(port: number, text: string): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
  let got = '';
  socket.on('data', (part) => {
    got += String(part);
  });
  socket.end(text);
  return await new Promise((resolve) => {
    socket.on('error', () => resolve('reset'));
    socket.on('close', () => resolve(got));
  });
}

describe('TcpRelay', () => {
  test('carries bytes both ways, to one endpoint after the other, also after the client has ended', async () => {
    const [a, b] = [await echo('a'), await echo('b')];
    const relay = await tcpRelay(routeTo([a.port, b.port]));
    assert.deepEqual([await ask(relay.port, 'x'), await ask(relay.port, 'y'), await ask(relay.port, 'z')], ['a x', 'b y', 'a z']);
  });

  test('carries a megabyte through a client that reads late', async () => {
    const a = await echo('a');
    const relay = await tcpRelay(routeTo([a.port]));
    const text = 'x'.repeat(1_000_000);
    assert.equal((await ask(relay.port, text)).length, text.length + 2);
  });

  test('passes by an endpoint that refuses', async () => {
    const [a, gone] = [await echo('a'), await echo('gone')];
    gone.server.close();
    const relay = await tcpRelay(routeTo([gone.port, a.port]));
    assert.equal(await ask(relay.port, 'x'), 'a x');
  });

  test('takes the answer of an endpoint that came while this process was busy for longer than it waits', async () => {
    const a = await echo('a');
    const route = routeTo([a.port]);
    const choose = route.balancer.choose.bind(route.balancer);
    const busyMs = 600;
    route.balancer.choose = (...which) => {
      // Once it is on the way.
      setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, busyMs));
      return choose(...which);
    };
    const relay = await tcpRelay(route);
    assert.equal(await ask(relay.port, 'x'), 'a x');
    assert.equal(route.balancer.count.refused, 0);
  });

  test('resets a client that may have no endpoint, or none that answers', async () => {
    const gone = await echo('gone');
    gone.server.close();
    const nobody = await tcpRelay(routeTo([gone.port]));
    const notForYou = await tcpRelay(routeTo([(await echo('a')).port], { listFor: () => undefined }));
    assert.deepEqual([await ask(nobody.port, 'x'), await ask(notForYou.port, 'x')], ['reset', 'reset']);
  });

  test('goes on when a client has reset its connection before it was taken', async () => {
    const a = await echo('a');
    const listFor: Route['listFor'] = (client) => (cidrContains(mustCidr('127.0.0.0/8'), client) ? 'cluster' : undefined);
    const route = routeTo([a.port], { listFor });
    const relay = await tcpRelay(route);
    // This process takes nothing until the other has ended.
    const script = `const client = require('net').connect(${relay.port}, '127.0.0.1', () => client.resetAndDestroy())`;
    for (let i = 0; i < 3; i++) execFileSync(process.execPath, ['-e', script]);
    assert.equal(await ask(relay.port, 'x'), 'a x');
    assert.equal(route.balancer.count.refused, 0);
  });

  test('resets the client when the endpoint resets, and counts what is open', async () => {
    const a = await echo('a');
    const route = routeTo([a.port]);
    const relay = await tcpRelay(route);
    const client = connect(relay.port, '127.0.0.1');
    const failed = once(client, 'error');
    await once(client, 'data');
    assert.equal(route.balancer.openTo(`127.0.0.1 . ${a.port}`), 1);
    a.sockets[0]?.resetAndDestroy();
    assert.match(String((await failed)[0]), /ECONNRESET/);
    await eventually('nothing is open', () => route.balancer.openTo(`127.0.0.1 . ${a.port}`) === 0);
  });

  test('keeps open connections when its route changes and when it closes', async () => {
    const [a, b] = [await echo('a'), await echo('b')];
    const relay = await tcpRelay(routeTo([a.port]));
    const client = connect(relay.port, '127.0.0.1');
    ending.push(() => client.destroy());
    await once(client, 'data');
    relay.reroute(routeTo([b.port]));
    assert.equal(await ask(relay.port, 'x'), 'b x');
    const { port } = relay;
    relay.close();
    client.write('still here');
    assert.equal(String((await once(client, 'data'))[0]), 'still here');
    assert.equal(await ask(port, 'x'), 'reset');
  });

  test('counts connections, what they carried also while they are open, and those that it refused', async () => {
    const a = await echo('a');
    const route = routeTo([a.port]);
    const { count } = route.balancer;
    const relay = await tcpRelay(route);
    await ask(relay.port, 'xyz');
    const client = connect(relay.port, '127.0.0.1');
    ending.push(() => client.destroy());
    await once(client, 'data');
    await eventually('both are counted', () => count.sent === 'a xyz'.length + 'a '.length);
    assert.deepEqual([count.connections, count.received, count.refused], [2, 3, 0]);
    relay.reroute({ ...route, listFor: () => undefined });
    assert.equal(await ask(relay.port, 'x'), 'reset');
    assert.deepEqual([count.connections, count.received, count.refused], [2, 3, 1]);
  });

  test('says that another program listens there', async () => {
    const a = await echo('a');
    await assert.rejects(TcpRelay.listen({ ip: '127.0.0.1', port: a.port }, routeTo([])), (err) => isKnownError(err, 'PORT_TAKEN'));
  });
});

/** Says its name and everything back. */
async function udpEcho(name: string): Promise<Datagrams> {
  const socket = createSocket('udp4');
  socket.on('message', (data, from) => socket.send(`${name} ${data}`, from.port, from.address));
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  ending.push(() => socket.close());
  return socket;
}

async function udpRelay(route: Route, clock = systemClock): Promise<UdpRelay> {
  const relay = await UdpRelay.listen({ ip: '127.0.0.1', port: 0 }, route, clock);
  ending.push(() => relay.close());
  return relay;
}

class UdpClient {
  readonly #socket = createSocket('udp4');
  constructor() {
    ending.push(() => this.#socket.close());
  }
  async ask(port: number, text: string): Promise<string> {
    const answer = once(this.#socket, 'message');
    this.#socket.send(text, port, '127.0.0.1');
    return String((await answer)[0]);
  }
}

describe('UdpRelay', () => {
  test('keeps a client on one endpoint while its flow lasts', async () => {
    const [a, b] = [await udpEcho('a'), await udpEcho('b')];
    const relay = await udpRelay(routeTo([a.address().port, b.address().port]));
    const [one, other] = [new UdpClient(), new UdpClient()];
    const said = [await one.ask(relay.port, '1'), await other.ask(relay.port, '2'), await one.ask(relay.port, '3')];
    assert.deepEqual(said, ['a 1', 'b 2', 'a 3']);
  });

  test('counts flows, what they carried, and datagrams that it refused', async () => {
    const a = await udpEcho('a');
    const route = routeTo([a.address().port]);
    const { count } = route.balancer;
    const relay = await udpRelay(route);
    const client = new UdpClient();
    await client.ask(relay.port, '12');
    await client.ask(relay.port, '3');
    assert.deepEqual([count.connections, count.received, count.sent, count.refused], [1, 3, 'a 12'.length + 'a 3'.length, 0]);
    relay.reroute({ ...route, listFor: () => undefined });
    void new UdpClient().ask(relay.port, 'x').catch(() => {});
    await eventually('it is refused', () => count.refused === 1);
    assert.equal(count.connections, 1);
  });

  test('moves flows of an endpoint that no longer serves, and no others', async () => {
    const [a, b] = [await udpEcho('a'), await udpEcho('b')];
    const [pa, pb] = [a.address().port, b.address().port];
    const relay = await udpRelay(routeTo([pa, pb]));
    const [one, other] = [new UdpClient(), new UdpClient()];
    assert.deepEqual([await one.ask(relay.port, '1'), await other.ask(relay.port, '2')], ['a 1', 'b 2']);
    relay.reroute(routeTo([pb]));
    assert.deepEqual([await one.ask(relay.port, '3'), await other.ask(relay.port, '4')], ['b 3', 'b 4']);
  });

  test('ends flows that are silent', async () => {
    const clock = new FakeClock();
    const [a, b] = [await udpEcho('a'), await udpEcho('b')];
    const relay = await udpRelay(routeTo([a.address().port, b.address().port]), clock);
    const client = new UdpClient();
    assert.equal(await client.ask(relay.port, '1'), 'a 1');
    await clock.advance(100_000);
    assert.equal(await client.ask(relay.port, '2'), 'a 2');
    await clock.advance(131_000);
    assert.equal(await client.ask(relay.port, '3'), 'b 3');
  });

  test('says that another program listens there', async () => {
    const a = await udpEcho('a');
    const taken = UdpRelay.listen({ ip: '127.0.0.1', port: a.address().port }, routeTo([]), systemClock);
    await assert.rejects(taken, (err) => isKnownError(err, 'PORT_TAKEN'));
  });
});
