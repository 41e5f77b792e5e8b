import assert from 'node:assert/strict';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { after, before, describe, test } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import { WebSocket } from 'ws';
import { FakeKubelet } from '../testing/fake-kubelet.ts';
import type { Pem } from '../testing/test-pki.ts';
import { TestServer } from '../testing/test-server.ts';

const pods = '/api/v1/namespaces/default/pods';

describe('the way to the kubelet', () => {
  let s: TestServer;
  let kubelet: FakeKubelet;
  let admin: Pem;

  before(async () => {
    s = await TestServer.start();
    kubelet = await FakeKubelet.start({ ...(await s.pki.server()), ca: s.pki.ca });
    admin = await s.pki.client('admin', 'system:masters');
    await s.call('POST', '/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'default' } });
    const status = {
      addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
      daemonEndpoints: { kubeletEndpoint: { Port: kubelet.port } },
    };
    await s.call('POST', '/api/v1/nodes', { metadata: { name: 'n1' }, status });
    const containers = [{ name: 'main', image: 'i' }];
    await s.call('POST', pods, { metadata: { name: 'one' }, spec: { nodeName: 'n1', containers } });
    await s.call('POST', pods, {
      metadata: { name: 'two' },
      spec: { nodeName: 'n1', containers: [...containers, { name: 'broken', image: 'i' }] },
    });
    await s.call('POST', pods, { metadata: { name: 'waiting' }, spec: { containers } });
  });
  after(async () => {
    await kubelet.stop();
    await s.stop();
  });

  test('passes a log on, with its options and as the server itself', async () => {
    const { status, text } = await s.call('GET', `${pods}/one/log?tailLines=5&timestamps=true`);
    assert.equal(status, 200);
    assert.equal(text, 'a line\n');
    assert.equal(kubelet.seen.at(-1), 'GET /containerLogs/default/one/main?timestamps=true&tailLines=5 as kube-apiserver-kubelet-client');
  });

  test('asks again when the kubelet ends the connection that it had kept', async () => {
    await s.call('GET', `${pods}/one/log`);
    kubelet.hangUp = true;
    assert.equal((await s.call('GET', `${pods}/one/log`)).text, 'a line\n');
  });

  test('streams a log that is followed, line by line', async () => {
    const answer = await s.open('GET', `${pods}/one/log?follow=true`);
    answer.setEncoding('utf8');
    const lines = answer[Symbol.asyncIterator]();
    assert.equal((await lines.next()).value, 'first\n');
    kubelet.following[0]!.write('second\n');
    assert.equal((await lines.next()).value, 'second\n');
    kubelet.following[0]!.end();
    assert.equal((await lines.next()).done, true);
  });

  test('sends a log as messages over a WebSocket, in bytes or in base64', async () => {
    for (const [protocol, wanted] of [
      ['binary.k8s.io', 'a line\n'],
      ['base64.binary.k8s.io', Buffer.from('a line\n').toString('base64')],
    ] as const) {
      const ws = new WebSocket(`wss://127.0.0.1:${s.server.address.port}${pods}/one/log`, protocol, { ca: s.pki.ca, ...admin });
      let text = '';
      ws.on('message', (data) => {
        text += String(data);
      });
      await once(ws, 'close');
      assert.equal(ws.protocol, protocol);
      assert.equal(text, wanted);
    }
  });

  test('ends the log at the kubelet when the WebSocket goes', async () => {
    const ws = new WebSocket(`wss://127.0.0.1:${s.server.address.port}${pods}/one/log?follow=true`, { ca: s.pki.ca, ...admin });
    const [first] = (await once(ws, 'message')) as [Buffer];
    assert.equal(first.toString(), 'first\n');
    const ended = once(kubelet.following.at(-1)!, 'close');
    ws.close();
    await ended;
  });

  test('answers a WebSocket for a log that is not there with a Status', async () => {
    const ws = new WebSocket(`wss://127.0.0.1:${s.server.address.port}${pods}/none/log`, { ca: s.pki.ca, ...admin });
    const [err] = (await once(ws, 'error')) as [Error];
    assert.match(err.message, /404/);
  });

  for (const [what, path, status, message] of [
    [
      'names the containers to choose from',
      'two/log',
      400,
      /a container name must be specified for pod two, choose one of: \[main broken\]/,
    ],
    ['refuses a container that is not there', 'one/log?container=x', 400, /container x is not valid for pod one/],
    ['refuses a pod that is not there', 'none/log', 404, /pods "none" not found/],
    ['tells what the kubelet says', 'two/log?container=broken', 404, /container "broken" is not there/],
  ] as const) {
    test(what, async () => {
      const reply = await s.call('GET', `${pods}/${path}`);
      assert.equal(reply.status, status, reply.text);
      assert.match(reply.body.message, message);
    });
  }

  test('has nothing to show of a pod that waits for a node', async () => {
    const { status, text } = await s.call('GET', `${pods}/waiting/log`);
    assert.deepEqual([status, text], [204, '']);
    const refused = await s.call('GET', `${pods}/waiting/log?container=x`);
    assert.match(refused.body.message, /container x is not valid/);
    const ws = new WebSocket(`wss://127.0.0.1:${s.server.address.port}${pods}/waiting/log`, { ca: s.pki.ca, ...admin });
    const [err] = (await once(ws, 'error')) as [Error];
    assert.match(err.message, /204/);
  });

  test('names the node that cannot be reached', async () => {
    const status = { addresses: [{ type: 'InternalIP', address: '127.0.0.1' }], daemonEndpoints: { kubeletEndpoint: { Port: 1 } } };
    await s.call('POST', '/api/v1/nodes', { metadata: { name: 'down' }, status });
    await s.call('POST', pods, { metadata: { name: 'lost' }, spec: { nodeName: 'down', containers: [{ name: 'c', image: 'i' }] } });
    const reply = await s.call('GET', `${pods}/lost/log`);
    assert.equal(reply.status, 500);
    assert.match(reply.body.message, /error dialing backend: node "down" at 127.0.0.1:1: .*ECONNREFUSED/);
  });

  /** Sends a request with Upgrade; resolves with the connection and what came first. */
  async function upgrade(path: string, headers: string): Promise<{ socket: TLSSocket; first: string }> {
    const socket = connect({ host: '127.0.0.1', port: s.server.address.port, ca: s.pki.ca, ...admin });
    await once(socket, 'secureConnect');
    socket.write(`POST ${path} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\n${headers}\r\n\r\n`);
    socket.setEncoding('utf8');
    let first = '';
    while (!first.includes('\r\n\r\n') || first.endsWith('\r\n\r\n')) {
      const [chunk] = (await Promise.race([once(socket, 'data'), once(socket, 'close').then(() => [''])])) as [string];
      if (chunk === '') break;
      first += chunk;
    }
    return { socket, first };
  }

  test('pipes an upgraded connection both ways, and keeps credentials to itself', async () => {
    const { socket, first } = await upgrade(
      `${pods}/one/exec?command=sh&command=-c&command=echo%20a&stdin=true&stdout=true&tty=false`,
      'upgrade: SPDY/3.1\r\nx-stream-protocol-version: v4.channel.k8s.io\r\nauthorization: Bearer secret',
    );
    assert.match(first, /^HTTP\/1.1 101 [\s\S]*hello $/);
    assert.equal(
      kubelet.seen.at(-1),
      'POST /exec/default/one/main?command=sh&command=-c&command=echo+a&input=1&output=1 SPDY/3.1 authorization=none',
    );
    socket.write('ping');
    assert.equal(((await once(socket, 'data')) as [string])[0], 'ping');
    socket.end();
    await once(socket, 'close');
  });

  test('sends port-forward to the pod, with the ports of a WebSocket', async () => {
    const { socket, first } = await upgrade(`${pods}/one/portforward?ports=80&ports=81`, 'upgrade: websocket');
    assert.match(first, /101/);
    assert.match(kubelet.seen.at(-1)!, /^POST \/portForward\/default\/one\?port=80&port=81 websocket/);
    socket.destroy();
  });

  test('refuses an upgrade with a Status', async () => {
    const { socket, first } = await upgrade(`${pods}/none/exec?command=sh&stdout=true`, 'upgrade: SPDY/3.1');
    assert.match(first, /^HTTP\/1.1 404 /);
    assert.match(first, /pods \\"none\\" not found/);
    socket.destroy();
    const jane = await s.pki.client('jane');
    const other = connect({ host: '127.0.0.1', port: s.server.address.port, ca: s.pki.ca, ...jane });
    other.write(`GET ${pods}/one/exec?command=sh HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n`);
    const [chunk] = (await once(other, 'data')) as [Buffer];
    assert.match(chunk.toString(), /^HTTP\/1.1 403 [\s\S]*User \\"jane\\" cannot get resource \\"pods\/exec\\"/);
    other.destroy();
  });

  test('runs nothing over a WebSocket for who may only read', async () => {
    const rbac = '/apis/rbac.authorization.k8s.io/v1';
    const rules = [{ apiGroups: [''], resources: ['pods/exec', 'pods/attach', 'pods/portforward'], verbs: ['get'] }];
    await s.call('POST', `${rbac}/clusterroles`, { metadata: { name: 'reader' }, rules });
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'reader' };
    const subjects = [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'reader' }];
    await s.call('POST', `${rbac}/clusterrolebindings`, { metadata: { name: 'reader' }, roleRef, subjects });
    const reader = await s.pki.client('reader');
    const before = kubelet.seen.length;
    for (const subresource of ['exec', 'attach', 'portforward']) {
      const socket = connect({ host: '127.0.0.1', port: s.server.address.port, ca: s.pki.ca, ...reader });
      socket.write(`GET ${pods}/one/${subresource}?stdout=1 HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n`);
      const [chunk] = (await once(socket, 'data')) as [Buffer];
      assert.match(chunk.toString(), /^HTTP\/1.1 403 [\s\S]*User \\"reader\\" cannot create resource/);
      socket.destroy();
    }
    assert.equal(kubelet.seen.length, before);
  });

  test('binds a pod by POST only', async () => {
    const binding = { target: { kind: 'Node', name: 'n1' } };
    for (const method of ['PUT', 'PATCH', 'DELETE'])
      assert.equal((await s.call(method, `${pods}/waiting/binding`, binding)).status, 405, method);
    assert.equal((await s.call('GET', `${pods}/waiting`)).body.spec.nodeName, undefined);
    await s.call('POST', pods, { metadata: { name: 'bound' }, spec: { containers: [{ name: 'c', image: 'i' }] } });
    assert.equal((await s.call('POST', `${pods}/bound/binding`, binding)).status, 201);
    const { body } = await s.call('GET', `${pods}/bound`);
    assert.deepEqual([body.spec.nodeName, body.metadata.generation], ['n1', 1], 'who binds a pod asks for nothing else of it');
  });

  for (const podIP of ['127.0.0.1', '::1', '::ffff:127.0.0.1', '169.254.169.254', '0.0.0.0', 'fe80::1', 'localhost']) {
    test(`proxies to no pod that gives itself the address ${podIP}`, async () => {
      const patch = { status: { podIP, podIPs: [{ ip: podIP }] } };
      const options = { type: 'application/strategic-merge-patch+json' };
      assert.equal((await s.call('PATCH', `${pods}/waiting/status`, patch, options)).status, 200);
      const reply = await s.call('GET', `${pods}/waiting:${kubelet.port}/proxy/`);
      assert.equal(reply.status, 400, reply.text);
      assert.equal(reply.body.message, `address not allowed: ${podIP}`);
    });
  }

  test('lends its certificate to no request that follows a refused upgrade', async () => {
    // CVE-2018-1002105: a kubelet that refuses keeps its connection open for the next request.
    const { socket, first } = await upgrade(`${pods}/one/exec?command=refuse-upgrade&stdout=true`, 'upgrade: SPDY/3.1');
    assert.match(first, /^HTTP\/1.1 403 [\s\S]*\r\n\r\nnot today/);
    const before = kubelet.seen.length;
    socket.write('POST /run/kube-system/other/main HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n');
    await once(socket, 'close');
    assert.deepEqual(kubelet.seen.slice(before), []);
  });

  test('passes on no second body hidden in the request of an upgrade', async () => {
    const { socket, first } = await upgrade(
      `${pods}/one/exec?command=sh&stdout=true`,
      'upgrade: SPDY/3.1\r\ntransfer-encoding: chunked\r\nexpect: 100-continue',
    );
    assert.match(first, /101/);
    socket.destroy();
    assert.equal(kubelet.lastUpgradeHeaders['transfer-encoding'], undefined);
    assert.equal(kubelet.lastUpgradeHeaders.expect, undefined);
  });

  test('proxies HTTP to a node, though not to one that says it is this machine', async () => {
    const reply = await s.call('GET', '/api/v1/nodes/n1/proxy/stats/summary?x=1');
    assert.equal(reply.status, 400);
    assert.equal(reply.body.message, 'address not allowed: 127.0.0.1');
    const asked = await s.call('GET', '/api/v1/nodes/away/proxy/stats/summary?x=1');
    assert.equal(asked.status, 404);
  });
});

