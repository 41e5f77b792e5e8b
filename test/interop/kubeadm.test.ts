/**
 * The `join` of kubeadm, and the bootstrap of the kubelet of Kubernetes, against what `fairlead init` puts into a cluster. Both see files of their own:
 * in a mount namespace where what they write below /etc and /var/lib is kept in memory.
 */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, readlink, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { certificateSigningRequests, secrets } from '../../src/api/resource-types.ts';
import { ensureClusterPki } from '../../src/bootstrap/pki.ts';
import { ensureStorePki } from '../../src/bootstrap/store-pki.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { planCluster } from '../../src/setup/config/cluster-plan.ts';
import { readDocuments } from '../../src/setup/config/documents.ts';
import { etcdUrl } from '../../src/setup/config/shared-store.ts';
import { newCertificateKey } from '../../src/setup/control-plane/certificate-key.ts';
import { keysObject, keysRoles, sealKeys, sharedFiles } from '../../src/setup/control-plane/shared-keys.ts';
import { clusterInfoObject } from '../../src/setup/discovery/cluster-info.ts';
import { publicKeyHash } from '../../src/setup/discovery/public-key-hash.ts';
import { ensureObjects } from '../../src/setup/init/ensure-objects.ts';
import { joinRoles } from '../../src/setup/init/roles.ts';
import { settingsObjects } from '../../src/setup/settings/settings.ts';
import { newToken, tokenSecret } from '../../src/setup/token/token.ts';
import { ControlPlane } from '../control-plane/testing/control-plane.ts';
import { findProgram, lacksProgram } from './testing/programs.ts';

const token = { id: 'abcdef', secret: '0123456789abcdef' };
const controllers = [
  'certificatesigningrequest-signing-controller',
  'certificatesigningrequest-approving-controller',
  'bootstrap-signer-controller',
];
const pki = '/etc/kubernetes/pki';
/** Of an etcd that nobody asks: the files that reach it are among those that travel. */
const external = {
  endpoints: ['https://192.0.2.1:2379'],
  caFile: `${pki}/etcd/ca.crt`,
  certFile: `${pki}/apiserver-etcd-client.crt`,
  keyFile: `${pki}/apiserver-etcd-client.key`,
};
const skip = process.getuid?.() === 0 ? lacksProgram('kubeadm', 'kubelet') : 'needs root';

