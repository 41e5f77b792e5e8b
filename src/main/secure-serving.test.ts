import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent, get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { TestPki } from '../apiserver/testing/test-pki.ts';
import { TestServer } from '../apiserver/testing/test-server.ts';
import { isKnownError } from '../errors/known-error.ts';
import { issueCertificate } from '../x509/authority.ts';
import { FlagReader } from './flag-reader.ts';
import { secureServingFlags } from './parts-command.ts';
import { secureServingOf } from './secure-serving.ts';

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly issuer: string;
}

function ask(
  port: number,
  path: string,
  options: { readonly token?: string; readonly cert?: string; readonly key?: string } = {},
): Promise<Answer> {
  const { token, ...pem } = options;
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const agent = new Agent({ rejectUnauthorized: false, keepAlive: false, ...pem });
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path, headers, agent }, (response) => {
      const issuer = String((response.socket as import('node:tls').TLSSocket).getPeerCertificate().issuer.CN);
      let text = '';
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text, issuer }));
    }).on('error', reject);
  });
}

/** Pages of a part beside an API server that says who may read them. */
async function scene(t: TestContext, flags: Readonly<Record<string, string>> = {}) {
  const server = await TestServer.start();
  const dir = await mkdtemp(join(tmpdir(), 'fairlead-pages-'));
  t.after(async () => {
    await server.stop();
    await rm(dir, { recursive: true });
  });
  const { certPem, keyPem } = await issueCertificate(
    server.pki.authority,
    { commonName: 'system:kube-scheduler', organizations: [], usages: ['client'] },
    Date.now(),
  );
  const data = (text: string): string => Buffer.from(text).toString('base64');
  const kubeconfig = join(dir, 'scheduler.conf');
  const user = { 'client-certificate-data': data(certPem), 'client-key-data': data(keyPem) };
  const cluster = { server: server.url, 'certificate-authority-data': data(server.pki.ca) };
  await writeFile(
    kubeconfig,
    JSON.stringify({
      ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'c' },
      clusters: [{ name: 'c', cluster }],
      users: [{ name: 'u', user }],
      contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
    }),
  );
  const presets = Object.fromEntries(Object.entries(secureServingFlags('0')).map(([name, flag]) => [name, flag.default]));
  // Port 0 says "none" in the flag, so a free one is found first.
  const free = await import('node:net').then(({ createServer }) => {
    const socket = createServer().listen(0, '127.0.0.1');
    return new Promise<number>((resolve) =>
      socket.on('listening', () => {
        const { port } = socket.address() as { port: number };
        socket.close(() => resolve(port));
      }),
    );
  });
  const serving = await secureServingOf(
    new FlagReader({ ...presets, 'secure-port': String(free), 'bind-address': '127.0.0.1', kubeconfig, ...flags }),
  );
  let problem: string | undefined;
  const pages = await serving?.serve({
    health: () => new Map([['scheduler', problem]]),
    leads: () => new Map([['kube-scheduler', true]]),
    gauges: () => [],
  });
  t.after(() => pages?.close());
  return {
    server,
    dir,
    port: pages?.port ?? 0,
    fail: (why: string) => {
      problem = why;
    },
  };
}

test("pages for probes are everybody's, and say what is wrong", async (t) => {
  const { port, fail } = await scene(t);
  for (const path of ['/healthz', '/livez', '/readyz']) {
    const { status, text } = await ask(port, path);
    assert.deepEqual([path, status, text], [path, 200, 'ok']);
  }
  fail('it leads by a Lease that has run out');
  const { status, text } = await ask(port, '/healthz');
  assert.equal(status, 500);
  assert.match(text, /^\[-\]scheduler failed: it leads by a Lease that has run out/);
});

test('/metrics is for those whom the API server knows and allows', async (t) => {
  const { server, port } = await scene(t);
  assert.equal((await ask(port, '/metrics')).status, 403);
  assert.equal((await ask(port, '/metrics', { token: 'no.such.token' })).status, 401);
  await server.call('POST', '/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'prometheus' } });
  const { body } = await server.call('POST', '/api/v1/namespaces/default/serviceaccounts/prometheus/token', { spec: {} });
  const { token } = body.status;
  const denied = await ask(port, '/metrics', { token });
  assert.equal(denied.status, 403);
  assert.match(denied.text, /User "system:serviceaccount:default:prometheus" cannot get path "\/metrics"/);
  const rbac = '/apis/rbac.authorization.k8s.io/v1';
  await server.call('POST', `${rbac}/clusterroles`, {
    metadata: { name: 'scrapes' },
    rules: [{ nonResourceURLs: ['/metrics'], verbs: ['get'] }],
  });
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'scrapes' };
  const subjects = [{ kind: 'ServiceAccount', namespace: 'default', name: 'prometheus' }];
  await server.call('POST', `${rbac}/clusterrolebindings`, { metadata: { name: 'scrapes' }, roleRef, subjects });
  const allowed = await ask(port, '/metrics', { token });
  assert.equal(allowed.status, 200, allowed.text);
  assert.match(allowed.text, /^leader_election_master_status\{name="kube-scheduler"\} 1$/m);
});

test('a client certificate counts when its authority was named', async (t) => {
  const pki = await TestPki.create();
  const dir = await mkdtemp(join(tmpdir(), 'fairlead-pages-ca-'));
  t.after(() => rm(dir, { recursive: true }));
  await writeFile(join(dir, 'ca.crt'), pki.ca);
  const { port } = await scene(t, { 'client-ca-file': join(dir, 'ca.crt') });
  assert.equal((await ask(port, '/metrics', await pki.client('root', 'system:masters'))).status, 200);
  const stranger = await TestPki.create();
  assert.equal((await ask(port, '/metrics', await stranger.client('root', 'system:masters'))).status, 403);
});

test('a certificate and its key go together, and files must be there', async () => {
  const presets = { 'secure-port': '10259', 'bind-address': '' };
  const given = (flags: Record<string, string>): Promise<unknown> => secureServingOf(new FlagReader({ ...presets, ...flags }));
  await assert.rejects(given({ 'tls-cert-file': import.meta.filename }), (err) => isKnownError(err, 'USAGE'));
  await assert.rejects(given({ 'client-ca-file': '/no/such/file' }), /Cannot read --client-ca-file="\/no\/such\/file"/);
  assert.equal(await given({ 'secure-port': '0' }), undefined);
});
