import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { describe, test } from 'node:test';
import { createLocalJWKSet, decodeJwt, jwtVerify, SignJWT } from 'jose';
import type { Secret, ServiceAccount } from '../../api/schema/types.ts';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { Authenticator } from './authenticator.ts';
import { FakeObjects, podOn } from './testing/fake-objects.ts';
import { TokenIssuer, type TokenIssuerOptions, type TokenSpec } from './token-issuer.ts';
import { loadTokenKeys } from './token-keys.ts';

const issuer = 'https://kubernetes.default.svc.cluster.local';
const pem = (type: 'rsa' | 'ec'): string => {
  const pair = type === 'rsa' ? generateKeyPairSync('rsa', { modulusLength: 2048 }) : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
};
const rsa = pem('rsa');
const ec = pem('ec');

const account = {
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  metadata: { name: 'web', namespace: 'default', uid: 'sa-1' },
} as ServiceAccount;

function setup(
  signing: string = rsa,
  verifying: readonly string[] = [],
  limits: Pick<TokenIssuerOptions, 'maxExpirationSeconds' | 'extendExpiration'> = {},
) {
  const clock = new FakeClock();
  const objects = new FakeObjects(structuredClone(account), podOn('n1', 'web-0', { serviceAccountName: 'web' }), {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n1', uid: 'node-1' },
  } as never);
  const options = { keys: loadTokenKeys({ signing, verifying }), issuer, audiences: [issuer], objects, clock };
  const uses: boolean[] = [];
  const authenticator = new Authenticator({ ...options, onUse: ({ stale }) => uses.push(stale) });
  const tokens = new TokenIssuer({ ...options, ...limits });
  return {
    clock,
    uses,
    objects,
    authenticator,
    tokens,
    issue: async (spec: TokenSpec = {}): Promise<string> => {
      const issued = await tokens.issue(account, spec);
      return issued.token;
    },
    user: async (token: string) =>
      await authenticator.authenticate({ path: '/api', headers: { authorization: `Bearer ${token}` }, certificate: undefined }),
  };
}

const podRef = { kind: 'Pod', apiVersion: 'v1', name: 'web-0', uid: 'uid-web-0' };

