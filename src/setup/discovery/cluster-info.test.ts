import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CompactSign } from 'jose';
import type { ConfigMap } from '../../api/schema/types.ts';
import type { Token } from '../token/token.ts';
import { clusterInfoObject, readClusterInfo, verifyClusterInfo } from './cluster-info.ts';

const token: Token = { id: 'abcdef', secret: '0123456789abcdef' };
const info = { server: 'https://192.168.56.10:6443', caPem: '-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n' };
const unsigned = clusterInfoObject(info);

/** By a library, so that both sides cannot be wrong alike. */
async function signed(by: Token, alg = 'HS256', kid = by.id): Promise<ConfigMap> {
  const payload = Buffer.from(unsigned.data?.kubeconfig ?? '');
  const jws = await new CompactSign(payload)
    .setProtectedHeader({ alg, kid })
    .sign(Buffer.from(by.secret.repeat(4)).subarray(0, alg === 'HS256' ? 16 : 64));
  const [header, , signature] = jws.split('.');
  return { ...unsigned, data: { ...unsigned.data, [`jws-kubeconfig-${token.id}`]: `${header}..${signature}` } };
}

test('what clusterInfoObject() writes, readClusterInfo() reads', () => {
  assert.deepEqual(readClusterInfo(unsigned, JSON.parse), info);
});

test('readClusterInfo() gives nothing where no cluster, server or authority is', () => {
  for (const kubeconfig of ['{}', '{"clusters":[]}', '{"clusters":[{"cluster":{"server":"https://x"}}]}', 'null'])
    assert.equal(readClusterInfo({ ...unsigned, data: { kubeconfig } }, JSON.parse), undefined);
});

describe('verifyClusterInfo() finds', () => {
  test('the signature of a token', async () => assert.equal(verifyClusterInfo(await signed(token), token), 'signed'));
  test('none for a token that nobody signed for', () => assert.equal(verifyClusterInfo(unsigned, token), 'unsigned'));
  test('none for another token', async () => assert.equal(verifyClusterInfo(await signed(token), { ...token, id: 'other0' }), 'unsigned'));
  test('none without any data', () => assert.equal(verifyClusterInfo({ ...unsigned, data: {} }, token), 'unsigned'));
  test('a forgery with another secret', async () => {
    assert.equal(verifyClusterInfo(await signed({ ...token, secret: 'fedcba9876543210' }), token), 'forged');
  });
  test('a forgery in the name of another token', async () =>
    assert.equal(verifyClusterInfo(await signed(token, 'HS256', 'other0'), token), 'forged'));
  test('a forgery with another algorithm', async () => assert.equal(verifyClusterInfo(await signed(token, 'HS512'), token), 'forged'));
  test('a forgery of the kubeconfig', async () => {
    const { data, ...rest } = await signed(token);
    assert.equal(verifyClusterInfo({ ...rest, data: { ...data, kubeconfig: `${data?.kubeconfig} ` } }, token), 'forged');
  });
  test('a forgery in a header that is none', () => {
    const data = { ...unsigned.data, [`jws-kubeconfig-${token.id}`]: 'x..eA' };
    assert.equal(verifyClusterInfo({ ...unsigned, data }, token), 'forged');
  });
  test('none where the text is within the signature: it is to be taken from beside it', async () => {
    const { data, ...rest } = await signed(token);
    const jws = (data?.[`jws-kubeconfig-${token.id}`] ?? '').replace('..', '.eA.');
    assert.equal(verifyClusterInfo({ ...rest, data: { ...data, [`jws-kubeconfig-${token.id}`]: jws } }, token), 'unsigned');
  });
});
