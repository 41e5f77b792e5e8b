import assert from 'node:assert/strict';
import fs from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createAuthority } from '../../x509/authority.ts';
import { CertificateStore } from './certificate-store.ts';
import type { IssuedCertificate } from './request-certificate.ts';

const now = Date.parse('2026-01-02T03:04:05.678Z');

describe('the store of certificates', () => {
  let dir: string;
  let pair: IssuedCertificate;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'fairlead-certificates-'));
    pair = await createAuthority('one', now);
  });
  after(() => rm(dir, { recursive: true }));

  test('keeps pairs by their time and says by a link which is current, for its owner alone', async () => {
    const store = new CertificateStore(join(dir, 'pki'), 'kubelet-client');
    assert.equal(await store.current(), undefined);
    await store.update(pair, now);
    const next = await store.update(await createAuthority('two', now), now + 1000);
    assert.equal(next.leaf.subject, 'CN=two');
    assert.deepEqual((await readdir(join(dir, 'pki'))).toSorted(), [
      'kubelet-client-2026-01-02-03-04-05.pem',
      'kubelet-client-2026-01-02-03-04-06.pem',
      'kubelet-client-current.pem',
    ]);
    assert.equal(store.currentPath, join(dir, 'pki', 'kubelet-client-current.pem'));
    assert.equal(await readlink(store.currentPath), join(dir, 'pki', 'kubelet-client-2026-01-02-03-04-06.pem'));
    assert.equal((await stat(store.currentPath)).mode & 0o777, 0o600);
    assert.equal((await store.current())?.pem, next.pem);
    assert.match(
      await readFile(store.currentPath, 'utf8'),
      /^-----BEGIN CERTIFICATE-----\n[^-]*-----END CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n/,
    );
  });

  test('keeps a pair where the file system does not sync folders, and tells of one that fails to', async (t) => {
    let code = 'EINVAL';
    const spy = t.mock.method(fs, 'fsyncSync', () => {
      throw Object.assign(new Error(code), { code });
    });
    syncBuiltinESMExports();
    try {
      const store = new CertificateStore(join(dir, 'unsynced'), 'kubelet-client');
      await store.update(pair, now);
      assert.equal((await store.current())?.leaf.subject, 'CN=one');
      assert.equal(spy.mock.callCount(), 2, 'the folder, and the one above, as it is new');
      code = 'EIO';
      await assert.rejects(store.update(pair, now + 1000), { code });
    } finally {
      spy.mock.restore();
      syncBuiltinESMExports();
    }
  });

  test('keeps the pair that it has when a new one does not fit, and goes on after a half-made change', async () => {
    const store = new CertificateStore(join(dir, 'half'), 'kubelet-server');
    await store.update(pair, now);
    const other = await createAuthority('two', now);
    await assert.rejects(store.update({ certPem: other.certPem, keyPem: pair.keyPem }, now + 1000), /the key does not fit the certificate/);
    await symlink('/nowhere', join(dir, 'half', 'kubelet-server-updated.pem'));
    assert.equal((await store.current())?.leaf.subject, 'CN=one');
    await store.update(other, now + 2000);
    assert.equal((await store.current())?.leaf.subject, 'CN=two');
  });

  test('names the file that holds no pair', async () => {
    await mkdir(join(dir, 'bad'));
    await writeFile(join(dir, 'bad', 'a-current.pem'), 'x');
    await assert.rejects(new CertificateStore(join(dir, 'bad'), 'a').current(), { code: 'BAD_CONFIG', message: /a-current\.pem/ });
  });
});
