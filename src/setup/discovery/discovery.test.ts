import assert from 'node:assert/strict';
import { once } from 'node:events';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { CompactSign } from 'jose';
import type { ConfigMap } from '../../api/schema/types.ts';
import { systemClock } from '../../clock/clock.ts';
import { type Authority, createAuthority, issueCertificate, type KeyPair } from '../../x509/authority.ts';
import { parseToken, type Token } from '../token/token.ts';
import { clusterInfoObject } from './cluster-info.ts';
import { type DiscoveryOptions, discover } from './discovery.ts';
import { publicKeyHash } from './public-key-hash.ts';

const token = parseToken('abcdef.0123456789abcdef');

async function sign(map: ConfigMap, by: Token): Promise<ConfigMap> {
  const signer = new CompactSign(Buffer.from(map.data?.kubeconfig ?? '')).setProtectedHeader({ alg: 'HS256', kid: by.id });
  const [header, , signature] = (await signer.sign(Buffer.from(by.secret))).split('.');
  return { ...map, data: { ...map.data, [`jws-kubeconfig-${by.id}`]: `${header}..${signature}` } };
}

describe('discover()', () => {
  const now = Date.now();
  let issuer: Authority;
  let authority: KeyPair;
  let other: KeyPair;
  let server: https.Server;
  let address = '';
  /** What is answered, one after the other, and the last one again and again; undefined is a 404. */
  let answers: (ConfigMap | undefined)[] = [];
  const asked: (string | undefined)[] = [];

  before(async () => {
    const made = await createAuthority('kubernetes', now);
    const pair = await issueCertificate(made, { commonName: 'server', ips: ['127.0.0.1'], usages: ['server'] }, now);
    [issuer, authority] = [made, made];
    other = await createAuthority('kubernetes', now);
    server = https.createServer({ cert: pair.certPem, key: pair.keyPem }, (request, response) => {
      asked.push(request.headers.authorization);
      const answer = answers.length > 1 ? answers.shift() : answers[0];
      response.writeHead(answer ? 200 : 404, { 'content-type': 'application/json' });
      response.end(JSON.stringify(answer ?? { kind: 'Status', message: 'configmaps "cluster-info" not found', code: 404 }));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => server.close());

  const waits: string[] = [];
  const options = (change: Partial<DiscoveryOptions> = {}): DiscoveryOptions => ({
    address,
    token,
    hashes: [publicKeyHash(authority.certPem)],
    clock: { ...systemClock, sleep: async () => {} },
    signal: new AbortController().signal,
    timeoutMs: 0,
    onWait: (why) => waits.push(why),
    ...change,
  });
  const info = (caPem = authority.certPem): ConfigMap => clusterInfoObject({ server: `https://${address}`, caPem });

  test('trusts who has signed with the token and has the key that was pinned, and tells nobody the token', async () => {
    answers = [await sign(info(), token)];
    assert.deepEqual(await discover(options()), { server: `https://${address}`, caPem: authority.certPem });
    assert.deepEqual(new Set(asked), new Set([undefined]));
  });

  test('waits while nothing is published, and while nobody has signed, and tells each reason once', async () => {
    waits.length = 0;
    answers = [undefined, undefined, info(), info(), await sign(info(), token)];
    await discover(options({ timeoutMs: 60_000 }));
    assert.equal(waits.length, 2);
    assert.match(waits[0] ?? '', /answers 404/);
    assert.match(waits[1] ?? '', /unknown there, or has expired/);
  });

  test('ends with the reason when its time is over', async () => {
    answers = [info()];
    await assert.rejects(discover(options()), { code: 'CHECK_FAILED', message: /has not signed for it/ });
    answers = [undefined];
    await assert.rejects(discover(options()), { code: 'API_UNREACHABLE', message: /answers 404/ });
    await assert.rejects(discover(options({ address: '127.0.0.1:1' })), { code: 'API_UNREACHABLE', message: /ECONNREFUSED/ });
  });

  test('refuses another key than the pinned one, at once', async () => {
    answers = [await sign(info(), token)];
    await assert.rejects(discover(options({ hashes: [publicKeyHash(other.certPem)], timeoutMs: 60_000 })), {
      message: /which is not the one/,
    });
  });

  test('refuses what was signed with another secret, at once', async () => {
    answers = [await sign(info(), { ...token, secret: 'fedcba9876543210' })];
    await assert.rejects(discover(options({ timeoutMs: 60_000 })), { message: /is not signed with the token "abcdef"/ });
  });

  test('refuses a server whose certificate is not of the authority that it tells', async () => {
    answers = [await sign(info(other.certPem), token)];
    await assert.rejects(discover(options({ hashes: [], timeoutMs: 60_000 })), { code: 'API_UNREACHABLE' });
  });

  test('refuses what is another thing when it is asked for over a checked connection', async () => {
    const changed = info(`${authority.certPem}\n`);
    answers = [await sign(info(), token), changed];
    await assert.rejects(discover(options()), { message: /is not signed with the token/ });
  });

  test('trusts any key where somebody has said so, if the token fits', async () => {
    answers = [await sign(info(), token)];
    assert.equal((await discover(options({ hashes: [] }))).caPem, authority.certPem);
  });

  test('says that clocks differ where the certificate does not hold yet', async () => {
    const pair = await issueCertificate(issuer, { commonName: 'server', ips: ['127.0.0.1'], usages: ['server'] }, now + 86_400_000);
    server.setSecureContext({ cert: pair.certPem, key: pair.keyPem });
    answers = [await sign(info(), token)];
    await assert.rejects(discover(options()), { code: 'API_UNREACHABLE', hint: /^Compare the clocks/ });
  });
});
