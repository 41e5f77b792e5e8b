/** The certificates of a control plane that `ensureClusterPki` made: found, told, renewed. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ensureClusterPki } from '../../bootstrap/pki.ts';
import { loadKubeconfig } from '../../client/kubeconfig.ts';
import { createAuthority } from '../../x509/authority.ts';
import { type FoundCertificate, findCertificates } from './certs.ts';
import { checkCertificates } from './check.ts';
import { renewCertificates } from './renew.ts';

const day = 86_400_000;
const now = Date.parse('2026-06-01T00:00:00Z');

describe('the certificates of a machine', () => {
  let root: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'fairlead-certs-'));
    await ensureClusterPki({
      dir: join(root, 'pki'),
      kubeconfigDir: root,
      cluster: 'kubernetes',
      server: 'https://192.0.2.10:6443',
      addresses: ['192.0.2.10'],
      names: ['api.example'],
      serviceAddress: '10.96.0.1',
      clusterDomain: 'cluster.local',
      now: now - 300 * day,
    });
    const other = await createAuthority('system:node:n1', now);
    await mkdir(join(root, 'kubelet'));
    await writeFile(join(root, 'kubelet', 'kubelet-client-current.pem'), other.certPem + other.keyPem);
    await writeFile(join(root, 'token.conf'), JSON.stringify({ users: [{ name: 'a', user: { token: 'x' } }] }));
  });
  after(() => rm(root, { recursive: true }));

  const find = (): Promise<FoundCertificate[]> =>
    findCertificates({ pkiDir: join(root, 'pki'), kubeconfigDir: root, certDir: join(root, 'kubelet') });
  const renew = (...names: readonly string[]): ReturnType<typeof renewCertificates> =>
    find().then((found) => renewCertificates(found, names, { pkiDir: join(root, 'pki'), now }));
  const pem = (file: string): Promise<string> => readFile(join(root, file), 'utf8');

  test('are found by the names that kubeadm gives them', async () => {
    const found = (await find()).map(({ name, kind }) => `${kind} ${name}`);
    assert.deepEqual(found.toSorted(), [
      'authority ca',
      'authority front-proxy-ca',
      'authority kubelet-client-current',
      'certificate apiserver',
      'certificate apiserver-kubelet-client',
      'certificate front-proxy-client',
      'kubeconfig admin.conf',
      'kubeconfig cloud-controller-manager.conf',
      'kubeconfig controller-manager.conf',
      'kubeconfig scheduler.conf',
      'kubeconfig super-admin.conf',
    ]);
  });

  test('are renewed by their authority: subject, names and usages stay, the key is a new one', async () => {
    const before = new X509Certificate(await pem('pki/apiserver.crt'));
    const { renewed, left } = await renew('apiserver');
    assert.deepEqual([renewed.map(({ name }) => name), left], [['apiserver'], []]);
    const after = new X509Certificate(await pem('pki/apiserver.crt'));
    assert.ok(after.checkPrivateKey(createPrivateKey(await pem('pki/apiserver.key'))));
    assert.ok(after.verify(new X509Certificate(await pem('pki/ca.crt')).publicKey));
    for (const field of ['subject', 'subjectAltName', 'issuer'] as const) assert.equal(after[field], before[field]);
    assert.deepEqual(after.keyUsage, before.keyUsage);
    assert.notEqual(after.serialNumber, before.serialNumber);
    const life = (one: X509Certificate): number => one.validToDate.getTime() - one.validFromDate.getTime();
    assert.equal(life(after), life(before));
    assert.equal(after.validFromDate.getTime(), now - 3_600_000);
    assert.equal((await stat(join(root, 'pki/apiserver.key'))).mode & 0o777, 0o600);
  });

  test('in a kubeconfig are renewed, and all else of it stays', async () => {
    const before = JSON.parse(await pem('admin.conf'));
    await renew('admin.conf');
    const after = JSON.parse(await pem('admin.conf'));
    assert.deepEqual(
      [after.clusters, after.contexts, after['current-context']],
      [before.clusters, before.contexts, before['current-context']],
    );
    const { cert = '', key = '' } = await loadKubeconfig(join(root, 'admin.conf'));
    const leaf = new X509Certificate(cert);
    assert.ok(leaf.checkPrivateKey(createPrivateKey(key)));
    assert.match(leaf.subject, /O=kubeadm:cluster-admins/);
  });

  test('are all renewed without a name, but for authorities and what a kubelet rotates', async () => {
    const { renewed, left } = await renew();
    assert.deepEqual(renewed.map(({ name }) => name).toSorted(), [
      'admin.conf',
      'apiserver',
      'apiserver-kubelet-client',
      'cloud-controller-manager.conf',
      'controller-manager.conf',
      'front-proxy-client',
      'scheduler.conf',
      'super-admin.conf',
    ]);
    assert.deepEqual(
      left.map(({ name }) => name),
      ['ca', 'front-proxy-ca', 'kubelet-client-current'],
    );
  });

  test('that spell their authority as it does not itself are told, and renewed', async () => {
    const [ours, dirs] = [await pem('pki/ca.crt'), { pkiDir: join(root, 'pki'), kubeconfigDir: root, certDir: join(root, 'kubelet') }];
    const flawed = async (): Promise<string[]> => (await find()).flatMap(({ name, flaw }) => (flaw === undefined ? [] : [name]));
    assert.deepEqual(await flawed(), []);
    // The same name as a UTF8String, and the same key, as somebody makes it who brings an authority of his own.
    execFileSync('openssl', ['req', '-x509', '-new', '-key', 'ca.key', '-subj', '/CN=kubernetes', '-out', 'ca.crt'], { cwd: dirs.pkiDir });
    assert.equal((await flawed()).length, 7);
    assert.deepEqual(
      new Set(
        (await find()).flatMap(({ kind, name, issuer }) => (kind === 'authority' || name === 'front-proxy-client' ? [] : [issuer?.name])),
      ),
      new Set(['ca']),
    );
    const { text, isGood } = await checkCertificates(dirs, 'text');
    assert.ok(!isGood);
    assert.match(text, /^apiserver +it spells .* "kubernetes" .*: fairlead certs renew apiserver +<invalid>/m);
    await rename(join(dirs.pkiDir, 'ca.key'), join(root, 'kept-elsewhere'));
    const { text: without } = await checkCertificates(dirs, 'text');
    assert.match(
      without,
      /^apiserver +it spells .*: bring another .*\/apiserver\.crt from where the key of its authority is kept +<invalid>/m,
    );
    assert.doesNotMatch(without, /certs renew/);
    await rename(join(root, 'kept-elsewhere'), join(dirs.pkiDir, 'ca.key'));
    await renew();
    assert.deepEqual(await flawed(), []);
    await writeFile(join(dirs.pkiDir, 'ca.crt'), ours);
    await renew();
  });

  test('that are not there, or cannot be renewed, are named', async () => {
    await assert.rejects(renew('etcd-server'), { code: 'USAGE', message: /there is no such certificate/ });
    await assert.rejects(renew('ca'), { code: 'BAD_CONFIG', message: /it is an authority/ });
    await rm(join(root, 'pki', 'ca.key'));
    await assert.rejects(renew('apiserver'), /the key of the authority that signed it is not in/);
  });

  test('that cannot be read are told with the reason', async () => {
    await writeFile(join(root, 'pki', 'broken.crt'), 'nonsense');
    const broken = (await find()).find(({ name }) => name === 'broken');
    assert.ok(broken?.problem);
    assert.equal(broken.leaf, undefined);
  });
});
