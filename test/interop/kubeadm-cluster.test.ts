/**
 * `fairlead join` into a cluster of kubeadm's: its phases make certificates, settings and tokens, and etcd, kube-apiserver and
 * kube-controller-manager run with the flags that it gives them, without the images that it would run them from.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { publicKeyHash } from '../../src/setup/discovery/public-key-hash.ts';
import { cannotStartLabs, TestLab } from '../e2e/testing/lab.ts';
import { boxOn } from '../e2e/testing/manifests.ts';
import { Machine } from '../setup/machine.ts';
import { findProgram, lacksProgram, startOnNode } from './testing/programs.ts';

const token = 'abcdef.0123456789abcdef';
const podCidr = '10.210.0.0/16';
const serviceCidr = '10.110.0.0/16';
const pki = '/etc/kubernetes/pki';
const cure = 'fairlead manifest --group system:nodes --cluster-dns= | kubectl apply -f -';

const configuration = (address: string): string => `apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
bootstrapTokens: [{ token: ${token} }]
localAPIEndpoint: { advertiseAddress: ${address} }
nodeRegistration: { name: control-plane, criSocket: unix:///run/containerd/containerd.sock }
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.35.0
networking: { podSubnet: ${podCidr}, serviceSubnet: ${serviceCidr} }
`;

/** As kubeadm's static pods have them, but for an etcd without TLS. */
const controlPlane = (address: string): Readonly<Record<string, readonly string[]>> => ({
  etcd: ['--data-dir=/var/lib/etcd', '--unsafe-no-fsync'],
  'kube-apiserver': [
    '--etcd-servers=http://127.0.0.1:2379',
    `--advertise-address=${address}`,
    `--service-cluster-ip-range=${serviceCidr}`,
    '--authorization-mode=Node,RBAC',
    '--enable-admission-plugins=NodeRestriction',
    '--enable-bootstrap-token-auth=true',
    '--allow-privileged=true',
    `--client-ca-file=${pki}/ca.crt`,
    `--tls-cert-file=${pki}/apiserver.crt`,
    `--tls-private-key-file=${pki}/apiserver.key`,
    `--kubelet-client-certificate=${pki}/apiserver-kubelet-client.crt`,
    `--kubelet-client-key=${pki}/apiserver-kubelet-client.key`,
    '--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname',
    '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
    `--service-account-key-file=${pki}/sa.pub`,
    `--service-account-signing-key-file=${pki}/sa.key`,
  ],
  'kube-controller-manager': [
    '--kubeconfig=/etc/kubernetes/controller-manager.conf',
    '--controllers=*,bootstrapsigner,tokencleaner',
    '--use-service-account-credentials=true',
    `--root-ca-file=${pki}/ca.crt`,
    `--cluster-signing-cert-file=${pki}/ca.crt`,
    `--cluster-signing-key-file=${pki}/ca.key`,
    `--service-account-private-key-file=${pki}/sa.key`,
    '--allocate-node-cidrs=true',
    `--cluster-cidr=${podCidr}`,
    `--service-cluster-ip-range=${serviceCidr}`,
  ],
});

const skip = cannotStartLabs || lacksProgram('etcd', 'kube-apiserver', 'kube-controller-manager', 'kubeadm');

describe('fairlead join in a cluster of kubeadm', { skip }, () => {
  let lab: TestLab;
  let server: Machine;
  let machine: Machine;
  let join: readonly string[];

  before(async () => {
    lab = new TestLab({ name: 'kjc', underlay: '192.168.158.0/24', workers: 1, bare: true });
    await lab.up();
    [server, machine] = lab.plan.nodes.map(({ name }) => new Machine(lab, name)) as [Machine, Machine];
    const kubeadm = findProgram('kubeadm') ?? '';
    const phase = (name: string): Promise<string> => server.sh(`${kubeadm} init phase ${name} --config /tmp/kubeadm.yaml`);
    await server.write('/tmp/kubeadm.yaml', configuration(server.address));
    for (const name of ['certs all', 'kubeconfig all']) await phase(name);
    for (const [name, flags] of Object.entries(controlPlane(server.address))) startOnNode(lab, 'control-plane', name, flags);
    await eventually('kube-apiserver', () => server.kubectl('get', '--raw', '/readyz'), { timeoutMs: 120_000 });
    for (const name of ['upload-config all', 'bootstrap-token']) await phase(name);
    const hash = publicKeyHash(await server.sh(`cat ${pki}/ca.crt`));
    join = ['join', `${server.address}:6443`, '--token', token, '--discovery-token-ca-cert-hash', hash];
  });
  after(async () => {
    await lab?.[Symbol.asyncDispose]();
  });

  test('says what lets its nodes be ours, before it starts anything', async () => {
    const { code, stderr } = await machine.fairlead(...join, '--timeout', '10s');
    assert.equal(code, 1, stderr);
    assert.match(stderr, /this cluster does not let its nodes (list|get|watch|patch) /);
    assert.ok(stderr.includes(cure), stderr);
    assert.deepEqual(JSON.parse(await server.kubectl('get', 'nodes', '-o', 'json')).items, []);
  });

  test('makes a Ready node of the machine when that is done, while join waits', async () => {
    const joining = machine.fairlead(...join, '--timeout', '3m');
    await server.sh(
      `/opt/fairlead/src/main/fairlead.sh ${cure.slice('fairlead '.length).replace('kubectl', 'kubectl --kubeconfig /etc/kubernetes/admin.conf')}`,
    );
    const { code, stderr } = await joining;
    assert.equal(code, 0, stderr);
    assert.match(await server.kubectl('get', 'node', 'worker-1', '--no-headers'), / Ready /);
  });

  test('a pod on it runs, and its Service reaches it', async () => {
    await server.write('/tmp/box.yaml', boxOn('nodeName: worker-1'));
    await eventually('its ServiceAccount', () => server.kubectl('apply', '-f', '/tmp/box.yaml'));
    await server.kubectl('wait', '--for=condition=Ready', 'pod/box', '--timeout=180s');
    const ip = await server.kubectl('get', 'service', 'box', '-o', 'jsonpath={.spec.clusterIP}');
    await machine.sh(`ip route replace ${serviceCidr} dev eth0`);
    await eventually('an answer', async () => assert.match(await machine.sh(`timeout 3 busybox wget -qO- http://${ip}`), /pod=box/));
  });

  test('doctor finds no error there', async () => {
    await machine.must('doctor');
  });
});