// Loopback is no address of a node that the server proxies to, and a machine has but one other for sure.
const own = Object.values(networkInterfaces())
  .flat()
  .find((i) => i?.family === 'IPv4' && !i.internal)?.address;

describe('the way through a node', { skip: own ? false : 'this machine has no address but loopback' }, () => {
  let s: TestServer;
  let kubelet: FakeKubelet;

  before(async () => {
    s = await TestServer.start();
    kubelet = await FakeKubelet.start({ ...(await s.pki.server(own)), ca: s.pki.ca }, own);
    const status = {
      addresses: [{ type: 'InternalIP', address: own }],
      daemonEndpoints: { kubeletEndpoint: { Port: kubelet.port } },
    };
    await s.call('POST', '/api/v1/nodes', { metadata: { name: 'n1' }, status });
  });
  after(async () => {
    await kubelet.stop();
    await s.stop();
  });

  test('leads the links and redirects of what it proxies to through itself', async () => {
    const page = await s.call('GET', '/api/v1/nodes/n1/proxy/page/');
    assert.equal(page.text, '<a href="/api/v1/nodes/n1/proxy/logs/">Ä</a>\r\n');
    const moved = await s.open('GET', '/api/v1/nodes/n1/proxy/moved');
    assert.equal(moved.statusCode, 302);
    assert.equal(moved.headers.location, '/api/v1/nodes/n1/proxy/logs/');
    moved.destroy();
  });

  test('asks nothing twice that may have been done', async () => {
    await s.call('GET', '/api/v1/nodes/n1/proxy/page/');
    kubelet.hangUp = true;
    const before = kubelet.seen.length;
    assert.equal((await s.call('POST', '/api/v1/nodes/n1/proxy/do')).status, 500);
    assert.equal(kubelet.seen.length, before + 1);
  });

  test('sends who reads the root of a proxy to its slash, by which relative links are right', async () => {
    for (const method of ['GET', 'HEAD']) {
      const answer = await s.open(method, '/api/v1/nodes/n1/proxy?a=/b');
      assert.equal(answer.statusCode, 301);
      assert.equal(answer.headers.location, '/api/v1/nodes/n1/proxy/?a=/b');
      answer.destroy();
    }
    assert.equal((await s.call('POST', '/api/v1/nodes/n1/proxy?a')).status, 200);
    assert.match(kubelet.seen.at(-1)!, /^POST \/\?a as/);
    assert.equal((await s.call('GET', '/api/v1/nodes/none/proxy')).status, 404);
  });
});
