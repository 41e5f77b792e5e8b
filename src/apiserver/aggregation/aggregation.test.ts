/** An extension API server behind ours: what it hears of who asks, what clients see of it, and what is said once it is gone. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { connect } from 'node:tls';
import { eventually } from '../../clock/testing/eventually.ts';
import { issueCertificate } from '../../x509/authority.ts';
import { TestPki } from '../testing/test-pki.ts';
import { type Json, TestServer } from '../testing/test-server.ts';

const all = '/apis/apiregistration.k8s.io/v1/apiservices';
const group = '/apis/fruit.example.com/v1';
const type = 'application/merge-patch+json';
const aggregated = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

const resources = {
  kind: 'APIResourceList',
  apiVersion: 'v1',
  groupVersion: 'fruit.example.com/v1',
  resources: [
    { name: 'apples', singularName: 'apple', namespaced: true, kind: 'Apple', verbs: ['get', 'list', 'watch'], shortNames: ['ap'] },
    { name: 'apples/status', singularName: '', namespaced: true, kind: 'Apple', verbs: ['get'] },
  ],
};

/** Serves one group to who shows the front proxy's certificate. */
class Extension {
  readonly server: Server;
  readonly heard: { readonly method: string; readonly url: string; readonly headers: IncomingMessage['headers']; readonly body: string }[] =
    [];
  readonly #sockets = new Set<Socket>();
  readonly watches = new Set<ServerResponse>();
  document: object = { openapi: '3.0.0', info: { title: 'fruit' }, paths: {} };
  /** It tells of itself, and would tell of others, too. */
  index: object | undefined = {
    paths: {
      'apis/fruit.example.com/v1': { serverRelativeURL: '/openapi/v3/apis/fruit.example.com/v1?hash=1' },
      'apis/apps/v1': { serverRelativeURL: '/openapi/v3/apis/apps/v1?hash=1' },
      'apis/other.example.com/v1': { serverRelativeURL: '/openapi/v3/apis/other.example.com/v1?hash=1' },
    },
  };

  constructor(pem: { certPem: string; keyPem: string }, frontProxyCa: string) {
    this.server = createServer({ cert: pem.certPem, key: pem.keyPem, ca: frontProxyCa, requestCert: true, rejectUnauthorized: true });
    this.server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    this.server.on('request', (req: IncomingMessage, res: ServerResponse) => void this.#answer(req, res));
    this.server.on('upgrade', (req: IncomingMessage, socket: Socket) => {
      this.#note(req, '');
      socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: echo\r\nconnection: upgrade\r\n\r\n');
      socket.pipe(socket);
    });
  }

  #note(req: IncomingMessage, body: string): void {
    const peer = (req.socket as TLSSocket).getPeerCertificate().subject?.CN;
    this.heard.push({ method: req.method ?? '', url: req.url ?? '', headers: { ...req.headers, peer: String(peer) }, body });
  }

  async #answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer);
    this.#note(req, Buffer.concat(chunks).toString());
    const send = (code: number, body: object): void =>
      void res.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    if (req.url === group) return send(200, resources);
    if (req.url === '/openapi/v3') return this.index && send(200, this.index);
    if (req.url === `/openapi/v3${group}`) return send(200, this.document);
    if (req.url?.includes('watch=')) {
      res.writeHead(200, { 'content-type': 'application/json' });
      res.write('{"type":"ADDED","object":{}}\n');
      this.watches.add(res);
      return;
    }
    if (req.url?.startsWith(`${group}/namespaces/default/apples`))
      return send(req.method === 'POST' ? 201 : 200, { kind: 'AppleList', items: [] });
    send(404, { kind: 'Status', code: 404 });
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    if (this.server.listening) await once(this.server.close(), 'close');
  }
}

