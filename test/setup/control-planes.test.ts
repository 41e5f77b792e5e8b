/** Three machines become the control planes of one cluster over etcd, by init and join, as an operator would; one dies, one is taken away. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent } from 'node:https';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { clusterKubeconfigs, ensureClusterPki } from '../../src/bootstrap/pki.ts';
import { writeSecret } from '../../src/bootstrap/secret-file.ts';
import { ensureStoreMemberPki, ensureStorePki } from '../../src/bootstrap/store-pki.ts';
import { systemClock } from '../../src/clock/clock.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { Balancer } from '../../src/lab/balancer/balancer.ts';
import { probeServer } from '../../src/lab/balancer/probe.ts';
import { silentLog } from '../../src/observability/log.ts';
import { cannotStartLabs, TestLab } from '../e2e/testing/lab.ts';
import { answers, Machine } from './machine.ts';

const [hasEtcd, hasRedis] = await Promise.all([answers('etcd'), answers('redis-server')]);
const token = 'abcdef.0123456789abcdef';
const key = '0123456789abcdef'.repeat(4);
const pki = '/etc/kubernetes/pki';
const clientFiles = ['etcd/ca.crt', 'apiserver-etcd-client.crt', 'apiserver-etcd-client.key'];

function changedSteps({ steps }: { readonly steps: readonly { readonly name: string; readonly changed: boolean }[] }): string[] {
  return steps.filter(({ changed }) => changed).map(({ name }) => name);
}

/** On a machine that lives: the dead one is taken for alive for 40 seconds. */
const deployment = (name: string, node: string): string => `apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name} }
spec:
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} } }
    spec:
      nodeSelector: { kubernetes.io/hostname: ${node} }
      tolerations: [{ key: node-role.kubernetes.io/control-plane, operator: Exists }]
      containers: [{ name: box, image: fairlead.local/box:1 }]
`;