describe('ServiceAccount tokens', () => {
  for (const [name, key] of [
    ['RSA', rsa],
    ['ECDSA', ec],
  ] as const) {
    test(`signed with ${name} name the account, its groups and what they are bound to`, async () => {
      const { issue, user, clock } = setup(key);
      const who = await user(await issue({ boundObjectRef: podRef }));
      assert.equal(who?.name, 'system:serviceaccount:default:web');
      assert.equal(who.uid, 'sa-1');
      assert.deepEqual(who.groups, ['system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated']);
      assert.deepEqual(who.extra?.['authentication.kubernetes.io/pod-name'], ['web-0']);
      assert.deepEqual(who.extra?.['authentication.kubernetes.io/node-name'], ['n1']);
      assert.deepEqual(who.extra?.['authentication.kubernetes.io/node-uid'], ['node-1']);
      assert.ok(clock.now() > 0);
    });
  }

  test('end with their time', async () => {
    const { issue, user, clock } = setup();
    const token = await issue({ expirationSeconds: 600 });
    assert.ok(await user(token));
    await clock.advance(599_000);
    assert.ok(await user(token));
    await clock.advance(1_000);
    assert.equal(await user(token), undefined);
  });

  test('end with the account, also one of the same name made later', async () => {
    const { issue, user, objects } = setup();
    const token = await issue();
    objects.objects[0]!.metadata.uid = 'sa-2';
    assert.equal(await user(token), undefined);
    objects.objects.shift();
    assert.equal(await user(token), undefined);
  });

  test('end with the pod, a minute after its deletion time', async () => {
    const { issue, user, objects, clock } = setup();
    const token = await issue({ boundObjectRef: podRef });
    objects.objects[1]!.metadata.deletionTimestamp = new Date(clock.now() + 30_000).toISOString();
    await clock.advance(80_000);
    assert.ok(await user(token), 'a pod that shuts down may still talk');
    await clock.advance(20_000);
    assert.equal(await user(token), undefined);
  });

  test('are good for their audiences only', async () => {
    const { issue, user, authenticator } = setup();
    const vault = await issue({ audiences: ['vault'] });
    assert.equal(await user(vault), undefined);
    const review = await authenticator.review(vault, ['vault', 'other']);
    assert.ok(review.authenticated);
    assert.deepEqual(review.audiences, ['vault']);
    assert.equal((await authenticator.review(await issue(), ['vault'])).authenticated, false);
  });

  test('are refused when forged', async () => {
    const { issue, user } = setup();
    const token = await issue();
    const [head, body, signature] = token.split('.') as [string, string, string];
    const claims = JSON.parse(Buffer.from(body, 'base64url').toString());
    const forge = (change: object, header: object = {}): string => {
      const other = JSON.parse(Buffer.from(head, 'base64url').toString());
      return `${Buffer.from(JSON.stringify({ ...other, ...header })).toString('base64url')}.${Buffer.from(JSON.stringify({ ...claims, ...change })).toString('base64url')}.${signature}`;
    };
    assert.ok(await user(token));
    assert.equal(await user(forge({ sub: 'system:serviceaccount:kube-system:admin' })), undefined);
    assert.equal(await user(forge({}, { alg: 'none' })), undefined);
    assert.equal(await user(forge({}, { alg: 'HS256' })), undefined);
    assert.equal(await user(`${head}.${body}.`), undefined);
    assert.equal(await user('a.b.c'), undefined);
    const { issue: elsewhere } = setup(pem('rsa'));
    assert.equal(await user(await elsewhere()), undefined, 'a key that is not ours');
  });

  test('of another issuer are refused, even when our key signed them', async () => {
    const { user, clock } = setup();
    const keys = loadTokenKeys({ signing: rsa });
    const now = Math.floor(clock.now() / 1000);
    const token = await new SignJWT({ 'kubernetes.io': { namespace: 'default', serviceaccount: { name: 'web', uid: 'sa-1' } } })
      .setProtectedHeader({ alg: 'RS256', kid: keys.signing.id })
      .setIssuer('https://elsewhere')
      .setSubject('system:serviceaccount:default:web')
      .setAudience(issuer)
      .setExpirationTime(now + 600)
      .sign(keys.signing.privateKey);
    assert.equal(await user(token), undefined);
  });

  test('of a key that was rotated out of signing are still taken', async () => {
    const old = setup(rsa);
    const { user } = setup(ec, [rsa]);
    assert.ok(await user(await old.issue()));
  });

  test('are verified by anybody with the published keys', async () => {
    const { issue, tokens, clock } = setup(ec, [rsa]);
    const { payload } = await jwtVerify(await issue(), createLocalJWKSet(await tokens.jwks()), {
      issuer,
      currentDate: new Date(clock.now()),
    });
    assert.equal(payload.sub, 'system:serviceaccount:default:web');
    assert.deepEqual(tokens.openidConfiguration('https://10.96.0.1'), {
      issuer,
      jwks_uri: 'https://10.96.0.1/openid/v1/jwks',
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256', 'RS256'],
    });
  });

  const year = 365 * 24 * 3600;
  const lifetimes: [string, Parameters<typeof setup>[2], TokenSpec, { asked: number; lives: number; warning?: string }][] = [
    ['as long as is asked, without a limit', {}, { expirationSeconds: 10 * year }, { asked: 10 * year, lives: 10 * year }],
    ['an hour, when nothing is asked', {}, {}, { asked: 3600, lives: 3600 }],
    [
      'no longer than the limit, with a warning',
      { maxExpirationSeconds: 7200 },
      { expirationSeconds: 10 * year },
      { asked: 7200, lives: 7200, warning: `requested expiration of ${10 * year} seconds shortened to 7200 seconds` },
    ],
    [
      'as asked up to the limit, without a warning',
      { maxExpirationSeconds: 7200 },
      { expirationSeconds: 7200 },
      { asked: 7200, lives: 7200 },
    ],
    ['a year, as the usual token of a pod', {}, { expirationSeconds: 3607, boundObjectRef: podRef }, { asked: 3607, lives: year }],
    [
      'no longer than the limit even as the usual token of a pod',
      { maxExpirationSeconds: 7200 },
      { expirationSeconds: 3607, boundObjectRef: podRef },
      { asked: 3607, lives: 7200 },
    ],
    [
      'as asked in a pod, when nothing is to be extended',
      { extendExpiration: false },
      { expirationSeconds: 3607, boundObjectRef: podRef },
      { asked: 3607, lives: 3607 },
    ],
    [
      'as asked in a pod, for others than the API server',
      {},
      { expirationSeconds: 3607, boundObjectRef: podRef, audiences: ['vault'] },
      { asked: 3607, lives: 3607 },
    ],
    [
      'as asked in a pod, for another time than the usual one',
      {},
      { expirationSeconds: 3600, boundObjectRef: podRef },
      { asked: 3600, lives: 3600 },
    ],
    ['as asked, bound to no pod', {}, { expirationSeconds: 3607 }, { asked: 3607, lives: 3607 }],
  ];
  for (const [name, limits, spec, want] of lifetimes)
    test(`live ${name}`, async () => {
      const { tokens, clock } = setup(ec, [], limits);
      const now = Math.floor(clock.now() / 1000);
      const issued = await tokens.issue(account, spec);
      const claims = decodeJwt(issued.token);
      assert.deepEqual([issued.expirationSeconds, Date.parse(issued.expirationTimestamp) / 1000 - now], [want.asked, want.asked]);
      assert.equal((claims.exp ?? 0) - now, want.lives);
      assert.equal(issued.warning, want.warning);
      const { warnafter } = claims['kubernetes.io'] as { warnafter?: number };
      assert.equal(warnafter, want.lives > want.asked ? now + want.asked : undefined);
    });

  test('that should have been renewed are accepted and counted', async () => {
    const { issue, user, clock, uses } = setup();
    const token = await issue({ expirationSeconds: 3607, boundObjectRef: podRef });
    assert.ok(await user(token));
    await clock.advance(3_608_000);
    assert.ok(await user(token));
    await clock.advance(year * 1000);
    assert.equal(await user(token), undefined);
    assert.deepEqual(uses, [false, true]);
  });

  test('are not issued for what does not fit', async () => {
    const { tokens } = setup();
    const codes: [TokenSpec, number][] = [
      [{ expirationSeconds: 599 }, 422],
      [{ boundObjectRef: { ...podRef, name: 'none' } }, 404],
      [{ boundObjectRef: { ...podRef, uid: 'other' } }, 409],
      [{ boundObjectRef: { ...podRef, kind: 'ConfigMap' } }, 400],
    ];
    for (const [spec, code] of codes) await assert.rejects(tokens.issue(account, spec), { code });
    const other = { ...account, metadata: { ...account.metadata, name: 'other' } };
    await assert.rejects(tokens.issue(other, { boundObjectRef: podRef }), { code: 400 });
  });
});