describe('a machine that joins by kubeadm', { skip }, () => {
  let cp: ControlPlane;
  let dir: string;
  let endpoint: string;
  let runtime: string;
  /** A container runtime that says nothing: a kubelet waits for it when it has begun to ask for its certificate, and does nothing to the machine. */
  const silent = createServer();

  before(async () => {
    cp = await ControlPlane.start({ controllers, nodes: 0, scheduler: false, kubelet: false });
    dir = await mkdtemp(join(tmpdir(), 'fairlead-kubeadm-'));
    runtime = join(dir, 'runtime.sock');
    silent.listen(runtime);
    await once(silent, 'listening');
    const { server, ca: caPem = '' } = cp.client.transport.config;
    endpoint = new URL(server).host;
    // Without a version in the settings kubeadm asks the internet for one.
    const { stdout } = await promisify(execFile)(findProgram('kubeadm') ?? '', ['version', '-o', 'short']);
    const plan = planCluster({}, { cluster: { kubernetesVersion: stdout.trim(), controlPlaneEndpoint: endpoint, etcd: { external } } }, [
      '127.0.0.1',
    ]);
    await ensureObjects(cp.client, [
      ...joinRoles(),
      ...settingsObjects(plan),
      clusterInfoObject({ server, caPem }),
      tokenSecret({ token }),
    ]);
    await eventually('cluster-info to be signed', async () => {
      const text = await cp.client.raw('GET', '/api/v1/namespaces/kube-public/configmaps/cluster-info');
      assert.match(text, /jws-kubeconfig-abcdef/);
    });
  });
  after(async () => {
    silent.close();
    await cp.stop();
    await rm(dir, { recursive: true });
  });

  /** Lines of a shell as the machine: its /etc and /var/lib are those of this one with what it has written over them, which `dir` keeps. */
  function machine(script: string): string[] {
    const overlays = ['etc', 'var/lib'].map(
      (path) =>
        `mkdir -p up/${path} work/${path}; mount -t overlay overlay -o lowerdir=/${path},upperdir=up/${path},workdir=work/${path} /${path}`,
    );
    const memory = `mount --make-rprivate /; mkdir -p ${dir}/memory; mount -t tmpfs tmpfs ${dir}/memory; cd ${dir}/memory`;
    return ['--mount', '--', 'sh', '-ec', [memory, ...overlays, script].join('\n')];
  }
  const keep = (): string => `cp -r up/etc up/var ${dir}/`;

  test('is shown whom to trust, and gets the settings of all nodes', async () => {
    const { ca = '' } = cp.client.transport.config;
    const kubeadm = [
      findProgram('kubeadm'),
      `join ${endpoint} --token ${token.id}.${token.secret} --discovery-token-ca-cert-hash ${publicKeyHash(ca)}`,
      `--node-name n1 --cri-socket unix://${runtime} --skip-phases preflight,kubelet-wait-bootstrap`,
    ].join(' ');
    const { stdout, stderr } = await promisify(execFile)('unshare', machine(`${kubeadm}\n${keep()}`)).catch(
      (err: Error & { stdout: string; stderr: string }) => {
        throw new Error(`${err.message}\n${err.stdout}`);
      },
    );
    assert.match(stdout, /This node has joined the cluster/, stderr);
    const kubernetes = join(dir, 'etc/kubernetes');
    assert.equal(await readFile(join(kubernetes, 'pki/ca.crt'), 'utf8'), ca);
    assert.match(await readFile(join(kubernetes, 'bootstrap-kubelet.conf'), 'utf8'), /token: abcdef\.0123456789abcdef/);
    const config = await readFile(join(dir, 'var/lib/kubelet/config.yaml'), 'utf8');
    assert.match(config, /clusterDNS:\n- 10\.96\.0\.10\n/);
    assert.match(config, /rotateCertificates: true/);
  });

  test('writes configuration files that are taken as they are', async () => {
    for (const name of ['init', 'join']) {
      const { stdout } = await promisify(execFile)(findProgram('kubeadm') ?? '', ['config', 'print', `${name}-defaults`]);
      assert.equal(
        readDocuments(stdout)[name as 'init' | 'join']?.nodeRegistration?.criSocket,
        'unix:///var/run/containerd/containerd.sock',
      );
    }
  });

  test('is given the keys of a control plane, each file as it is on the first', async () => {
    const pkiDir = join(dir, 'first');
    const now = Date.now();
    const names = { addresses: ['127.0.0.1'], names: ['first'], serviceAddress: '10.96.0.1', clusterDomain: 'cluster.local' };
    await ensureClusterPki({ ...names, dir: pkiDir, cluster: 'kubernetes', server: 'https://127.0.0.1:6443', now });
    await ensureStorePki({ pkiDir, store: 'etcd', now });
    const files = Object.entries(sharedFiles(etcdUrl(external)));
    const contents: Record<string, string> = {};
    for (const [name, path] of files) contents[name] = await readFile(path.replace(pki, pkiDir), 'utf8');
    const owner = await cp.client.create(secrets, tokenSecret({ token: newToken(), expires: now + 3_600_000, usages: [], groups: [] }));
    const key = newCertificateKey();
    await ensureObjects(cp.client, [...keysRoles(), keysObject(sealKeys({ store: etcdUrl(external), contents }, key), owner)]);

    const download = (by: string): string =>
      `rm -rf ${pki}; ${findProgram('kubeadm')} join phase control-plane-prepare download-certs ${endpoint} --control-plane --certificate-key ${by} ` +
      `--token ${token.id}.${token.secret} --discovery-token-ca-cert-hash ${publicKeyHash(cp.client.transport.config.ca ?? '')}`;
    await promisify(execFile)('unshare', machine(`${download(key)}\ncp -r ${pki} ${dir}/downloaded`));
    for (const [name, path] of files)
      assert.equal(await readFile(path.replace(pki, join(dir, 'downloaded')), 'utf8'), contents[name], name);
    await assert.rejects(
      promisify(execFile)('unshare', machine(download(newCertificateKey()))),
      /download-certs: .*message authentication failed/,
    );
  });

  test('is refused with the hash of another authority', async () => {
    const hash = `sha256:${'0'.repeat(64)}`;
    const kubeadm = `${findProgram('kubeadm')} join ${endpoint} --token ${token.id}.${token.secret} --discovery-token-ca-cert-hash ${hash} --node-name n2 --skip-phases preflight`;
    await assert.rejects(
      promisify(execFile)('unshare', machine(`timeout 20 ${kubeadm}`)),
      (err: Error & { stdout: string; stderr: string }) => {
        assert.match(err.stderr + err.stdout, /none of the public keys "sha256:[0-9a-f]{64}" are pinned|public key/);
        return true;
      },
    );
  });

  test('starts the kubelet of Kubernetes, which gets its client certificate by the token', async () => {
    const kubelet = [
      `cp -r ${dir}/etc/kubernetes /etc/; cp -r ${dir}/var/lib/kubelet /var/lib/`,
      // What the machine of a test may have, and a kubelet else refuses.
      'printf "failCgroupV1: false\\nfailSwapOn: false\\n" >>/var/lib/kubelet/config.yaml',
      `${findProgram('kubelet')} --config=/var/lib/kubelet/config.yaml --bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf` +
        ` --kubeconfig=/etc/kubernetes/kubelet.conf --hostname-override=n1 --root-dir=/var/lib/kubelet &`,
      `for i in $(seq 100); do [ -e /var/lib/kubelet/pki/kubelet-client-current.pem ] && break; sleep 0.1; done`,
      `kill $! || true`,
      keep(),
    ].join('\n');
    const child = spawn('unshare', machine(kubelet), { stdio: ['ignore', 'ignore', 'pipe'] });
    let log = '';
    child.stderr.on('data', (chunk) => {
      log += chunk;
    });
    await new Promise((resolve) => child.on('close', resolve));
    const path = join(dir, 'var/lib/kubelet/pki/kubelet-client-current.pem');
    const { items } = await cp.client.list(certificateSigningRequests);
    const request = items.find(({ spec }) => spec.username === 'system:bootstrap:abcdef');
    assert.deepEqual(
      request?.status?.conditions?.map(({ type, message }) => `${type} ${message}`),
      ['Approved Auto approving kubelet client certificate after SubjectAccessReview.'],
    );
    const leaf = new X509Certificate(Buffer.from(request?.status?.certificate ?? '', 'base64'));
    assert.equal(leaf.subject, 'O=system:nodes\nCN=system:node:n1', log);
    // As the machine sees it.
    assert.match(await readlink(path), /^\/var\/lib\/kubelet\/pki\/kubelet-client-\d/, log);
  });
});
