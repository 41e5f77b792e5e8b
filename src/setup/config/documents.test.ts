import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { addressIn, nodeIpArgument, readDocuments, strayKinds } from './documents.ts';

const whole = `apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
bootstrapTokens:
  - token: abcdef.0123456789abcdef
    ttl: 1h0m0s
    groups: [system:bootstrappers:kubeadm:default-node-token]
localAPIEndpoint:
  advertiseAddress: 192.168.56.10
  bindPort: 7443
nodeRegistration:
  name: control-plane
  taints: []
  kubeletExtraArgs:
    - name: node-ip
      value: 192.168.56.10
---
apiVersion: kubeadm.k8s.io/v1beta3
kind: ClusterConfiguration
kubernetesVersion: v1.30.0
controlPlaneEndpoint: cluster.example:6443
networking:
  podSubnet: 10.200.0.0/16
  serviceSubnet: 10.100.0.0/16
  dnsDomain: example.local
apiServer:
  certSANs: [cluster.example, 203.0.113.5]
---
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: ipvs
`;

test('readDocuments() reads the documents of a kubeadm configuration, each by its kind', () => {
  const { init, cluster, proxy, join } = readDocuments(whole);
  assert.deepEqual(init?.localAPIEndpoint, { advertiseAddress: '192.168.56.10', bindPort: 7443 });
  assert.deepEqual(init?.nodeRegistration?.taints, []);
  assert.equal(init?.bootstrapTokens?.[0]?.ttl, '1h0m0s');
  assert.deepEqual(cluster?.networking, { podSubnet: '10.200.0.0/16', serviceSubnet: '10.100.0.0/16', dnsDomain: 'example.local' });
  assert.deepEqual(cluster?.apiServer?.certSANs, ['cluster.example', '203.0.113.5']);
  assert.deepEqual(proxy, { apiVersion: 'kubeproxy.config.k8s.io/v1alpha1', kind: 'KubeProxyConfiguration', mode: 'ipvs' });
  assert.equal(join, undefined);
});

test('readDocuments() reads how to join', () => {
  const text = `apiVersion: kubeadm.k8s.io/v1beta4
kind: JoinConfiguration
discovery:
  bootstrapToken: { token: abcdef.0123456789abcdef, apiServerEndpoint: "192.168.56.10:6443", unsafeSkipCAVerification: true }
`;
  assert.deepEqual(readDocuments(text).join?.discovery?.bootstrapToken, {
    token: 'abcdef.0123456789abcdef',
    apiServerEndpoint: '192.168.56.10:6443',
    unsafeSkipCAVerification: true,
  });
});

test('readDocuments() takes a null for a field that is not there, and an empty document for none', () => {
  const text = 'apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nnetworking:\nclusterName: x\n---\n---\n';
  assert.deepEqual(readDocuments(text), { cluster: { clusterName: 'x' } });
});

test('readDocuments() takes what "kubeadm config print" writes by itself, which asks for nothing', () => {
  const text = `apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
nodeRegistration: { imagePullPolicy: IfNotPresent, imagePullSerial: true, name: node, taints: null }
timeouts: { discovery: 5m0s, etcdAPICall: 2m0s }
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
apiServer: {}
certificatesDir: /etc/kubernetes/pki
clusterName: kubernetes
dns: {}
etcd: { local: { dataDir: /var/lib/etcd } }
networking: { dnsDomain: cluster.local }
---
apiVersion: kubeadm.k8s.io/v1beta3
kind: JoinConfiguration
caCertPath: /etc/kubernetes/pki/ca.crt
discovery: { bootstrapToken: { token: abcdef.0123456789abcdef }, timeout: 5m0s }
`;
  assert.deepEqual(readDocuments(text), {
    init: { nodeRegistration: { name: 'node' } },
    cluster: { apiServer: {}, clusterName: 'kubernetes', networking: { dnsDomain: 'cluster.local' } },
    join: { discovery: { bootstrapToken: { token: 'abcdef.0123456789abcdef' } } },
  });
});

