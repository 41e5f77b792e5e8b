import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import yaml from 'yaml';
import type { ConfigMap } from '../../api/schema/types.ts';
import { planCluster } from '../config/cluster-plan.ts';
import type { ClusterConfiguration } from '../config/documents.ts';
import { serverFlags } from '../control-plane/control-plane.ts';
import { addressPoolsObject, agentFlags, type SettingsSources, settingsNames, settingsObjects, settingsOf } from './settings.ts';

const plan = planCluster({ podSubnet: '10.200.0.0/16', networkBackend: 'host-gw', proxyMode: 'ipvs' }, {}, ['192.168.56.10']);
const objects = settingsObjects(plan);

function sourcesOf(maps: readonly ConfigMap[]): SettingsSources {
  return Object.fromEntries(
    Object.entries(settingsNames).map(([source, name]) => [source, maps.find((map) => map.metadata.name === name)]),
  );
}

test('what settingsObjects() writes, settingsOf() reads', () => {
  assert.deepEqual(settingsOf(sourcesOf(objects)), {
    podSubnet: '10.200.0.0/16',
    serviceSubnet: '10.96.0.0/16',
    dnsDomain: 'cluster.local',
    dnsAddress: '10.96.0.10',
    backend: { type: 'host-gw', vni: 1, port: 8472 },
    networkConfiguration: '{"Network":"10.200.0.0/16","Backend":{"Type":"host-gw"}}',
    proxyConfiguration: yaml.stringify(plan.proxy),
  });
});

for (const podSubnet of ['10.244.0.0/16,fd00:10:244::/56', 'fd00:10:244::/56'])
  test(`settingsObjects() of ${podSubnet} are what settingsOf(), the service proxy and flannel read`, () => {
    const six = 'fd00:192:168:56::10';
    const maps = settingsObjects(planCluster({ podSubnet }, {}, podSubnet.includes(',') ? ['192.168.56.10', six] : [six]));
    const sources = sourcesOf(maps);
    const settings = settingsOf(sources);
    assert.equal(settings.podSubnet, podSubnet);
    assert.equal(yaml.parse(settings.proxyConfiguration).clusterCIDR, podSubnet);
    const { Backend, ...network } = JSON.parse(sources.network?.data?.['net-conf.json'] ?? '');
    assert.deepEqual(network, {
      ...(podSubnet.includes(',') ? { Network: '10.244.0.0/16' } : { EnableIPv4: false }),
      EnableIPv6: true,
      IPv6Network: 'fd00:10:244::/56',
    });
    const cluster = map('ClusterConfiguration', `networking: { serviceSubnet: "${settings.serviceSubnet}" }`);
    assert.equal(settingsOf({ ...sources, cluster }).podSubnet, podSubnet, 'from flannel');
  });

test("settingsObjects() tell further control planes how large a node's part of the pods' range is", () => {
  const cluster = { controllerManager: { extraArgs: { 'node-cidr-mask-size-ipv4': '26' } } };
  const [first] = settingsObjects(planCluster({}, { cluster }, ['192.168.56.10']));
  const told: ClusterConfiguration = yaml.parse(first?.data?.ClusterConfiguration ?? '');
  assert.deepEqual(told.controllerManager, { extraArgs: [{ name: 'node-cidr-mask-size-ipv4', value: '26' }] });
  const plan = planCluster({}, { cluster: told }, ['192.168.56.11']);
  assert.equal(serverFlags(plan)['node-cidr-mask-size-ipv4'], '26');
});

test("settingsObjects() names and keys are kubeadm's and flannel's", () => {
  const names = objects.map(({ metadata, data }) => [metadata.namespace, metadata.name, Object.keys(data ?? {}).join()].join(' '));
  assert.deepEqual(names, [
    'kube-system kubeadm-config ClusterConfiguration',
    'kube-system kubelet-config kubelet',
    'kube-system kube-proxy config.conf',
    'kube-system kube-flannel-cfg net-conf.json',
  ]);
});

test('settingsObjects() are what a stock kubelet takes that kubeadm joins', () => {
  const read = (name: string): unknown => {
    const object = objects.find(({ metadata }) => metadata.name === name);
    assert.deepEqual([object?.apiVersion, object?.kind], ['v1', 'ConfigMap']);
    return yaml.parse(Object.values(object?.data ?? {})[0] ?? '');
  };
  assert.deepEqual(read('kubelet-config'), {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    authentication: { anonymous: { enabled: false }, webhook: { enabled: true }, x509: { clientCAFile: '/etc/kubernetes/pki/ca.crt' } },
    authorization: { mode: 'Webhook' },
    cgroupDriver: 'cgroupfs',
    clusterDNS: ['10.96.0.10'],
    clusterDomain: 'cluster.local',
    rotateCertificates: true,
    serverTLSBootstrap: true,
    staticPodPath: '/etc/kubernetes/manifests',
  });
  assert.deepEqual(read('kubeadm-config'), {
    apiVersion: 'kubeadm.k8s.io/v1beta4',
    kind: 'ClusterConfiguration',
    clusterName: 'kubernetes',
    networking: { podSubnet: '10.200.0.0/16', serviceSubnet: '10.96.0.0/16', dnsDomain: 'cluster.local' },
    certificatesDir: '/etc/kubernetes/pki',
  });
});

