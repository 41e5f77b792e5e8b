import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { parse } from 'yaml';
import { type Authority, createAuthority, issueCertificate, loadAuthority } from '../x509/authority.ts';
import { certificatesOf } from '../x509/chain.ts';
import { clusterKubeconfigs, ensureClusterPki, ensureNodeCredential, ensureNodePki } from './pki.ts';

describe('pki', () => {
  let dir = '';
  const now = Date.now();
  const server = 'https://192.168.120.10:6443';
  const cluster = { dir: '', cluster: 'lab', server, addresses: ['192.168.120.10'], names: ['control-plane'], serviceAddress: '10.96.0.1' };

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'pki-'));
    await ensureClusterPki({ ...cluster, dir, clusterDomain: 'cluster.local', now });
  });
  after(() => rm(dir, { recursive: true }));

  const certificate = async (path: string): Promise<X509Certificate> => new X509Certificate(await readFile(join(dir, path)));

  test('the API server is named by its addresses and by the kubernetes Service', async () => {
    const [ca, api] = [await certificate('ca.crt'), await certificate('apiserver.crt')];
    assert.ok(api.verify(ca.publicKey));
    assert.ok(api.checkIssued(ca));
    for (const ip of ['127.0.0.1', '10.96.0.1', '192.168.120.10']) assert.equal(api.checkIP(ip), ip);
    for (const name of ['kubernetes.default.svc', 'kubernetes.default.svc.cluster.local', 'control-plane'])
      assert.equal(api.checkHost(name), name);
  });

  interface Config {
    users: { user: { 'client-certificate-data': string } }[];
    clusters: { cluster: { server: string } }[];
  }
  const config = async (path: string): Promise<Config> => parse(await readFile(join(dir, path), 'utf8')) as Config;
  const subject = async (path: string): Promise<string> => {
    const cert = path.endsWith('.crt')
      ? await certificate(path)
      : new X509Certificate(Buffer.from((await config(path)).users[0]?.user['client-certificate-data'] ?? '', 'base64'));
    return cert.subject.split('\n').toSorted().join(' ');
  };

  test('a client certificate carries its user in CN and its groups in O, and only one is past RBAC', async () => {
    assert.equal(await subject('admin.conf'), 'CN=kubernetes-admin O=kubeadm:cluster-admins');
    assert.equal(await subject('super-admin.conf'), 'CN=kubernetes-super-admin O=system:masters');
    assert.equal(await subject('apiserver-kubelet-client.crt'), 'CN=kube-apiserver-kubelet-client');
    assert.equal((await config('admin.conf')).clusters[0]?.cluster.server, server);
  });

  test('every file is readable by its owner only', async () => {
    for (const name of await readdir(dir)) assert.equal((await stat(join(dir, name))).mode & 0o777, 0o600, name);
  });

  test('a certificate is made anew for a name or an address that it lacks, and a kubeconfig for another server', async () => {
    const own = await mkdtemp(join(tmpdir(), 'pki-'));
    try {
      const options = { ...cluster, dir: own, clusterDomain: 'cluster.local', now };
      const read = async (name: string): Promise<string> => readFile(join(own, name), 'utf8');
      await ensureClusterPki(options);
      const [ca, first, admin] = [await read('ca.crt'), await read('apiserver.crt'), await read('admin.conf')];
      await ensureClusterPki({ ...options, names: [...options.names, 'cluster.example'] });
      const second = await read('apiserver.crt');
      await ensureClusterPki({ ...options, addresses: [...options.addresses, '192.168.120.9'] });
      const third = await read('apiserver.crt');
      assert.equal(new Set([first, second, third]).size, 3);
      assert.equal(new X509Certificate(third).checkIP('192.168.120.9'), '192.168.120.9');
      assert.ok(new X509Certificate(third).checkHost('cluster.example'), 'it is for those of before as well');
      const named = new X509Certificate(third).subjectAltName?.split(', ') ?? [];
      assert.deepEqual(named, [...new Set(named)], 'each of them once');
      await ensureClusterPki(options);
      assert.equal(await read('apiserver.crt'), third, 'names beside those that are wanted do no harm');
      assert.equal(await read('admin.conf'), admin);
      await ensureClusterPki({ ...options, server: 'https://cluster.example:6443' });
      assert.match(await read('admin.conf'), /https:\/\/cluster\.example:6443/);
      assert.equal(await read('ca.crt'), ca);
    } finally {
      await rm(own, { recursive: true });
    }
  });

  test('what somebody was killed over is mended: a key without its certificate, half of a pair, one half of the ServiceAccount key', async () => {
    const own = await mkdtemp(join(tmpdir(), 'pki-'));
    try {
      const options = { ...cluster, dir: own, clusterDomain: 'cluster.local', now };
      const read = async (name: string): Promise<string> => readFile(join(own, name), 'utf8');
      await ensureClusterPki(options);
      const pub = await read('sa.pub');
      await Promise.all(['sa.pub', 'front-proxy-ca.crt'].map((name) => rm(join(own, name))));
      await writeFile(join(own, 'apiserver.key'), await read('apiserver-kubelet-client.key'));
      await ensureClusterPki(options);
      assert.equal(await read('sa.pub'), pub);
      for (const name of ['front-proxy-ca', 'apiserver'])
        assert.ok(new X509Certificate(await read(`${name}.crt`)).checkPrivateKey(createPrivateKey(await read(`${name}.key`))), name);
    } finally {
      await rm(own, { recursive: true });
    }
  });

  test('an authority whose key is kept elsewhere stays, all that it has signed too, and nothing is made in its name', async () => {
    const own = await mkdtemp(join(tmpdir(), 'pki-'));
    try {
      const options = { ...cluster, dir: own, clusterDomain: 'cluster.local', now };
      const read = async (): Promise<string[]> => Promise.all((await readdir(own)).toSorted().map((n) => readFile(join(own, n), 'utf8')));
      await ensureClusterPki(options);
      // As kubeadm makes it for an external CA.
      const authority = await loadAuthority({
        certPem: await readFile(join(own, 'ca.crt'), 'utf8'),
        keyPem: await readFile(join(own, 'ca.key'), 'utf8'),
      });
      const request = {
        commonName: 'kube-apiserver-kubelet-client',
        organizations: ['kubeadm:cluster-admins'],
        usages: ['client'],
      } as const;
      const pair = await issueCertificate(authority, request, now);
      await writeFile(join(own, 'apiserver-kubelet-client.crt'), pair.certPem);
      await writeFile(join(own, 'apiserver-kubelet-client.key'), pair.keyPem);
      await rm(join(own, 'ca.key'));
      const whole = await read();
      await ensureClusterPki(options);
      assert.deepEqual(await read(), whole);
      const refused = (path: string): object => ({
        code: 'BAD_CONFIG',
        message: new RegExp(`^Cannot make ${path}.*ca\\.key`),
        hint: /fairlead reset/,
      });
      await assert.rejects(ensureClusterPki({ ...options, addresses: ['192.168.120.9'] }), refused(join(own, 'apiserver.crt')));
      await assert.rejects(ensureClusterPki({ ...options, server: 'https://elsewhere:6443' }), refused(join(own, '.*conf')));
      const node = {
        pkiDir: own,
        kubeconfig: join(own, 'kubelet.conf'),
        certDir: join(own, 'kubelet'),
        cluster: 'k',
        server,
        node: 'one',
        now,
      };
      await assert.rejects(ensureNodeCredential(node), refused(node.kubeconfig));
      assert.deepEqual(await read(), whole);
    } finally {
      await rm(own, { recursive: true });
    }
  });

  describe('what a power cut has left empty', () => {
    const fresh = async (): Promise<{
      own: string;
      options: Parameters<typeof ensureClusterPki>[0];
      read: (name: string) => Promise<string>;
    }> => {
      const own = await mkdtemp(join(tmpdir(), 'pki-'));
      const options = { ...cluster, dir: own, clusterDomain: 'cluster.local', now };
      await ensureClusterPki(options);
      return { own, options, read: async (name) => readFile(join(own, name), 'utf8') };
    };

    test('is made anew, and what the authority has signed stays good', async () => {
      const { own, options, read } = await fresh();
      try {
        const [kept, pub] = [await read('apiserver-kubelet-client.crt'), await read('sa.pub')];
        const names = ['ca.crt', 'apiserver.crt', 'apiserver.key', 'admin.conf', 'sa.pub', 'front-proxy-ca.crt', 'front-proxy-ca.key'];
        for (const name of names) await writeFile(join(own, name), '');
        await ensureClusterPki(options);
        assert.deepEqual([await read('apiserver-kubelet-client.crt'), await read('sa.pub')], [kept, pub]);
        const ca = new X509Certificate(await read('ca.crt'));
        for (const text of [kept, await read('apiserver.crt')]) assert.ok(new X509Certificate(text).checkIssued(ca));
        assert.ok(new X509Certificate(kept).verify(ca.publicKey));
        assert.match(await read('admin.conf'), /client-certificate-data/);
      } finally {
        await rm(own, { recursive: true });
      }
    });

    test('is made anew with all that hung on it, where the whole authority was', async () => {
      const { own, options, read } = await fresh();
      try {
        for (const name of ['ca.crt', 'ca.key', 'sa.key', 'sa.pub']) await writeFile(join(own, name), '');
        await ensureClusterPki(options);
        const ca = new X509Certificate(await read('ca.crt'));
        const inConfig = (JSON.parse(await read('admin.conf')) as Config).users[0]?.user['client-certificate-data'] ?? '';
        for (const text of [await read('apiserver.crt'), await read('apiserver-kubelet-client.crt'), Buffer.from(inConfig, 'base64')])
          assert.ok(new X509Certificate(text).verify(ca.publicKey));
        assert.match(await read('sa.key'), /PRIVATE KEY/);
      } finally {
        await rm(own, { recursive: true });
      }
    });

    describe('of an authority of another name', () => {
      let own = '';
      let authority: Authority;
      let options: Parameters<typeof ensureClusterPki>[0];
      const read = async (name: string): Promise<string> => readFile(join(own, name), 'utf8');
      const empty = async (...names: string[]): Promise<void> => {
        for (const name of names) await writeFile(join(own, name), '');
      };
      beforeEach(async () => {
        own = await mkdtemp(join(tmpdir(), 'pki-'));
        options = { ...cluster, dir: own, clusterDomain: 'cluster.local', now };
        authority = await createAuthority('prod-ca', now);
        await writeFile(join(own, 'ca.crt'), authority.certPem);
        await writeFile(join(own, 'ca.key'), authority.keyPem);
        await ensureClusterPki(options);
      });
      afterEach(() => rm(own, { recursive: true }));
      const requireTrust = async (): Promise<void> => {
        const ca = new X509Certificate(await read('ca.crt'));
        const inConfig = (JSON.parse(await read('admin.conf')) as Config).users[0]?.user['client-certificate-data'] ?? '';
        for (const text of [await read('apiserver.crt'), await read('apiserver-kubelet-client.crt'), Buffer.from(inConfig, 'base64')]) {
          const signed = new X509Certificate(text);
          assert.ok(signed.checkIssued(ca) && signed.verify(ca.publicKey), signed.subject);
        }
      };

      test('is taken back from a kubeconfig', async () => {
        const api = await read('apiserver.crt');
        await empty('ca.crt', 'super-admin.conf');
        await ensureClusterPki(options);
        assert.equal(await read('ca.crt'), authority.certPem);
        assert.equal(await read('apiserver.crt'), api);
        await requireTrust();
      });

      test('is taken back with those above it, its own first, also where the kubeconfig is YAML', async () => {
        const root = await createAuthority('root', now);
        const bundle = Buffer.from(root.certPem + authority.certPem).toString('base64');
        await empty('ca.crt', ...Object.keys(clusterKubeconfigs));
        await writeFile(join(own, 'kubelet.conf'), `clusters:\n- cluster:\n    certificate-authority-data: ${bundle}\n`);
        await ensureClusterPki(options);
        const [first, second] = certificatesOf(await read('ca.crt'));
        assert.deepEqual([first, second], [authority.certPem.trim(), root.certPem.trim()]);
        await requireTrust();
      });

      test('is made anew under its name where no kubeconfig has it, and what it has signed stays good', async () => {
        const api = await read('apiserver.crt');
        await empty('ca.crt', ...Object.keys(clusterKubeconfigs));
        await ensureClusterPki(options);
        assert.equal(new X509Certificate(await read('ca.crt')).subject, 'CN=prod-ca');
        assert.equal(await read('apiserver.crt'), api);
        await requireTrust();
      });

      test('is made anew with all that hung on it where its key is gone too', async () => {
        await empty('ca.crt', 'ca.key');
        await ensureClusterPki(options);
        assert.notEqual(await read('ca.key'), authority.keyPem);
        await requireTrust();
      });

      for (const [what, key] of [
        ['where neither certificate nor key is there', undefined],
        ['where the key is that of another', 'another'],
      ] as const)
        test(`is refused ${what}`, async () => {
          await rm(join(own, 'ca.crt'));
          if (key === undefined) await rm(join(own, 'ca.key'));
          else await writeFile(join(own, 'ca.key'), (await createAuthority('a', now)).keyPem);
          const names = (await readdir(own)).toSorted();
          await assert.rejects(ensureClusterPki(options), {
            code: 'BAD_CONFIG',
            message: `Cannot make ${join(own, 'ca.crt')}: certificates here are from "CN=prod-ca", and nobody would trust them any more`,
            hint: /^Put ca\.crt and its key back .* fairlead reset$/,
          });
          assert.deepEqual((await readdir(own)).toSorted(), names);
        });
    });

    for (const name of ['ca.key', 'front-proxy-ca.key', 'sa.key'])
      test(`is named where nothing brings it back: ${name}`, async () => {
        const { own, options, read } = await fresh();
        try {
          await writeFile(join(own, name), '');
          const cause = {
            code: 'BAD_CONFIG',
            message: new RegExp(`^Cannot use .*/${name}: it is empty`),
            hint: /from a backup or from another control plane/,
          };
          await assert.rejects(ensureClusterPki(options), cause);
          assert.equal(await read(name), '');
        } finally {
          await rm(own, { recursive: true });
        }
      });

    test('is no reason to fail for the certificate of a node', async () => {
      const { own, options } = await fresh();
      try {
        const node = {
          pkiDir: own,
          kubeconfig: join(own, 'kubelet.conf'),
          certDir: join(own, 'k'),
          cluster: 'k',
          server,
          node: 'one',
          now,
        };
        await ensureNodeCredential(node);
        for (const emptied of ['kubelet.conf', 'k/kubelet-client-current.pem']) {
          await writeFile(join(own, emptied), '');
          await ensureNodeCredential({ ...node, now: now + 1000 });
          assert.notEqual(await readFile(join(own, emptied), 'utf8'), '', emptied);
        }
        assert.ok(options);
      } finally {
        await rm(own, { recursive: true });
      }
    });
  });

  test('a second run changes nothing', async () => {
    const read = async (): Promise<string[]> => Promise.all((await readdir(dir)).toSorted().map((n) => readFile(join(dir, n), 'utf8')));
    const first = await read();
    await ensureClusterPki({ ...cluster, dir, clusterDomain: 'cluster.local', now });
    assert.deepEqual(await read(), first);
  });

  test('a node gets a kubeconfig per part and a serving certificate of the same authority', async () => {
    const nodeDir = join(dir, 'node');
    await ensureNodePki({ pkiDir: dir, dir: nodeDir, cluster: 'lab', server, node: 'worker-1', addresses: ['192.168.120.11'], now });
    assert.deepEqual((await readdir(nodeDir)).toSorted(), [
      'ca.crt',
      'dns.kubeconfig',
      'kubelet.crt',
      'kubelet.key',
      'kubelet.kubeconfig',
      'net-agent.kubeconfig',
      'proxy.kubeconfig',
      'speaker.kubeconfig',
    ]);
    assert.equal(await subject('node/kubelet.kubeconfig'), 'CN=system:node:worker-1 O=system:nodes');
    for (const part of ['proxy', 'net-agent', 'dns', 'speaker'])
      assert.equal(await subject(`node/${part}.kubeconfig`), `CN=system:fairlead:${part}:worker-1 O=system:fairlead:${part}`);
    const serving = await certificate('node/kubelet.crt');
    assert.ok(serving.verify((await certificate('ca.crt')).publicKey));
    assert.equal(serving.checkIP('192.168.120.11'), '192.168.120.11');
    assert.equal(serving.checkHost('worker-1'), 'worker-1');
    await rm(nodeDir, { recursive: true });
  });

  test('what was made for another user is made anew, what somebody else wrote stays', async () => {
    const nodeDir = join(dir, 'moved');
    const node = { pkiDir: dir, dir: nodeDir, cluster: 'lab', server, addresses: ['192.168.120.11'], now };
    await ensureNodePki({ ...node, node: 'worker-1' });
    await writeFile(join(nodeDir, 'dns.kubeconfig'), 'kind: Config # mine\n');
    const before = await readFile(join(nodeDir, 'proxy.kubeconfig'), 'utf8');
    await ensureNodePki({ ...node, node: 'worker-2' });
    assert.equal(await subject('moved/net-agent.kubeconfig'), 'CN=system:fairlead:net-agent:worker-2 O=system:fairlead:net-agent');
    assert.equal((await certificate('moved/kubelet.crt')).checkHost('worker-2'), 'worker-2');
    assert.notEqual(await readFile(join(nodeDir, 'proxy.kubeconfig'), 'utf8'), before);
    assert.equal(await readFile(join(nodeDir, 'dns.kubeconfig'), 'utf8'), 'kind: Config # mine\n');
    await rm(nodeDir, { recursive: true });
  });

  test('the node of a control plane has one credential, in a file that its kubelet writes anew', async () => {
    const nodeDir = join(dir, 'own');
    const [kubeconfig, certDir] = [join(nodeDir, 'kubelet.conf'), join(nodeDir, 'pki')];
    const options = { pkiDir: dir, kubeconfig, certDir, cluster: 'lab', server, node: 'one', now };
    await ensureNodeCredential(options);
    const first = await certificate('own/pki/kubelet-client-current.pem');
    assert.equal(first.subject, 'O=system:nodes\nCN=system:node:one');
    assert.ok(first.verify((await certificate('ca.crt')).publicKey));
    const { user } = parse(await readFile(kubeconfig, 'utf8')).users[0];
    assert.deepEqual(user, {
      'client-certificate': join(certDir, 'kubelet-client-current.pem'),
      'client-key': join(certDir, 'kubelet-client-current.pem'),
    });
    for (const path of [kubeconfig, join(certDir, 'kubelet-client-current.pem')]) assert.equal((await stat(path)).mode & 0o777, 0o600);
    await ensureNodeCredential(options);
    assert.equal((await certificate('own/pki/kubelet-client-current.pem')).fingerprint, first.fingerprint);
    // A command that was killed between the two.
    await rm(kubeconfig);
    await ensureNodeCredential(options);
    assert.equal(parse(await readFile(kubeconfig, 'utf8')).clusters[0].cluster.server, server);
    // A machine that was off for too long.
    const later = first.validToDate.getTime();
    await ensureNodeCredential({ ...options, now: later });
    assert.ok((await certificate('own/pki/kubelet-client-current.pem')).validToDate.getTime() > later);
    await rm(nodeDir, { recursive: true });
  });

  test('kubeconfigs go where they are wanted', async () => {
    const kubeconfigDir = join(dir, 'confs');
    await ensureClusterPki({ ...cluster, dir, kubeconfigDir, clusterDomain: 'cluster.local', now });
    assert.deepEqual((await readdir(kubeconfigDir)).toSorted(), Object.keys(clusterKubeconfigs).toSorted());
    await rm(kubeconfigDir, { recursive: true });
  });

  test('the ServiceAccount key signs what its public half verifies', async () => {
    const [priv, pub] = await Promise.all(['sa.key', 'sa.pub'].map((n) => readFile(join(dir, n), 'utf8')));
    assert.deepEqual(createPublicKey(priv ?? '').export({ format: 'jwk' }), createPublicKey(pub ?? '').export({ format: 'jwk' }));
  });
});