describe('an APIService', () => {
  let s: TestServer;
  let pki: TestPki;
  let extension: Extension;
  let port: number;

  before(async () => {
    s = await TestServer.start();
    pki = await TestPki.create();
    const pem = await issueCertificate(
      pki.authority,
      { commonName: 'fruit', dnsNames: ['fruit.default.svc'], usages: ['server'] },
      Date.now(),
    );
    extension = new Extension(pem, s.frontProxy.ca);
    await once(extension.server.listen(0, '127.0.0.1'), 'listening');
    port = (extension.server.address() as AddressInfo).port;
    // No proxy runs here that would lead a cluster IP anywhere.
    const spec = { type: 'ExternalName', externalName: '127.0.0.1' };
    assert.equal((await s.call('POST', '/api/v1/namespaces/default/services', { metadata: { name: 'fruit' }, spec })).status, 201);
  });
  after(async () => {
    await s.stop();
    await extension.stop();
  });

  const specOf = (more: object = {}): object => ({
    ...{ group: 'fruit.example.com', version: 'v1', groupPriorityMinimum: 1000, versionPriority: 10 },
    ...{ service: { namespace: 'default', name: 'fruit', port }, caBundle: Buffer.from(pki.ca).toString('base64') },
    ...more,
  });
  const post = (name: string, spec: object): Promise<Json> => s.call('POST', all, { metadata: { name }, spec });
  const says = (name: string, reason: string): Promise<void> =>
    eventually(reason, async () => {
      const [condition] = (await s.call('GET', `${all}/${name}`)).body.status.conditions ?? [];
      assert.equal(condition?.reason, reason, JSON.stringify(condition));
    });
  const last = (): Extension['heard'][number] =>
    extension.heard.findLast(({ headers }) => !/^system:(kube-)?aggregator$/.test(String(headers['x-remote-user'])))!;

  const causes = async (spec: object, name = 'v1.fruit.example.com'): Promise<string[]> =>
    (await post(name, spec)).body.details.causes.map(({ field, message }: Json) => `${field}: ${message}`);

  test('is refused where it fits nowhere', async () => {
    assert.deepEqual(await causes(specOf(), 'v1.other'), [
      'metadata.name: Invalid value: "v1.other": must be `spec.version+"."+spec.group`: "v1.fruit.example.com"',
    ]);
    assert.deepEqual(
      await causes(
        specOf({ groupPriorityMinimum: 0, versionPriority: 1001, service: { namespace: 'default', port: 0 }, insecureSkipTLSVerify: true }),
      ),
      [
        'spec.groupPriorityMinimum: Invalid value: 0: must be positive and less than 20000',
        'spec.versionPriority: Invalid value: 1001: must be positive and less than 1000',
        'spec.service.name: Required value',
        'spec.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive',
        'spec.insecureSkipTLSVerify: Invalid value: true: may not be true if caBundle is present',
      ],
    );
  });

  test('whose Service is not there is not available, and answered with 503', async () => {
    await post('v1.fruit.example.com', specOf({ service: { namespace: 'default', name: 'none', port } }));
    await says('v1.fruit.example.com', 'ServiceNotFound');
    const { status, text } = await s.call('GET', `${group}/namespaces/default/apples`);
    assert.deepEqual([status, text], [503, 'service unavailable\n']);
    const { items } = (await s.call('GET', '/apis', undefined, { headers: { accept: aggregated } })).body;
    assert.deepEqual(items.at(-1), {
      metadata: { name: 'fruit.example.com', creationTimestamp: null },
      versions: [{ version: 'v1', freshness: 'Stale' }],
    });
  });

  test('is available once its server answers, and in all documents of discovery', async () => {
    await s.call('PATCH', `${all}/v1.fruit.example.com`, { spec: specOf() }, { type });
    await says('v1.fruit.example.com', 'Passed');
    const groups = (await s.call('GET', '/apis')).body.groups;
    const version = { groupVersion: 'fruit.example.com/v1', version: 'v1' };
    assert.deepEqual(groups.at(-1), { name: 'fruit.example.com', versions: [version], preferredVersion: version });
    assert.equal((await s.call('GET', '/apis/fruit.example.com')).body.kind, 'APIGroup');
    assert.deepEqual((await s.call('GET', group)).body, resources);
    const { items } = (await s.call('GET', '/apis', undefined, { headers: { accept: aggregated } })).body;
    const responseKind = { group: 'fruit.example.com', version: 'v1', kind: 'Apple' };
    assert.deepEqual(items.at(-1).versions, [
      {
        version: 'v1',
        resources: [
          {
            ...{
              resource: 'apples',
              responseKind,
              scope: 'Namespaced',
              singularResource: 'apple',
              verbs: ['get', 'list', 'watch'],
              shortNames: ['ap'],
            },
            subresources: [{ subresource: 'status', responseKind, verbs: ['get'] }],
          },
        ],
        freshness: 'Current',
      },
    ]);
  });

  const indexEntry = async (): Promise<string | undefined> =>
    (await s.call('GET', '/openapi/v3')).body.paths['apis/fruit.example.com/v1']?.serverRelativeURL;

  test('is in OpenAPI with the document of its server, which it has of nothing else', async () => {
    const url = await eventually('the document', async () => (await indexEntry()) ?? false);
    assert.match(String(url), /^\/openapi\/v3\/apis\/fruit\.example\.com\/v1\?hash=[0-9A-F]{64}$/);
    const { body, headers } = await s.call('GET', String(url));
    assert.deepEqual(body, extension.document);
    assert.deepEqual([headers['content-type'], headers['cache-control']], ['application/json', 'public, immutable, max-age=31536000']);
    const etag = String(headers.etag);
    assert.equal((await s.call('GET', `/openapi/v3${group}`, undefined, { headers: { 'if-none-match': etag } })).status, 304);
    const { paths } = (await s.call('GET', '/openapi/v3')).body;
    assert.equal(paths['apis/other.example.com/v1'], undefined);
    assert.notEqual(paths['apis/apps/v1'].serverRelativeURL, '/openapi/v3/apis/apps/v1?hash=1');
    const asked = extension.heard.filter(({ url }) => url.startsWith('/openapi/'));
    assert.deepEqual(
      [...new Set(asked.map(({ url, headers }) => `${headers['x-remote-user']} ${url}`))],
      ['system:aggregator /openapi/v3', `system:aggregator /openapi/v3${group}`],
    );
  });

  /** Has the server looked at. */
  const touch = async (touched: string): Promise<void> =>
    assert.equal(
      (await s.call('PATCH', '/api/v1/namespaces/default/services/fruit', { metadata: { labels: { touched } } }, { type })).status,
      200,
    );
  const fetches = (path: string): number => extension.heard.filter(({ url }) => url === path).length;

  test('has its document fetched anew once its hash is another, and kept where the server talks nonsense', async () => {
    const [indexes, documents] = [fetches('/openapi/v3'), fetches(`/openapi/v3${group}`)];
    await touch('same');
    await eventually('a look', () => fetches('/openapi/v3') > indexes);
    assert.equal(fetches(`/openapi/v3${group}`), documents);
    const before = await indexEntry();
    extension.document = { openapi: '3.0.0', info: { title: 'more fruit' }, paths: {} };
    extension.index = { paths: { 'apis/fruit.example.com/v1': { serverRelativeURL: 'https://elsewhere.example.com/?hash=2' } } };
    await touch('other');
    await eventually('the other document', async () => (await indexEntry()) !== before);
    assert.deepEqual((await s.call('GET', `/openapi/v3${group}`)).body, extension.document);
    const known = await indexEntry();
    for (const [nonsense, index] of Object.entries({
      list: [1],
      long: { paths: {}, more: 'x'.repeat(2 << 20) },
      broken: { paths: 'none' },
    })) {
      extension.index = index;
      const looks = fetches('/openapi/v3');
      await touch(nonsense);
      await eventually('a look', () => fetches('/openapi/v3') > looks);
    }
    extension.index = { paths: { 'apis/fruit.example.com/v1': { serverRelativeURL: '?hash=3' } } };
    extension.document = [1];
    const looks = fetches(`/openapi/v3${group}`);
    await touch('no-object');
    await eventually('a fetch', () => fetches(`/openapi/v3${group}`) > looks);
    assert.equal(known, await indexEntry());
  });

  test('is served and looked at while its server does not answer for its document', async () => {
    const { index } = extension;
    extension.index = undefined;
    const looks = fetches(group);
    await touch('silent');
    await eventually('a look', () => fetches(group) > looks);
    await touch('silent-still');
    await eventually('one more', () => fetches(group) > looks + 1);
    assert.equal((await s.call('GET', `${group}/namespaces/default/apples`)).status, 200);
    assert.equal((await s.call('GET', `/openapi/v3${group}`)).status, 200);
    extension.index = index;
  });

  test('hears who asks, and nothing that could be used to ask as him', async () => {
    const headers = {
      'x-remote-user': 'root',
      'x-remote-group': 'system:masters',
      cookie: 'a=b',
      'impersonate-user': 'jane',
      'impersonate-group': 'fans',
      'impersonate-extra-a%2fb': 'c',
      'x-own': '1',
    };
    assert.equal((await s.call('POST', `${group}/namespaces/default/apples?fieldManager=x`, { a: 1 }, { headers })).status, 403);
    const rbac = '/apis/rbac.authorization.k8s.io/v1';
    await s.call('POST', `${rbac}/clusterroles`, {
      metadata: { name: 'apples' },
      rules: [{ apiGroups: ['fruit.example.com'], resources: ['apples'], verbs: ['*'] }],
    });
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'apples' };
    await s.call('POST', `${rbac}/clusterrolebindings`, {
      metadata: { name: 'apples' },
      roleRef,
      subjects: [{ apiGroup: roleRef.apiGroup, kind: 'User', name: 'jane' }],
    });
    await eventually('the right', async () => {
      assert.equal((await s.call('POST', `${group}/namespaces/default/apples?fieldManager=x`, { a: 1 }, { headers })).status, 201);
    });
    const heard = last();
    assert.deepEqual(
      [heard.method, heard.url, heard.body, heard.headers.peer],
      ['POST', `${group}/namespaces/default/apples?fieldManager=x`, '{"a":1}', 'front-proxy-client'],
    );
    const remote = Object.entries(heard.headers).filter(([name]) => /^x-|authorization|cookie|impersonate/.test(name));
    assert.deepEqual(Object.fromEntries(remote), {
      ...{ 'x-remote-user': 'jane', 'x-remote-group': 'fans, system:authenticated', 'x-remote-extra-a%2fb': 'c', 'x-own': '1' },
    });
  });

  test('is asked nothing by who may not', async () => {
    const agent = s.agent(await s.pki.client('nobody'));
    assert.equal((await s.call('GET', `${group}/namespaces/default/apples`, undefined, { agent })).status, 403);
    assert.equal(
      extension.heard.some(({ headers }) => headers['x-remote-user'] === 'nobody'),
      false,
    );
  });

  test('is watched', async () => {
    const answer = await s.open('GET', `${group}/namespaces/default/apples?watch=true`);
    const [first] = (await once(answer, 'data')) as [Buffer];
    assert.equal(first.toString(), '{"type":"ADDED","object":{}}\n');
    const [watch] = extension.watches;
    const ended = once(watch!, 'close');
    answer.destroy();
    await ended;
  });

  test('is spoken to by upgraded connections, too', async () => {
    const host = '127.0.0.1';
    const { port } = s.server.address;
    const socket = connect({ host, port, ca: s.pki.ca, ...(await s.pki.client('admin', 'system:masters')) });
    await once(socket, 'secureConnect');
    socket.write(
      `GET ${group}/namespaces/default/apples/a/exec HTTP/1.1\r\nhost: x\r\nupgrade: echo\r\nconnection: upgrade\r\nx-remote-user: root\r\n\r\n`,
    );
    const [head] = (await once(socket, 'data')) as [Buffer];
    assert.match(head.toString(), /^HTTP\/1.1 101 /);
    socket.write('hello');
    const [echo] = (await once(socket, 'data')) as [Buffer];
    assert.equal(echo.toString(), 'hello');
    assert.equal(last().headers['x-remote-user'], 'admin');
    socket.destroy();
  });

  test('takes over nothing that is served here', async () => {
    await eventually('the own one', async () => (await s.call('GET', `${all}/v1.apps`)).status === 200);
    assert.equal((await s.call('PATCH', `${all}/v1.apps`, { spec: specOf({ group: 'apps' }) }, { type })).status, 200);
    assert.equal((await s.call('GET', '/apis/apps/v1/namespaces/default/deployments')).body.kind, 'DeploymentList');
    assert.equal((await s.call('GET', '/apis/apps/v1/namespaces/default/apples')).status, 404);
    const apps = (await s.call('GET', '/apis')).body.groups.filter(({ name }: Json) => name === 'apps');
    assert.deepEqual(
      apps.map(({ versions }: Json) => versions.length),
      [1],
    );
    await s.call('DELETE', `${all}/v1.apps`);
  });

  test('is shown in columns', async () => {
    const table = (await s.call('GET', all, undefined, { headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' } })).body;
    assert.deepEqual(
      table.rows.map((row: Json) => row.cells.slice(0, 3)).filter(([name]: string[]) => /fruit|batch/.test(String(name))),
      [
        ['v1.batch', 'Local', 'True'],
        ['v1.fruit.example.com', 'default/fruit', 'True'],
      ],
    );
  });

  test('whose server is gone is stale, with what it last had', async () => {
    await extension.stop();
    assert.equal((await s.call('GET', `${group}/namespaces/default/apples`)).status, 503);
    await s.call('PATCH', '/api/v1/namespaces/default/services/fruit', { metadata: { labels: { a: 'b' } } }, { type });
    await says('v1.fruit.example.com', 'FailedDiscoveryCheck');
    const { items } = (await s.call('GET', '/apis', undefined, { headers: { accept: aggregated } })).body;
    const [version] = items.at(-1).versions;
    assert.deepEqual([version.freshness, version.resources.length], ['Stale', 1]);
    assert.equal((await s.call('GET', group)).text, 'service unavailable\n');
  });

  test('that is deleted is no group any more', async () => {
    await s.call('DELETE', `${all}/v1.fruit.example.com`);
    await eventually('404', async () => assert.equal((await s.call('GET', `${group}/namespaces/default/apples`)).status, 404));
    assert.equal((await s.call('GET', '/apis/fruit.example.com')).status, 404);
  });
});
