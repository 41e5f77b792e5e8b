/** provision/secrets.rb: what machines share, and what becomes of a file that a power cut has left empty. */
import assert from 'node:assert/strict';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { systemExec } from '../../src/linux/exec.ts';

const lab = join(import.meta.dirname, '../../vagrant');
const hasRuby = (await systemExec.run('sh', ['-c', 'command -v ruby'])).code === 0;
const script = `
require 'json'
require File.join(ARGV[0], 'provision/secrets')
begin
  s = Secrets.new(ARGV[1])
  puts JSON.generate({ token: s.token, key: s.key, certificate: s.certificate, hash: s.hash, certificate_key: s.certificate_key,
                       redis: s.redis_password, **s.etcd_member('one', '192.0.2.1'), **s.etcd_client })
rescue Secrets::Wrong => e
  puts JSON.generate(wrong: e.message)
end`;

describe('the secrets of the lab of vagrant/', { skip: !hasRuby && 'ruby is not installed' }, () => {
  let dir = '';
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'fairlead-secrets-'));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  async function read(): Promise<Readonly<Record<string, string>>> {
    const { stdout, stderr } = await systemExec.run('ruby', ['-e', script, lab, dir]);
    assert.equal(stderr, '');
    return JSON.parse(stdout) as Record<string, string>;
  }

  test('are made once', async () => {
    const made = await read();
    assert.deepEqual(await read(), made);
    assert.ok(Object.values(made).every((text) => text.length > 20));
    const publicKey = new X509Certificate(made.certificate ?? '').publicKey.export({ type: 'spki', format: 'der' });
    assert.equal(made.hash, `sha256:${createHash('sha256').update(publicKey).digest('hex')}`);
  });

  /** An empty file, and which of the secrets may be others then. */
  const anew = {
    token: ['token'],
    'ca.crt': ['certificate'],
    'certificate-key': ['certificate_key'],
    'redis-password': ['redis'],
    'etcd-ca.crt': ['ETCD_CA'],
    // Read where something is to be signed, and all is.
    'etcd-ca.key': [],
    'etcd-one.key': ['ETCD_CERT', 'ETCD_KEY'],
    'etcd-one.crt': ['ETCD_CERT'],
    'apiserver-etcd-client.key': ['ETCD_CLIENT_CERT', 'ETCD_CLIENT_KEY'],
    'apiserver-etcd-client.crt': ['ETCD_CLIENT_CERT'],
  } as const;
  for (const [file, others] of Object.entries(anew))
    test(`are what they were where ${file} is empty, but for ${others.join(', ') || 'none'}`, async () => {
      const made = await read();
      truncateSync(join(dir, file));
      const now = await read();
      assert.deepEqual(
        Object.keys(made).filter((name) => now[name] !== made[name]),
        others,
      );
      assert.ok(Object.values(now).every((text) => (text?.length ?? 0) > 20));
      const authority = new X509Certificate(now.ETCD_CA ?? '');
      for (const pem of [now.ETCD_CERT, now.ETCD_CLIENT_CERT]) assert.ok(new X509Certificate(pem ?? '').verify(authority.publicKey));
    });

  test('are made anew where all of them are empty, and no cluster has begun', async () => {
    const made = await read();
    for (const name of readdirSync(dir)) truncateSync(join(dir, name));
    const now = await read();
    assert.deepEqual(
      Object.keys(made).filter((name) => now[name] === made[name] || now[name] === ''),
      [],
    );
    assert.ok(new X509Certificate(now.ETCD_CERT ?? '').verify(new X509Certificate(now.ETCD_CA ?? '').publicKey));
  });

  test('are refused without the key of an authority that machines know, and say where another copy is', async () => {
    await read();
    const key = readFileSync(join(dir, 'ca.key'), 'utf8');
    truncateSync(join(dir, 'ca.key'));
    const wrong = `${dir}/ca.key is empty, as after a power cut: put the key back that was in it (/etc/kubernetes/pki/ca.key of a control plane), or "vagrant destroy" and delete ${dir}`;
    assert.deepEqual(await read(), { wrong });
    assert.equal(readFileSync(join(dir, 'ca.key'), 'utf8'), '');
    truncateSync(join(dir, 'ca.crt'));
    writeFileSync(join(dir, 'begun'), '');
    assert.deepEqual(await read(), { wrong });
    writeFileSync(join(dir, 'ca.key'), key);
    assert.equal((await read()).key, key);
  });

  test('leave no drafts behind', async () => {
    await read();
    truncateSync(join(dir, 'token'));
    await read();
    assert.deepEqual(
      readdirSync(dir).filter((name) => /\.\d+$/.test(name)),
      [],
    );
  });
});
