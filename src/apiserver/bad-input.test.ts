import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { connect } from 'node:tls';
import { type Reply, TestServer } from './testing/test-server.ts';

const maps = '/api/v1/namespaces/default/configmaps';
const pods = '/api/v1/namespaces/default/pods';

describe('bad input', () => {
  let s: TestServer;
  before(async () => {
    s = await TestServer.start();
  });
  after(() => s.stop());

  const cases: readonly (readonly [
    what: string,
    method: string,
    path: string,
    body: object | string | undefined,
    type: string | undefined,
    status: number,
    message: RegExp,
  ])[] = [
    ['a body that is no JSON', 'POST', maps, '{"a":', undefined, 400, /couldn't get version\/kind/],
    ['a body that is a list', 'POST', maps, '[]', undefined, 400, /no JSON object/],
    ['no body', 'POST', maps, undefined, undefined, 400, /unrecognized/],
    ['protobuf that is none', 'POST', maps, randomBytes(64).toString('latin1'), 'application/vnd.kubernetes.protobuf', 400, /unrecognized/],
    ['a format that is not known', 'POST', maps, 'x', 'text/plain', 415, /accepted media types/],
    [
      'another kind',
      'POST',
      maps,
      { kind: 'Pod', apiVersion: 'v1', metadata: { name: 'a' } },
      undefined,
      400,
      /the kind in the data \(Pod\)/,
    ],
    [
      'another version',
      'POST',
      maps,
      { kind: 'ConfigMap', apiVersion: 'v2', metadata: { name: 'a' } },
      undefined,
      400,
      /API version in the data \(v2\)/,
    ],
    ['metadata of a wrong type', 'POST', maps, { metadata: 'x' }, undefined, 400, /cannot unmarshal string/],
    ['a value of a wrong type', 'POST', maps, { metadata: { name: 'a' }, data: { x: 1 } }, undefined, 400, /cannot unmarshal number/],
    ['no name', 'POST', maps, { metadata: {} }, undefined, 422, /name or generateName is required/],
    ['a bad name', 'POST', maps, { metadata: { name: 'A_b' } }, undefined, 422, /lowercase RFC 1123 subdomain/],
    [
      'another namespace',
      'POST',
      maps,
      { metadata: { name: 'a', namespace: 'other' } },
      undefined,
      400,
      /namespace of the provided object does not match/,
    ],
    [
      'a missing namespace',
      'POST',
      '/api/v1/namespaces/nowhere/configmaps',
      { metadata: { name: 'a' } },
      undefined,
      404,
      /namespaces "nowhere" not found/,
    ],
    [
      'an unknown field',
      'POST',
      `${maps}?fieldValidation=Strict`,
      { metadata: { name: 'a' }, dta: {} },
      undefined,
      400,
      /unknown field "dta"/,
    ],
    [
      'a field that is none before one that stands twice',
      'POST',
      `${maps}?fieldValidation=Strict`,
      '{"metadata":{"name":"a"},"dta":{},"data":{},"data":{}}',
      undefined,
      400,
      /strict decoding error: unknown field "dta", duplicate field "data"$/,
    ],
    [
      'a field twice',
      'POST',
      `${maps}?fieldValidation=Strict`,
      '{"metadata":{"name":"a"},"data":{},"data":{}}',
      undefined,
      400,
      /duplicate field "data"/,
    ],
    [
      'a pod without an account',
      'POST',
      pods,
      { metadata: { name: 'a' }, spec: { serviceAccountName: 'no', containers: [{ name: 'c', image: 'i' }] } },
      undefined,
      403,
      /serviceaccount "no" not found/,
    ],
    ['a path that is none', 'GET', '/api/v1/namespaces/default/things', undefined, undefined, 404, /could not find the requested resource/],
    ['a slash in a name', 'GET', `${maps}/a%2Fb`, undefined, undefined, 400, /may not contain '\/'/],
    ['a namespaced name without its namespace', 'GET', '/api/v1/configmaps/default%2Fa', undefined, undefined, 404, /could not find/],
    ['a broken escape', 'GET', '/api/v1/namespaces/%E0%A4%A/pods', undefined, undefined, 400, /escape|url|URI/i],
    ['a selector that is none', 'GET', `${maps}?labelSelector=a%20b%20c`, undefined, undefined, 400, /requirement|selector/i],
    ['a token that is none', 'GET', `${maps}?continue=xyz&limit=1`, undefined, undefined, 400, /continue key is not valid/],
    ['a PUT of all there is', 'PUT', maps, {}, undefined, 405, /does not allow this method/],
    ['a PATCH of all there is', 'PATCH', maps, {}, 'application/merge-patch+json', 405, /does not allow this method/],
    ['a DELETE across all namespaces', 'DELETE', '/api/v1/configmaps', undefined, undefined, 405, /does not allow this method/],
    ['a POST to no namespace', 'POST', '/api/v1/configmaps', { metadata: { name: 'x' } }, undefined, 405, /does not allow this method/],
    ...['/version', '/api', '/api/v1', '/apis/apps/v1', '/openid/v1/jwks'].map(
      (path) => [`a POST to ${path}`, 'POST', path, {}, undefined, 405, /does not allow this method/] as const,
    ),
    ['a number that is none', 'GET', `${maps}?limit=ten`, undefined, undefined, 400, /invalid syntax/],
    ['a resourceVersion that is none', 'GET', `${maps}?resourceVersion=abc`, undefined, undefined, 400, /resourceVersion/],
    [
      'sendInitialEvents without a match',
      'GET',
      `${maps}?watch=1&sendInitialEvents=true`,
      undefined,
      undefined,
      422,
      /^ListOptions\.meta\.k8s\.io "" is invalid: resourceVersionMatch: Forbidden: .*NotOlderThan$/,
    ],
    ['exec without an upgrade', 'POST', `${pods}/x/exec`, undefined, undefined, 400, /Upgrade request required/],
    [
      'a deletion policy that is none',
      'DELETE',
      `${maps}/x?propagationPolicy=No`,
      undefined,
      undefined,
      422,
      /^DeleteOptions\.meta\.k8s\.io "" is invalid: propagationPolicy: Unsupported value: "No": supported values: "Foreground", "Background", "Orphan", "nil"$/,
    ],
    [
      'two deletion policies',
      'DELETE',
      `${maps}/x?propagationPolicy=Orphan&orphanDependents=true`,
      undefined,
      undefined,
      422,
      /cannot be both set/,
    ],
    [
      'a grace period below none',
      'DELETE',
      `${maps}/x?gracePeriodSeconds=-2`,
      undefined,
      undefined,
      422,
      /gracePeriodSeconds: Invalid value: -2: must be greater/,
    ],
    [
      'a dry run that is none',
      'DELETE',
      `${maps}/x?dryRun=Some`,
      undefined,
      undefined,
      422,
      /^DeleteOptions\.meta\.k8s\.io "" is invalid: dryRun: Unsupported value: \["Some"\]: supported values: "All"$/,
    ],
    [
      'a field validation that is none',
      'POST',
      `${maps}?fieldValidation=No`,
      {},
      undefined,
      422,
      /^CreateOptions\..*fieldValidation: Unsupported value: "No": supported values: "", "Ignore", "Strict", "Warn"$/,
    ],
  ];
  for (const [what, method, path, body, type, status, message] of cases) {
    test(`refuses ${what}`, async () => {
      const reply = await s.call(method, path, body, type ? { type } : {});
      assert.equal(reply.status, status, reply.text);
      assert.equal(reply.body.kind, 'Status');
      assert.match(reply.body.message, message);
    });
  }

  test('tells of keys that stand twice in YAML, of which the last one holds', async () => {
    const yaml = (name: string): string => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata:\n  a: "1"\n  a: "2"\n`;
    const create = (validation: string): Promise<Reply> =>
      s.call('POST', `${maps}?fieldValidation=${validation}`, yaml(validation.toLowerCase()), { type: 'application/yaml' });
    const told = '299 - "line 6: key \\"a\\" already set in map"';
    const [warned, ignored, refused] = [await create('Warn'), await create('Ignore'), await create('Strict')];
    assert.deepEqual([warned.status, warned.body.data, warned.headers.warning], [201, { a: '2' }, told]);
    assert.deepEqual([ignored.status, ignored.body.data, ignored.headers.warning], [201, { a: '2' }, undefined]);
    assert.deepEqual([refused.status, refused.body.reason], [400, 'BadRequest']);
    assert.match(refused.body.message, /strict decoding error: yaml: unmarshal errors:\n {2}line 6: key "a" already set in map$/);
    const apply = (validation: string): Promise<Reply> =>
      s.call('PATCH', `${maps}/applied?fieldManager=x&fieldValidation=${validation}`, yaml('applied'), {
        type: 'application/apply-patch+yaml',
      });
    const applied = await apply('Warn');
    assert.deepEqual([applied.status, applied.body.data, applied.headers.warning], [201, { a: '2' }, told]);
    assert.match((await apply('Strict')).body.message, /^error strict decoding YAML: .*\n {2}line 6: key "a" already set in map$/s);
  });

  test('has no answer to HEAD where there are objects or what is said of them, and one for who only looks whether it lives', async () => {
    await s.call('POST', maps, { metadata: { name: 'headed' } });
    const heads = async (...paths: string[]): Promise<unknown> =>
      Promise.all(paths.map(async (path) => (await s.call('HEAD', path)).status));
    const lives = ['/healthz', '/livez', '/readyz', '/metrics', '/', '/apis', '/apis/apps', '/openapi/v2', '/openapi/v3'];
    assert.deepEqual(
      await heads(...lives),
      lives.map(() => 200),
    );
    const objects = [maps, `${maps}/headed`, `${maps}/none`, '/api/v1/nodes', '/api/v1/pods', '/api/v1/namespaces/default/pods/x/log'];
    const documents = ['/version', '/api', '/api/v1', '/apis/apps/v1', '/openid/v1/jwks', '/.well-known/openid-configuration'];
    assert.deepEqual(
      await heads(...objects, ...documents),
      [...objects, ...documents].map(() => 405),
    );
    assert.equal((await s.call('GET', `${maps}/headed`)).status, 200);
  });

  test('warns of unknown fields unless told otherwise', async () => {
    const { status, headers } = await s.call('POST', maps, { metadata: { name: 'warned' }, dta: {} });
    assert.equal(status, 201);
    assert.equal(headers.warning, '299 - "unknown field \\"dta\\""');
    const ignored = await s.call('POST', `${maps}?fieldValidation=Ignore`, { metadata: { name: 'ignored' }, dta: {} });
    assert.equal(ignored.headers.warning, undefined);
    assert.equal(ignored.body.dta, undefined);
  });

  test('warns of what is deprecated: a resource whatever one asks of it, a field when it is written', async () => {
    await s.call('POST', '/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'default' } });
    const old = '299 - "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"';
    const path = '/api/v1/namespaces/default/endpoints';
    const type = 'application/merge-patch+json';
    assert.equal((await s.call('GET', path)).headers.warning, old);
    assert.equal((await s.call('POST', path, { metadata: { name: 'old' } })).headers.warning, old);
    assert.equal((await s.call('PATCH', `${path}/old`, { metadata: { labels: { a: 'b' } } }, { type })).headers.warning, old);
    const spec = { nodeSelector: { 'beta.kubernetes.io/os': 'linux' }, containers: [{ name: 'a', image: 'b' }] };
    const made = await s.call('POST', pods, { metadata: { name: 'warned' }, spec });
    const text = 'spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use \\"kubernetes.io/os\\" instead';
    assert.equal(made.headers.warning, `299 - "${text}"`, made.text);
    const labelled = await s.call('PATCH', `${pods}/warned`, { metadata: { labels: { a: 'b' } } }, { type });
    assert.deepEqual([labelled.status, labelled.headers.warning], [200, undefined]);
  });

  test('tells of two wrongs the one that upstream tells', async () => {
    await s.call('POST', maps, { metadata: { name: 'order' } });
    const type = 'application/merge-patch+json';
    const labels = { '-': 'x' };
    const answers = [
      await s.call('POST', maps, { metadata: { name: 'order', labels } }),
      await s.call('POST', maps, { metadata: { name: 'new', resourceVersion: '1', labels } }),
      await s.call('PUT', `${maps}/order`, { metadata: { name: 'order', resourceVersion: '1', labels } }),
      await s.call('PUT', `${maps}/order`, { metadata: { name: 'order', uid: 'other', labels } }),
      await s.call('PATCH', `${maps}/order`, { metadata: { uid: 'other', labels } }, { type }),
      await s.call('PATCH', `${maps}/order`, { metadata: { resourceVersion: '1', labels } }, { type }),
    ];
    assert.deepEqual(
      answers.map(({ status }) => status),
      [422, 422, 409, 409, 422, 409],
    );
  });

  test('takes an owner that stands twice for one, and says so', async () => {
    const owner = { apiVersion: 'v1', kind: 'ConfigMap', name: 'o', uid: 'u' };
    const { status, body, headers } = await s.call('POST', maps, { metadata: { name: 'owned', ownerReferences: [owner, { ...owner }] } });
    assert.deepEqual([status, body.metadata.ownerReferences], [201, [owner]]);
    assert.match(headers.warning as string, /contains duplicate entries; .* duplicate UID\(s\) observed: u"$/);
  });

  test('names the version of what it cannot read, and not the group', async () => {
    const given = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'a' }, spec: 'x' };
    const { body } = await s.call('POST', '/apis/apps/v1/namespaces/default/deployments', given);
    assert.match(body.message, /^Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal string/);
  });

  test('refuses a body over 3 MiB and goes on serving', async () => {
    const body = { metadata: { name: 'big' }, data: { x: 'x'.repeat(3 << 20) } };
    const reply = await s.call('POST', maps, body);
    assert.equal(reply.status, 413);
    assert.match(reply.body.message, /limit is 3145728/);
    assert.equal((await s.call('GET', '/readyz')).text, 'ok');
  });

  test('survives deep nesting, prototypes and noise', async () => {
    const deep = `{"metadata":{"name":"deep","annotations":${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}}}`;
    for (const body of [
      deep,
      '{"__proto__":{"x":1},"metadata":{"name":"p","__proto__":{"y":1},"labels":{"__proto__":"z"}}}',
      '{"constructor":{"prototype":1}}',
    ]) {
      const { status } = await s.call('POST', maps, body);
      assert.ok(status < 500, `${status}`);
    }
    assert.equal(({} as { x?: unknown }).x, undefined);
    await new Promise<void>((resolve) => {
      const socket = connect({ port: s.server.address.port, host: '127.0.0.1', rejectUnauthorized: false }, () =>
        socket.write(randomBytes(4096)),
      );
      socket.on('error', () => {}).resume();
      socket.on('close', () => resolve());
    });
    assert.equal((await s.call('GET', '/livez')).text, 'ok');
  });

  test('stops a patch that copies itself large, and YAML that refers itself large', async () => {
    await s.call('POST', maps, { metadata: { name: 'bomb' }, data: { x: 'y' } });
    const ops: object[] = [{ op: 'add', path: '/z', value: { d: 'y'.repeat(1000) } }];
    for (let i = 0; i < 40; i++) ops.push({ op: 'copy', from: '/z', path: `/z/k${i}` });
    const reply = await s.call('PATCH', `${maps}/bomb`, ops, { type: 'application/json-patch+json' });
    assert.equal(reply.status, 422);
    assert.match(reply.body.message, /the accumulated size increase of copy is \d+, exceeding the limit/);
    const lines = [...'bcdefgh'].map((c, i) => `${c}: &${c} [${Array(9).fill(`*${'abcdefg'[i]}`).join(',')}]`);
    const yaml = await s.call('POST', maps, ['a: &a [x,x,x,x,x,x,x,x,x]', ...lines].join('\n'), { type: 'application/yaml' });
    assert.equal(yaml.status, 400);
    assert.match(yaml.body.message, /resource exhaustion/);
  });

  test('warns of no more than a client reads', async () => {
    const ports = Array.from({ length: 3000 }, () => ({ containerPort: 80 }));
    const pod = { metadata: { name: 'loud' }, spec: { containers: [{ name: 'c', image: 'c', ports }] } };
    const { status, headers } = await s.call('POST', '/api/v1/namespaces/default/pods?dryRun=All', pod);
    assert.equal(status, 201);
    assert.match(headers.warning as string, /^299 - "spec\.containers\[0\]\.ports\[1\]: duplicate port definition with /);
    assert.equal((headers.warning as string).split('299 - ').length - 1, 50);
  });

  test('lets no object grow by patches to what no body may be', async () => {
    const path = `${maps}/grown`;
    await s.call('POST', maps, { metadata: { name: 'grown' } });
    const grow = (from: number): object => ({ data: Object.fromEntries(Array.from({ length: 26_000 }, (_, i) => [`k${from + i}`, ''])) });
    assert.equal((await s.call('PATCH', path, grow(0), { type: 'application/merge-patch+json' })).status, 200);
    const { status, body } = await s.call('PATCH', path, grow(26_000), { type: 'application/merge-patch+json' });
    assert.deepEqual([status, body.message], [413, 'ConfigMap "grown" has too many values: more than 50000']);
    await s.call('DELETE', path);
  });

  test('reads no namespace with the rights of another', async () => {
    const rbac = '/apis/rbac.authorization.k8s.io/v1';
    await s.call('POST', '/api/v1/namespaces', { metadata: { name: 'mine' } });
    await s.call('POST', '/api/v1/namespaces', { metadata: { name: 'yours' } });
    const subjects = [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'owner' }];
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' };
    await s.call('POST', `${rbac}/namespaces/mine/rolebindings`, { metadata: { name: 'owner' }, roleRef, subjects });
    const agent = s.agent(await s.pki.client('owner'));
    const ask = async (method: string, path: string): Promise<number> => (await s.call(method, path, undefined, { agent })).status;
    assert.equal(await ask('GET', '/api/v1/namespaces/mine'), 200);
    assert.equal(await ask('GET', '/api/v1/namespaces/mine/namespaces/yours'), 404);
    assert.equal(await ask('GET', '/api/v1/namespaces/mine/namespaces'), 404);
    assert.equal(await ask('DELETE', '/api/v1/namespaces/mine/namespaces/yours'), 404);
    assert.equal(await ask('GET', '/api/v1/namespaces/mine/nodes'), 404);
    assert.equal((await s.call('GET', '/api/v1/namespaces/yours')).body.status.phase, 'Active');
  });

  const many = (of: (i: number) => unknown, n = 20_000): unknown[] => Array.from({ length: n }, (_, i) => of(i));
  const large: readonly (readonly [what: string, type: string, body: () => string])[] = [
    [
      'ten thousand moves of a large value',
      'application/json-patch+json',
      () =>
        JSON.stringify([
          { op: 'add', path: '/metadata/x', value: many((i) => `a/${i}`) },
          ...many((i) => ({ op: 'move', from: `/metadata/${i % 2 ? 'y' : 'x'}`, path: `/metadata/${i % 2 ? 'x' : 'y'}` }), 9990),
        ]),
    ],
    [
      'a merge of many entries',
      'application/strategic-merge-patch+json',
      () => JSON.stringify({ metadata: { ownerReferences: many((i) => ({ uid: `u${i}` }), 60_000) } }),
    ],
  ];
  for (const [what, type, body] of large) {
    test(`does not keep everybody waiting for ${what}`, async () => {
      await s.call('POST', maps, { metadata: { name: 'large' } });
      const before = process.cpuUsage();
      const { status } = await s.call('PATCH', `${maps}/large`, body(), { type });
      assert.ok(status < 500, `${status}`);
      const { user } = process.cpuUsage(before);
      assert.ok(user < 5_000_000, `it took ${user / 1e6} s of processor time`);
    });
  }

  test('asks for credentials everywhere but on the health paths', async () => {
    const agent = s.agent();
    assert.equal((await s.call('GET', maps, undefined, { agent })).status, 401);
    assert.equal((await s.call('GET', '/api', undefined, { agent })).status, 401);
    assert.equal((await s.call('GET', '/healthz', undefined, { agent })).status, 200);
    assert.equal((await s.call('GET', '/version', undefined, { agent })).status, 200);
    const jane = s.agent(await s.pki.client('jane'));
    const denied = await s.call('GET', maps, undefined, { agent: jane });
    assert.equal(denied.status, 403);
    assert.equal(
      denied.body.message,
      'configmaps is forbidden: User "jane" cannot list resource "configmaps" in API group "" in the namespace "default"',
    );
  });
});