describe('control planes by init and join', { skip: cannotStartLabs || (!hasEtcd && 'etcd is not installed') }, () => {
  let lab: TestLab;
  let all: Machine[] = [];
  const machines = (): [Machine, Machine, Machine] => all as [Machine, Machine, Machine];
  const work = mkdtempSync(join(tmpdir(), 'control-planes-'));
  const stop = new AbortController();
  const front = createServer({ allowHalfOpen: true, pauseOnConnect: true });
  const sockets = new Set<Socket>();
  let endpoint = '';
  let clean: string[] = [];
  let command: string[] = [];

  before(async () => {
    lab = new TestLab({ name: 'cps', underlay: '192.168.146.0/24', workers: 2, bare: true });
    await lab.up();
    all = lab.plan.nodes.map(({ name }) => new Machine(lab, name));
    clean = await machines()[2].traces();
    await ensureStorePki({ pkiDir: work, store: 'etcd', now: Date.now() });
    await Promise.all(all.map((machine) => startEtcd(machine)));
    const agent = new Agent({ rejectUnauthorized: false });
    new Balancer({
      servers: all.map(({ address }) => address),
      port: 6443,
      probe: (server) => probeServer(`https://${server}:6443`, agent),
      clock: systemClock,
      log: silentLog,
      signal: stop.signal,
    }).serve(front);
    endpoint = `${lab.plan.clientAddress}:6443`;
    front.on('connection', (socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    });
    front.listen(6443, lab.plan.clientAddress);
    await once(front, 'listening');
  });
  after(async () => {
    stop.abort();
    front.close();
    for (const socket of sockets) socket.destroy();
    rmSync(work, { recursive: true });
    await lab[Symbol.asyncDispose]();
  });

  /** An operator's own, which init and join take as it is. */
  async function startEtcd(machine: Machine, state: 'new' | 'existing' = 'new'): Promise<void> {
    const { name, address } = machine;
    const dir = join(work, name);
    await ensureStoreMemberPki({ pkiDir: work, store: 'etcd', dir, member: name, addresses: [address], now: Date.now() });
    await machine.sh('mkdir -p /tmp/etcd');
    for (const [path, text] of [
      ['ca.crt', readFileSync(join(work, 'etcd/ca.crt'), 'utf8')],
      ...['etcd.crt', 'etcd.key'].map((file) => [file, readFileSync(join(dir, file), 'utf8')] as const),
    ] as const)
      await machine.write(`/tmp/etcd/${path}`, text);
    const cluster = all.map((one) => `${one.name}=https://${one.address}:2380`).join(',');
    const tls = (prefix: string): string =>
      `--${prefix}cert-file=/tmp/etcd/etcd.crt --${prefix}key-file=/tmp/etcd/etcd.key --${prefix}trusted-ca-file=/tmp/etcd/ca.crt --${prefix}client-cert-auth`;
    await machine.sh(`ETCD_UNSUPPORTED_ARCH=arm64 setsid etcd --name=${name} --data-dir=/tmp/etcd/data ${tls('')} ${tls('peer-')} \
      --listen-client-urls=https://${address}:2379 --advertise-client-urls=https://${address}:2379 \
      --listen-peer-urls=https://${address}:2380 --initial-advertise-peer-urls=https://${address}:2380 --initial-cluster=${cluster} --initial-cluster-state=${state} \
      >/tmp/etcd/log 2>&1 </dev/null &`);
  }

  async function giveClientFiles(machine: Machine, files: readonly string[]): Promise<void> {
    await machine.sh(`mkdir -p ${pki}/etcd`);
    for (const file of files) await machine.write(`${pki}/${file}`, readFileSync(join(work, file), 'utf8'));
  }

  /** All that the authority signs for a control plane, made where its key is. */
  async function giveCertificates(machine: Machine, authority: Machine): Promise<void> {
    const dir = join(work, `${machine.name}-pki`);
    for (const file of ['ca.crt', 'ca.key']) await writeSecret(join(dir, file), await authority.sh(`cat ${pki}/${file}`));
    await ensureClusterPki({
      dir,
      cluster: 'kubernetes',
      server: `https://${endpoint}`,
      addresses: [machine.address, lab.plan.clientAddress],
      names: [machine.name],
      serviceAddress: '10.96.0.1',
      clusterDomain: 'cluster.local',
      now: Date.now(),
    });
    for (const name of ['apiserver', 'apiserver-kubelet-client'])
      for (const file of [`${name}.crt`, `${name}.key`]) await machine.write(`${pki}/${file}`, readFileSync(join(dir, file), 'utf8'));
    for (const file of Object.keys(clusterKubeconfigs))
      await machine.write(`/etc/kubernetes/${file}`, readFileSync(join(dir, file), 'utf8'));
  }

  const configuration = (address: string): string => `apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
bootstrapTokens: [{ token: ${token}, ttl: 1h0m0s }]
localAPIEndpoint: { advertiseAddress: ${address} }
certificateKey: ${key}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
controlPlaneEndpoint: ${endpoint}
etcd:
  external:
    endpoints: [${all.map((one) => `"https://${one.address}:2379"`).join(', ')}]
    caFile: ${pki}/etcd/ca.crt
    certFile: ${pki}/apiserver-etcd-client.crt
    keyFile: ${pki}/apiserver-etcd-client.key
`;

  const said = async (machine: Machine, ...args: readonly string[]): Promise<string> => {
    const { code, stderr } = await machine.fairlead(...args);
    assert.notEqual(code, 0, stderr);
    return stderr;
  };

  test('init takes the etcd when it answers, and says both commands', async () => {
    const [first] = machines();
    assert.match(await said(first, 'init', '--upload-certs'), /keeps its objects on one machine[\s\S]*fairlead store copy/);
    const silent = await said(first, 'init', '--timeout', '1s', '--store', `etcd=http://${first.address}:2999`);
    assert.match(
      silent,
      /Waiting: Cannot open store [\s\S]*\[ERROR Store\] Cannot open store "etcd=http:\/\/192\.168\.146\.\d+:2999": .*ECONNREFUSED.*See whether etcd runs/,
    );
    await first.write('/tmp/kubeadm.yaml', configuration(first.address));
    assert.match(await said(first, 'init', '--config', '/tmp/kubeadm.yaml', '--upload-certs'), /its ca-file cannot be read/);
    await giveClientFiles(first, clientFiles);
    const result = JSON.parse(await first.must('init', '--config', '/tmp/kubeadm.yaml', '--upload-certs', '-o', 'json'));
    assert.equal(result.controlPlaneJoinCommand, `${result.joinCommand} --control-plane --certificate-key ${key}`);
    assert.ok(result.joinCommand.startsWith(`fairlead join ${endpoint} --token ${token} `));
    command = result.joinCommand.split(' ').slice(1);
    const again = JSON.parse(await first.must('init', '--upload-certs', '--certificate-key', key, '-o', 'json'));
    assert.deepEqual(changedSteps(again), ['preflight'], 'store, endpoint and keys are as they were');
  });

  test('who has no key, or another one, gets nothing; nor does anybody when the Secret has gone', async () => {
    const [first, second] = machines();
    const become = (...args: readonly string[]): Promise<string> => said(second, ...command, '--control-plane', '--timeout', '5s', ...args);
    assert.match(await become(), /ca\.key.* are not there[\s\S]*--certificate-key KEY, or copy these files/);
    assert.match(await become('--certificate-key', 'f'.repeat(64)), /was encrypted with another key[\s\S]*init phase upload-certs/);
    assert.match(await become('--certificate-key', 'abc'), /no key of 32 bytes/);
    // As the end of its token makes it.
    await first.kubectl('delete', 'secret', 'kubeadm-certs', '-n', 'kube-system');
    assert.match(await become('--certificate-key', key), /kubeadm-certs is not there: it lives two hours[\s\S]*init phase upload-certs/);
    const kept = await second.sh('find /etc/kubernetes -type f 2>/dev/null || true');
    assert.equal(kept, '');
    const { controlPlaneJoinCommand } = JSON.parse(
      await first.must('init', 'phase', 'upload-certs', '--certificate-key', key, '-o', 'json'),
    );
    assert.deepEqual(controlPlaneJoinCommand.split(' ').slice(1), [...command, '--control-plane', '--certificate-key', key]);
    const secrets = await first.kubectl('get', 'secret', 'kubeadm-certs', '-n', 'kube-system', '-o', 'json');
    assert.doesNotMatch(Buffer.from(JSON.parse(secrets).data['ca.key'], 'base64').toString('latin1'), /PRIVATE KEY/);
    assert.match(JSON.parse(secrets).metadata.ownerReferences[0].name, /^bootstrap-token-/);
  });

  /** Those whose API servers are behind the Service kubernetes. */
  async function serve(expected: readonly Machine[]): Promise<void> {
    await eventually('the API servers behind the Service kubernetes', async () => {
      const path = 'jsonpath={.subsets[*].addresses[*].ip}';
      const addresses = await machines()[1].kubectl('get', 'endpoints', 'kubernetes', '-o', path);
      assert.deepEqual(addresses.split(' ').toSorted(), expected.map(({ address }) => address).toSorted());
    });
  }

  const taintsOf = (machine: Machine): Promise<string> =>
    machines()[1].kubectl('get', 'node', machine.name, '-o', 'jsonpath={.spec.taints[*].key}');

  test('a second one joins by the key, goes on wherever it was killed, and a worker becomes a third one with files that were copied', async () => {
    const [first, second, third] = machines();
    await second.killedAfterEach(10, ...command, '--control-plane', '--certificate-key', key);
    await third.must(...command);
    assert.equal(await taintsOf(third), '');
    await giveClientFiles(third, clientFiles);
    for (const file of ['ca.crt', 'front-proxy-ca.crt', 'sa.pub', 'sa.key'])
      await third.write(`${pki}/${file}`, await first.sh(`cat ${pki}/${file}`));
    // kubeadm's external CA: the keys of the authorities are kept elsewhere, so what they sign must be laid out, too.
    assert.match(
      await said(third, ...command, '--control-plane'),
      // They are looked for at once: which is named is that which was found missing first.
      /Cannot make \S+\.(crt|conf) .*ca\.key, the key of the authority, is not there/,
    );
    await giveCertificates(third, first);
    await second.kubectl('taint', 'node', third.name, 'own=1:NoSchedule');
    assert.equal(await third.must(...command, '--control-plane'), 'export KUBECONFIG=/etc/kubernetes/admin.conf\n');
    for (const { name } of all)
      assert.match(await second.kubectl('get', 'node', name, '--no-headers'), new RegExp(`^${name} +Ready +control-plane `));
    for (const machine of [first, second]) assert.equal(await taintsOf(machine), 'node-role.kubernetes.io/control-plane');
    assert.equal(await taintsOf(third), 'own node-role.kubernetes.io/control-plane');
    await serve(all);
    // What one has signed the others take: a token of a service account, and the certificate of a kubelet.
    const account = await third.kubectl('create', 'token', 'default');
    const asked = await third.sh(
      `kubectl --server https://${first.address}:6443 --certificate-authority ${pki}/ca.crt --token ${account.trim()} auth whoami`,
    );
    assert.match(asked, /system:serviceaccount:default:default/);
    for (const machine of machines()) await machine.must('doctor');
  });

  async function runs(machine: Machine, name: string): Promise<void> {
    await machine.write(`/tmp/${name}.yaml`, deployment(name, machine.name));
    await eventually(`the API server to take ${name}`, () => machine.kubectl('apply', '-f', `/tmp/${name}.yaml`));
    await eventually(`a pod of ${name}`, () => machine.kubectl('wait', '--for=condition=Available', `deployment/${name}`, '--timeout=20s'));
  }

  test('the first one dies, and the cluster goes on', async () => {
    const [first, second, third] = machines();
    await runs(second, 'before');
    process.kill(lab.initOf(first.name), 'SIGKILL');
    await runs(second, 'after');
    await serve([second, third]);
  });

  test('reset takes one away and leaves nothing on it; the other goes on', async () => {
    const [, second, third] = machines();
    const { stderr } = await third.fairlead('reset', '--force');
    assert.match(stderr, new RegExp(`kubectl delete node ${third.name}\n`));
    assert.deepEqual(await third.traces(), clean);
    await second.kubectl('delete', 'node', third.name);
    await runs(second, 'alone');
  });

  test('what was reset begins a cluster of its own, over a Redis', { skip: !hasRedis && 'redis-server is not installed' }, async () => {
    const [, , third] = machines();
    await third.write('/tmp/redis.conf', 'bind 127.0.0.1\nrequirepass secret\nappendonly yes\nappendfsync always\nsave ""\ndir /tmp\n');
    await third.sh('setsid redis-server /tmp/redis.conf >/tmp/redis.log 2>&1 </dev/null &');
    await eventually('Redis', async () => (await third.sh('redis-cli -a secret ping')).includes('PONG'));
    const args = ['init', '--store', 'redis://127.0.0.1:6379/0?password-file=/tmp/redis-password'];
    await third.write('/tmp/redis-password', 'wrong');
    assert.match(await said(third, ...args), /\[ERROR Store\] Cannot open store [\s\S]*WRONGPASS[\s\S]*password-file/);
    await third.write('/tmp/redis-password', 'secret');
    await third.must(...args);
    assert.match(await third.kubectl('get', 'nodes', '--no-headers'), new RegExp(`^${third.name} +Ready +control-plane .*\n$`));
    assert.equal(await third.sh(`redis-cli -a secret exists {fairlead}:/registry/nodes/${third.name}`), '1\n');
    assert.deepEqual(changedSteps(JSON.parse(await third.must('init', '-o', 'json'))), ['preflight']);
    await third.must('reset', '--force');
    assert.deepEqual(await third.traces(), clean);
  });

  test('the first one, made anew under its name and address, joins the other, and init there finds all done', async () => {
    const [first, second] = machines();
    await lab.up();
    const tls = '--cacert=/tmp/etcd/ca.crt --cert=/tmp/etcd/etcd.crt --key=/tmp/etcd/etcd.key';
    const ctl = (text: string): Promise<string> => second.sh(`etcdctl --endpoints=https://${second.address}:2379 ${tls} ${text}`);
    const memberOf = async (url: string): Promise<string | undefined> =>
      (await ctl('member list'))
        .split('\n')
        .find((line) => line.includes(url))
        ?.split(', ')[0];
    const url = `https://${first.address}:2380`;
    const stale = await memberOf(url);
    // While the two elect anew, what was asked for may be refused, or done without an answer.
    await eventually('a member in the place of the one that is gone', async () => {
      const now = await memberOf(url);
      if (now === stale) await ctl(`member remove ${stale}`);
      if (now === stale || now === undefined) await ctl(`member add ${first.name} --peer-urls=${url}`);
    });
    await startEtcd(first, 'existing');
    const uid = await second.kubectl('get', 'node', first.name, '-o', 'jsonpath={.metadata.uid}');
    await first.must(...command, '--control-plane', '--certificate-key', key);
    await serve([first, second]);
    assert.match(await first.kubectl('get', 'node', first.name, '--no-headers'), /^\S+ +Ready +control-plane /);
    assert.equal(await first.kubectl('get', 'node', first.name, '-o', 'jsonpath={.metadata.uid}'), uid);
    assert.equal(await taintsOf(first), 'node-role.kubernetes.io/control-plane');
    const again = JSON.parse(await first.must('init', '--upload-certs', '--certificate-key', key, '-o', 'json'));
    assert.deepEqual(changedSteps(again), ['preflight'], 'keys, certificates, server and agent are as they were');
    await first.must('doctor');
  });
});
