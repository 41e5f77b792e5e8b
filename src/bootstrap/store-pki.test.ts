import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ensureStoreMemberPki, ensureStorePki } from './store-pki.ts';

describe('the certificates of a store', () => {
  let dir = '';
  const at = (path: string): string => join(dir, path);
  const read = async (path: string): Promise<X509Certificate> => new X509Certificate(await readFile(at(path)));
  const make = async (): Promise<void> => {
    const shared = { pkiDir: at('pki'), store: 'etcd', now: Date.now() };
    await ensureStorePki(shared);
    await ensureStoreMemberPki({ ...shared, dir: at('node'), member: 'control-plane-2', addresses: ['192.0.2.12'] });
  };
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'store-pki-'));
    await make();
  });
  after(() => rm(dir, { recursive: true }));

  test('are of one authority, under the names of kubeadm', async () => {
    const ca = await read('pki/etcd/ca.crt');
    for (const path of ['pki/apiserver-etcd-client.crt', 'node/etcd.crt']) assert.ok((await read(path)).verify(ca.publicKey), path);
  });

  test('let a member serve and be a client of the others, by its addresses', async () => {
    const member = await read('node/etcd.crt');
    for (const ip of ['127.0.0.1', '192.0.2.12']) assert.equal(member.checkIP(ip), ip);
    assert.equal(member.checkHost('control-plane-2'), 'control-plane-2');
    // serverAuth and clientAuth (RFC 5280, 4.2.1.12).
    assert.deepEqual(member.keyUsage?.toSorted(), ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
    assert.deepEqual((await read('pki/apiserver-etcd-client.crt')).keyUsage, ['1.3.6.1.5.5.7.3.2']);
  });

  test('stay when they are there, and their keys are for their owner only', async () => {
    const before = await readFile(at('node/etcd.crt'), 'utf8');
    await make();
    assert.equal(await readFile(at('node/etcd.crt'), 'utf8'), before);
    for (const path of ['pki/etcd/ca.key', 'pki/apiserver-etcd-client.key', 'node/etcd.key'])
      assert.equal((await stat(at(path))).mode & 0o777, 0o600, path);
  });
});