describe('bootstrap tokens', () => {
  const data = (values: Record<string, string>): Record<string, string> =>
    Object.fromEntries(Object.entries(values).map(([key, value]) => [key, Buffer.from(value).toString('base64')]));
  const good = {
    'token-id': 'abcdef',
    'token-secret': '0123456789abcdef',
    'usage-bootstrap-authentication': 'true',
    'auth-extra-groups': 'system:bootstrappers:kubeadm:default-node-token',
  };
  async function userOf(values: Record<string, string>, token = 'abcdef.0123456789abcdef') {
    const { objects, user } = setup();
    objects.objects.push({
      apiVersion: 'v1',
      kind: 'Secret',
      type: 'bootstrap.kubernetes.io/token',
      metadata: { name: 'bootstrap-token-abcdef', namespace: 'kube-system' },
      data: data(values),
    } as Secret);
    return await user(token);
  }

  test('name a bootstrapper', async () => {
    const who = await userOf(good);
    assert.equal(who?.name, 'system:bootstrap:abcdef');
    assert.deepEqual(who.groups, ['system:bootstrappers', 'system:bootstrappers:kubeadm:default-node-token', 'system:authenticated']);
  });

  const refused: [string, Record<string, string>, string?][] = [
    ['with another secret', good, 'abcdef.0123456789abcdee'],
    ['with another id', good, 'abcdeg.0123456789abcdef'],
    ['that have expired', { ...good, expiration: '2025-12-31T00:00:00Z' }],
    ['whose expiration cannot be read', { ...good, expiration: 'tomorrow' }],
    ['that are not for authentication', { ...good, 'usage-bootstrap-authentication': 'false' }],
    ['with groups that are no bootstrappers', { ...good, 'auth-extra-groups': 'system:masters' }],
  ];
  for (const [name, values, token] of refused)
    test(`${name} are refused`, async () => assert.equal(await userOf(values, token), undefined));
});

describe('Authenticator.authenticate()', () => {
  const { authenticator } = setup();
  const ask = (path: string, headers: Record<string, string> = {}) => authenticator.authenticate({ path, headers, certificate: undefined });

  test('knows anonymous users on health and version only', async () => {
    for (const path of ['/healthz', '/livez', '/livez/ping', '/readyz', '/version'])
      assert.equal((await ask(path))?.name, 'system:anonymous', path);
    for (const path of ['/', '/api', '/apis', '/metrics', '/healthzz', '/openid/v1/jwks']) assert.equal(await ask(path), undefined, path);
  });

  test('refuses wrong credentials where none are needed', async () => {
    for (const authorization of ['Bearer wrong', 'Bearer', 'Basic YTpi', 'Bearer a b'])
      assert.equal(await ask('/healthz', { authorization }), undefined, authorization);
  });

  test('takes the certificate before a token', async () => {
    const certificate = { name: 'jane', groups: [] };
    assert.equal(await authenticator.authenticate({ path: '/api', headers: { authorization: 'Bearer wrong' }, certificate }), certificate);
  });

  test('takes a token from a WebSocket protocol', async () => {
    const { issue, authenticator } = setup();
    const protocol = `v5.channel.k8s.io, base64url.bearer.authorization.k8s.io.${Buffer.from(await issue()).toString('base64url')}`;
    const who = await authenticator.authenticate({ path: '/api', headers: { 'sec-websocket-protocol': protocol }, certificate: undefined });
    assert.equal(who?.name, 'system:serviceaccount:default:web');
  });
});