test('addressPoolsObject() is what the cloud controller follows', () => {
  const { metadata, data } = addressPoolsObject(['192.0.2.200-192.0.2.220']);
  assert.deepEqual([metadata.namespace, metadata.name], ['kube-system', 'metal-address-pools']);
  assert.deepEqual(yaml.parse(data?.config ?? ''), {
    'address-pools': [{ name: 'default', protocol: 'layer2', addresses: ['192.0.2.200-192.0.2.220'] }],
  });
});

test('settingsObjects() tells an endpoint and names that somebody chose', () => {
  const chosen = planCluster({ controlPlaneEndpoint: 'cluster.example', certSans: ['a.example'] }, {}, ['192.168.56.10']);
  const read = (maps: readonly ConfigMap[]): { controlPlaneEndpoint?: string; apiServer?: object } =>
    yaml.parse(maps[0]?.data?.ClusterConfiguration ?? '');
  assert.deepEqual(
    [read(settingsObjects(chosen)).controlPlaneEndpoint, read(settingsObjects(chosen)).apiServer],
    ['cluster.example:6443', { certSANs: ['a.example'] }],
  );
  assert.deepEqual([read(objects).controlPlaneEndpoint, read(objects).apiServer], [undefined, undefined]);
});

function map(key: string, text: string): ConfigMap {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x' }, data: { [key]: text } };
}

describe('settingsOf()', () => {
  const all = sourcesOf(objects);

  test("takes flannel's options of a backend", () => {
    const network = map('net-conf.json', '{"Network":"10.9.0.0/16","Backend":{"Type":"vxlan","VNI":7,"Port":4789}}');
    assert.deepEqual(settingsOf({ ...all, network }).backend, { type: 'vxlan', vni: 7, port: 4789 });
  });

  test("gives the pod network flannel's options as JSON, whatever YAML somebody has written", () => {
    const network = map('net-conf.json', '{"Backend": {"Type": "vxlan", "DirectRouting": true,}} # ours');
    assert.equal(settingsOf({ ...all, network }).networkConfiguration, '{"Backend":{"Type":"vxlan","DirectRouting":true}}');
  });

  test('does without the ConfigMaps of a pod network and a proxy of others', () => {
    const { network: _network, proxy: _proxy, ...rest } = all;
    const settings = settingsOf(rest);
    assert.deepEqual(settings.backend, { type: 'vxlan', vni: 1, port: 8472 });
    assert.deepEqual(JSON.parse(settings.networkConfiguration), { Backend: { Type: 'vxlan', VNI: 1, Port: 8472 } });
    assert.deepEqual(yaml.parse(settings.proxyConfiguration), {
      apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
      kind: 'KubeProxyConfiguration',
      clusterCIDR: '10.200.0.0/16',
    });
  });

  test("takes the pods' range from the pod network when kubeadm was told none", () => {
    const cluster = map('ClusterConfiguration', 'networking: { serviceSubnet: 10.96.0.0/12 }');
    assert.equal(settingsOf({ ...all, cluster }).podSubnet, '10.200.0.0/16');
  });

  for (const [what, sources, message] of [
    [
      'no range of Services',
      { cluster: map('ClusterConfiguration', 'networking: { podSubnet: 10.0.0.0/16 }') },
      /networking.serviceSubnet/,
    ],
    ['no range of pods', { cluster: map('ClusterConfiguration', '{}'), network: map('net-conf.json', '{}') }, /networking.podSubnet/],
    ['no DNS', { kubelet: map('kubelet', '{}') }, /"kube-system\/kubelet-config" has no clusterDNS/],
    [
      'no backend that is known',
      { network: map('net-conf.json', '{"Backend":{"Type":"udp"}}') },
      /Backend.Type "udp" of .*kube-flannel-cfg/,
    ],
    ['no VNI', { network: map('net-conf.json', '{"Backend":{"VNI":"x"}}') }, /Backend.VNI x of .*kube-flannel-cfg/],
    ['no port', { network: map('net-conf.json', '{"Backend":{"Port":65536}}') }, /Backend.Port 65536 of .*kube-flannel-cfg/],
    ['what is no YAML', { kubelet: map('kubelet', 'a: [') }, /Cannot read "kubelet" of ConfigMap "kube-system\/kubelet-config"/],
  ] as const)
    test(`names the ConfigMap that has ${what}`, () =>
      assert.throws(() => settingsOf({ ...all, ...sources }), { code: 'BAD_CONFIG', message }));
});

test('agentFlags() are flags of "fairlead agent"', () => {
  assert.deepEqual(agentFlags(settingsOf(sourcesOf(objects)), { proxy: '/x', network: '/y' }), {
    'cluster-cidr': '10.200.0.0/16',
    'service-cidr': '10.96.0.0/16',
    'cluster-domain': 'cluster.local',
    'cluster-dns': '10.96.0.10',
    'network-backend': 'host-gw',
    'vxlan-vni': '1',
    'vxlan-port': '8472',
    'net-config-path': '/y',
    'proxy-config': '/x',
  });
});
