import assert from 'node:assert/strict';
import { createDecipheriv } from 'node:crypto';
import { test } from 'node:test';
import { newCertificateKey, parseCertificateKey, seal, unseal } from './certificate-key.ts';

const key = '0123456789abcdef'.repeat(4);

test('what is sealed with a key is unsealed with it alone, and only as it was', () => {
  const sealed = seal(key, 'ÄÖ\n');
  assert.equal(unseal(key, sealed), 'ÄÖ\n');
  assert.equal(unseal(`f${key.slice(1)}`, sealed), undefined);
  for (let i = 0; i < sealed.length; i++) {
    const changed = Buffer.from(sealed);
    changed[i] = (changed[i] ?? 0) ^ 1;
    assert.equal(unseal(key, changed), undefined, `byte ${i}`);
  }
  for (const length of [0, 12, 27]) assert.equal(unseal(key, sealed.subarray(0, length)), undefined);
  assert.equal(unseal(key, seal(key, '')), '');
});

test("seal() writes as Go's cipher.AEAD does: nonce, ciphertext, tag; never twice the same", () => {
  const sealed = seal(key, 'text');
  assert.equal(sealed.length, 12 + 4 + 16);
  const decipher = createDecipheriv('aes-256-gcm', Buffer.from(key, 'hex'), sealed.subarray(0, 12));
  decipher.setAuthTag(sealed.subarray(16));
  assert.equal(Buffer.concat([decipher.update(sealed.subarray(12, 16)), decipher.final()]).toString(), 'text');
  assert.notDeepEqual(seal(key, 'text'), sealed);
});

test('a key is 32 bytes in hex', () => {
  const made = newCertificateKey();
  assert.match(made, /^[0-9a-f]{64}$/);
  assert.notEqual(newCertificateKey(), made);
  assert.equal(parseCertificateKey(key.toUpperCase()), key);
  for (const wrong of ['', 'abc', `${key}0`, key.slice(1), `g${key.slice(1)}`])
    assert.throws(() => parseCertificateKey(wrong), { code: 'USAGE', message: /32 bytes in hex/ });
});
