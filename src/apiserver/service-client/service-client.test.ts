import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { KubeObject, ResourceType } from '../../api/resource-types.ts';
import { issueCertificate } from '../../x509/authority.ts';
import type { Lookup } from '../cache/lookup.ts';
import { TestPki } from '../testing/test-pki.ts';
import { boundedBody } from './bounded-body.ts';
import { serviceAddress } from './service-address.ts';
import { type ClientRequest, type Destination, ServiceClient } from './service-client.ts';

function service(name: string, spec: object, namespace = 'default'): KubeObject {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace }, spec } as KubeObject;
}

function slice(name: string, addresses: readonly string[], ready = true, ports: object[] = [{ name: 'https', port: 8443 }]): KubeObject {
  const metadata = { name: `${name}-${addresses[0]}`, namespace: 'default', labels: { 'kubernetes.io/service-name': name } };
  const endpoints = addresses.map((address) => ({ addresses: [address], conditions: { ready } }));
  return { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata, addressType: 'IPv4', ports, endpoints } as KubeObject;
}

function lookupOf(...objects: readonly KubeObject[]): Lookup {
  const of = (type: ResourceType, namespace: string): KubeObject[] =>
    objects.filter(({ kind, metadata }) => kind === type.kind && metadata.namespace === namespace);
  const lookup: Pick<Lookup, 'find' | 'list'> = {
    find: (type, name, namespace = '') =>
      Promise.resolve(of(type as ResourceType, namespace).find((o) => o.metadata.name === name) as never),
    list: (type, namespace = '') => of(type as ResourceType, namespace) as never,
  };
  return lookup as Lookup;
}

const https = [{ name: 'https', port: 443 }];

describe('serviceAddress', () => {
  const ref = (name: string, port = 443): { namespace: string; name: string; port: number } => ({ namespace: 'default', name, port });

  for (const [title, spec, wanted] of [
    ['dials a Service at its cluster IP', { clusterIP: '10.96.0.7', ports: https }, { host: '10.96.0.7', port: 443 }],
    [
      'dials a Service of type NodePort at its cluster IP',
      { type: 'NodePort', clusterIP: '10.96.0.8', ports: https },
      { host: '10.96.0.8', port: 443 },
    ],
    [
      'dials one of type ExternalName by that name',
      { type: 'ExternalName', externalName: 'hooks.example.com' },
      { host: 'hooks.example.com', port: 443 },
    ],
  ] as const)
    test(title, async () => assert.deepEqual(await serviceAddress(lookupOf(service('web', spec)), ref('web')), wanted));

  test('dials one without a cluster IP at a ready endpoint of the port of that name', async () => {
    const lookup = lookupOf(
      service('web', { clusterIP: 'None', ports: [{ name: 'metrics', port: 80 }, ...https], ipFamilies: ['IPv4'] }),
      slice('web', ['10.244.0.9'], false),
      slice('web', ['10.244.0.5'], true, [
        { name: 'metrics', port: 8080 },
        { name: 'https', port: 8443 },
      ]),
      slice('other', ['10.244.0.6']),
    );
    assert.deepEqual(await serviceAddress(lookup, ref('web')), { host: '10.244.0.5', port: 8443 });
  });

  test('dials the API server itself at an endpoint', async () => {
    const lookup = lookupOf(
      service('kubernetes', { clusterIP: '10.96.0.1', ports: https }),
      slice('kubernetes', ['192.0.2.1'], true, [{ name: 'https', port: 6443 }]),
    );
    assert.deepEqual(await serviceAddress(lookup, ref('kubernetes')), { host: '192.0.2.1', port: 6443 });
  });

  for (const [title, objects, port, message, hint] of [
    ['there is none of its name', [], 443, /"default\/web": service "web" not found$/, /Make the Service/],
    [
      'it has no such port',
      [service('web', { clusterIP: '10.96.0.7', ports: https })],
      8443,
      /no service port 8443 found for service "web"$/,
      /one of 443/,
    ],
    [
      'it has no ready endpoints',
      [service('web', { clusterIP: 'None', ports: https }), slice('web', ['10.244.0.9'], false)],
      443,
      /no endpoints available for service "web"$/,
      /describe service web/,
    ],
  ] as const)
    test(`says that ${title}, and what to do`, async () => {
      await assert.rejects(serviceAddress(lookupOf(...objects), ref('web', port)), { code: 'SERVICE_UNREACHABLE', message, hint });
    });
});

describe('ServiceClient', () => {
  let pki: TestPki;
  let server: Server;
  const sockets = new Set<Socket>();
  const client = new ServiceClient(lookupOf(service('web', { type: 'ExternalName', externalName: '127.0.0.1' })));
  let hangUp = false;

  before(async () => {
    pki = await TestPki.create();
    const pem = await issueCertificate(pki.authority, { commonName: 'web', dnsNames: ['web.default.svc'], usages: ['server'] }, Date.now());
    server = createServer({ cert: pem.certPem, key: pem.keyPem });
    server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    });
    server.on('request', (req: IncomingMessage, res) => {
      if (hangUp) {
        hangUp = false;
        req.socket.destroy();
      } else if (req.url !== '/silent') req.pipe(res.writeHead(200, { 'x-host': req.headers.host }));
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
  });

  after(async () => {
    client.close();
    for (const socket of sockets) socket.destroy();
    await once(server.close(), 'close');
  });

  const destination = (ca: string): Promise<Destination> =>
    client.destination({ namespace: 'default', name: 'web', port: (server.address() as AddressInfo).port }, { ca });
  const post = (text: string, path = '/'): ClientRequest => ({ method: 'POST', path, body: Buffer.from(text), repeatable: true });
  const forever = new AbortController().signal;

  test('reaches a Service under the name that its certificate is for, and keeps the connection', async () => {
    const to = await destination(pki.ca);
    for (const text of ['one', 'two']) {
      const answer = await client.request(to, post(text), forever);
      assert.equal(answer.headers['x-host'], `web.default.svc:${to.port}`);
      assert.equal((await boundedBody(answer, 10)).toString(), text);
    }
    assert.equal(sockets.size, 1);
  });

  test('sends a request again whose kept connection ended', async () => {
    const to = await destination(pki.ca);
    await boundedBody(await client.request(to, post('one'), forever), 10);
    hangUp = true;
    assert.equal((await boundedBody(await client.request(to, post('two'), forever), 10)).toString(), 'two');
  });

  test('reads no more of an answer than it may', async () => {
    const answer = await client.request(await destination(pki.ca), post('x'.repeat(11)), forever);
    await assert.rejects(boundedBody(answer, 10), /more than 10 bytes/);
  });

  test('does not wait longer than its signal', async () => {
    const late = client.request(await destination(pki.ca), post('', '/silent'), AbortSignal.timeout(20));
    await assert.rejects(late, {
      code: 'SERVICE_UNREACHABLE',
      message: /^Cannot reach service "default\/web" at 127\.0\.0\.1:\d+: .*timeout/,
    });
  });

  test('trusts no other authority, and says whose certificate it expects', async () => {
    const strange = await destination((await TestPki.create()).ca);
    await assert.rejects(client.request(strange, post(''), forever), { code: 'SERVICE_UNREACHABLE', hint: /for "web\.default\.svc"/ });
    await assert.rejects(client.connect(strange), { code: 'SERVICE_UNREACHABLE', hint: /for "web\.default\.svc"/ });
  });

  test('opens connections of their own', async () => {
    const socket = await client.connect(await destination(pki.ca));
    assert.equal(socket.authorized, true);
    socket.destroy();
  });
});