const head = 'apiVersion: kubeadm.k8s.io/v1beta4\nkind: ';
const refused: readonly (readonly [string, string, RegExp])[] = [
  [
    'a field that does nothing',
    `${head}ClusterConfiguration\ndns: { disabled: true }\n`,
    /"ClusterConfiguration.dns": Fairlead has no such setting/,
  ],
  [
    'an etcd of its own making',
    `${head}ClusterConfiguration\netcd: { local: {} }\n`,
    /"ClusterConfiguration.etcd.local": Fairlead has no such setting/,
  ],
  [
    'a preset of kubeadm that is another',
    `${head}JoinConfiguration\ntimeouts: { discovery: 9m0s, tlsBootstrap: 5m0s }\n`,
    /"JoinConfiguration.timeouts": Fairlead has no such setting/,
  ],
  ['one further down', `${head}ClusterConfiguration\napiServer: { extraArgs: [] }\n`, /"ClusterConfiguration.apiServer.extraArgs"/],
  ['one in a list', `${head}InitConfiguration\nbootstrapTokens: [{ word: x }]\n`, /"InitConfiguration.bootstrapTokens\[0\].word"/],
  ['a name that every object has', `${head}ClusterConfiguration\nconstructor: x\n`, /"ClusterConfiguration.constructor"/],
  ['a number for a text', `${head}ClusterConfiguration\nclusterName: 5\n`, /"ClusterConfiguration.clusterName": it is no text/],
  ['a text for a number', `${head}InitConfiguration\nlocalAPIEndpoint: { bindPort: "6443" }\n`, /bindPort": it is no number/],
  [
    'a text for a switch',
    `${head}JoinConfiguration\ndiscovery: { bootstrapToken: { unsafeSkipCAVerification: yes please } }\n`,
    /no true or false/,
  ],
  ['a text for a list', `${head}ClusterConfiguration\napiServer: { certSANs: x }\n`, /certSANs": it is no list of texts/],
  ['numbers in a list of texts', `${head}ClusterConfiguration\napiServer: { certSANs: [1] }\n`, /certSANs": it is no list of texts/],
  ['an object for a list', `${head}InitConfiguration\nbootstrapTokens: {}\n`, /bootstrapTokens": it is no list/],
  ['a text for an object', `${head}ClusterConfiguration\nnetworking: x\n`, /networking": it is no object/],
  [
    'an empty taint',
    `${head}JoinConfiguration\nnodeRegistration:\n  taints:\n  -\n`,
    /"JoinConfiguration.nodeRegistration.taints\[0\]": it is no object/,
  ],
  ['an empty token', `${head}InitConfiguration\nbootstrapTokens:\n- {}\n-\n`, /"InitConfiguration.bootstrapTokens\[1\]": it is no object/],
  ['an unknown kind', `${head}ResetConfiguration\n`, /it has a "ResetConfiguration"/],
  ['a kind of another group', 'apiVersion: v1\nkind: ClusterConfiguration\n', /it has a "ClusterConfiguration" of "v1"/],
  [
    'an old version',
    'apiVersion: kubeadm.k8s.io/v1beta2\nkind: ClusterConfiguration\n',
    /ClusterConfiguration is of "kubeadm.k8s.io\/v1beta2"/,
  ],
  ['the same kind twice', `${head}ClusterConfiguration\n---\n${head}ClusterConfiguration\n`, /two documents for cluster/],
  ['a list', '- a\n', /has no fields/],
  ['what is no YAML', 'a: [\n', /it is no YAML/],
];

describe('readDocuments() refuses', () => {
  for (const [what, text, message] of refused) test(what, () => assert.throws(() => readDocuments(text), { code: 'BAD_CONFIG', message }));
});

test('addressIn() takes the address of either, and refuses two, and arguments that do nothing', () => {
  const args = (name: string, value: string): object => ({ kubeletExtraArgs: [{ name, value }] });
  assert.equal(addressIn(), undefined);
  assert.equal(addressIn(args('node-ip', '192.0.2.1')), '192.0.2.1');
  assert.equal(addressIn({}, { advertiseAddress: '' }), undefined);
  assert.equal(addressIn(args('node-ip', '192.0.2.1'), { advertiseAddress: '' }), '192.0.2.1');
  assert.equal(addressIn({}, { advertiseAddress: '192.0.2.1' }), '192.0.2.1');
  assert.equal(addressIn(args('node-ip', '192.0.2.1'), { advertiseAddress: '192.0.2.1' }), '192.0.2.1');
  assert.equal(addressIn(args('node-ip', '192.0.2.1,fd00::1')), '192.0.2.1,fd00::1');
  assert.equal(addressIn(args('node-ip', 'fd00::1,192.0.2.1'), { advertiseAddress: '192.0.2.1' }), '192.0.2.1,fd00::1');
  assert.throws(() => addressIn(args('node-ip', '9.9.9.9'), { advertiseAddress: '192.0.2.1' }), {
    code: 'BAD_CONFIG',
    message: /node-ip" "9\.9\.9\.9": .*is 192\.0\.2\.1/,
  });
  assert.throws(() => addressIn(args('max-pods', '7'), { advertiseAddress: '192.0.2.1' }), { code: 'BAD_CONFIG', message: /max-pods/ });
});

test('strayKinds() names the documents that a command does not take', () => {
  assert.deepEqual(strayKinds({ join: {}, cluster: {}, proxy: {} }, ['join']), ['ClusterConfiguration', 'KubeProxyConfiguration']);
  assert.deepEqual(strayKinds({ join: {} }, ['join']), []);
});

describe('nodeIpArgument() finds the address', () => {
  test('in the map of v1beta3', () => assert.equal(nodeIpArgument({ kubeletExtraArgs: { 'node-ip': '10.0.0.1' } }), '10.0.0.1'));
  test('in the list of v1beta4', () => {
    assert.equal(nodeIpArgument({ kubeletExtraArgs: [{ name: 'node-ip', value: '10.0.0.1' }] }), '10.0.0.1');
  });
  test('nowhere', () => assert.equal(nodeIpArgument({}), undefined));
  test('nowhere in an argument without a value', () => {
    for (const value of ['', ', value: ""', ', value: null'])
      assert.equal(
        addressIn(
          readDocuments(`${head}JoinConfiguration\nnodeRegistration: { kubeletExtraArgs: [{ name: node-ip${value} }] }\n`).join
            ?.nodeRegistration,
        ),
        undefined,
      );
  });
  test('beside nothing else', () =>
    assert.throws(() => nodeIpArgument({ kubeletExtraArgs: { 'max-pods': '5' } }), { message: /kubeletExtraArgs.max-pods/ }));
});
