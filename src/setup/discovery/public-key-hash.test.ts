import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { before, describe, test } from 'node:test';
import { createAuthority, type KeyPair } from '../../x509/authority.ts';
import { certificatesOf } from '../../x509/chain.ts';
import { parseHash, pinned, publicKeyHash } from './public-key-hash.ts';

describe('publicKeyHash()', () => {
  let [one, two]: KeyPair[] = [];
  before(async () => {
    [one, two] = [await createAuthority('one', Date.now()), await createAuthority('two', Date.now())];
  });

  test("is what kubeadm's documentation tells to compute with openssl", () => {
    const key = execFileSync('openssl', ['x509', '-pubkey'], { input: one?.certPem });
    const der = execFileSync('openssl', ['pkey', '-pubin', '-outform', 'der'], { input: key });
    const hash = execFileSync('openssl', ['dgst', '-sha256', '-hex'], { input: der, encoding: 'utf8' });
    assert.equal(publicKeyHash(one?.certPem ?? ''), `sha256:${hash.trim().split(' ').at(-1)}`);
  });

  test('finds the pinned certificate of a bundle, and no other', () => {
    const bundle = `${one?.certPem}${two?.certPem}`;
    assert.equal(certificatesOf(bundle).length, 2);
    assert.deepEqual(pinned(bundle, [publicKeyHash(two?.certPem ?? '')]), [two?.certPem.trim()]);
    assert.deepEqual(pinned(bundle, [`sha256:${'0'.repeat(64)}`]), []);
  });
});

test('parseHash() takes either case, and only SHA-256', () => {
  const hash = `sha256:${'ab'.repeat(32)}`;
  assert.equal(parseHash(hash.toUpperCase()), hash);
  for (const text of ['', 'ab'.repeat(32), `sha1:${'ab'.repeat(20)}`, `${hash}0`, ` ${hash}`])
    assert.throws(() => parseHash(text), { code: 'USAGE' });
});
