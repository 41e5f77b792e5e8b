/** Every field of kubeadm's v1beta3 and v1beta4 is read, asks for nothing, or is refused by its name: none is passed over. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readDocuments } from './documents.ts';

type Kind = 'InitConfiguration' | 'ClusterConfiguration' | 'JoinConfiguration';
type Version = 'v1beta3' | 'v1beta4';
const both: readonly Version[] = ['v1beta3', 'v1beta4'];

/** Where it is read to: the value below the document; undefined for what is refused. */
interface Case {
  readonly path: string;
  readonly value: unknown;
  readonly versions?: readonly Version[];
}

const args = [{ name: 'node-ip', value: '192.0.2.1' }];
const component = (name: string): Case[] => [
  { path: `${name}.extraVolumes`, value: [{ name: 'a', hostPath: '/a', mountPath: '/a' }] },
  { path: `${name}.extraEnvs`, value: [{ name: 'A', value: 'b' }], versions: ['v1beta4'] },
];
const registrationRead: readonly Case[] = [
  { path: 'nodeRegistration.name', value: 'one' },
  { path: 'nodeRegistration.criSocket', value: 'unix:///x.sock' },
  { path: 'nodeRegistration.taints', value: [{ key: 'a', value: 'b', effect: 'NoExecute' }] },
  { path: 'nodeRegistration.taints', value: [] },
  { path: 'nodeRegistration.kubeletExtraArgs', value: { 'node-ip': '192.0.2.1' }, versions: ['v1beta3'] },
  { path: 'nodeRegistration.kubeletExtraArgs', value: args, versions: ['v1beta4'] },
  { path: 'nodeRegistration.kubeletExtraArgs', value: [{ name: 'node-ip' }], versions: ['v1beta4'] },
  { path: 'nodeRegistration.ignorePreflightErrors', value: ['Swap'] },
];
const registrationRefused: readonly Case[] = [
  { path: 'nodeRegistration.imagePullPolicy', value: 'Always' },
  { path: 'nodeRegistration.imagePullSerial', value: false, versions: ['v1beta4'] },
  { path: 'nodeRegistration.taints', value: [{ key: 'a', effect: 'Sometimes' }] },
  { path: 'nodeRegistration.taints', value: [{ effect: 'NoExecute' }] },
  { path: 'nodeRegistration.kubeletExtraArgs', value: 'node-ip' },
  { path: 'nodeRegistration.kubeletExtraArgs', value: [null] },
  { path: 'nodeRegistration.kubeletExtraArgs', value: [{ value: 'node-ip' }] },
  { path: 'nodeRegistration.kubeletExtraArgs', value: [{ name: 'node-ip', word: 'x' }] },
  { path: 'nodeRegistration.taints', value: [null] },
  { path: 'skipPhases', value: ['addon'] },
  { path: 'patches', value: { directory: '/x' } },
  { path: 'dryRun', value: true, versions: ['v1beta4'] },
  ...[
    'controlPlaneComponentHealthCheck',
    'kubeletHealthCheck',
    'kubernetesAPICall',
    'etcdAPICall',
    'tlsBootstrap',
    'discovery',
    'upgradeManifests',
  ].map((name): Case => ({ path: `timeouts.${name}`, value: '9m9s', versions: ['v1beta4'] })),
];

const read: Readonly<Record<Kind, readonly Case[]>> = {
  InitConfiguration: [
    ...registrationRead,
    {
      path: 'bootstrapTokens',
      value: [
        { token: 'abcdef.0123456789abcdef', description: 'a', ttl: '1h0m0s', usages: ['signing'], groups: ['system:bootstrappers:a'] },
      ],
    },
    { path: 'bootstrapTokens', value: [{ token: 'abcdef.0123456789abcdef', expires: '2030-01-01T00:00:00Z' }] },
    { path: 'bootstrapTokens', value: [{ ttl: '1h0m0s', groups: ['system:bootstrappers:a'] }] },
    { path: 'localAPIEndpoint.advertiseAddress', value: '192.0.2.1' },
    { path: 'localAPIEndpoint.bindPort', value: 6444 },
    { path: 'certificateKey', value: '0'.repeat(64) },
  ],
  ClusterConfiguration: [
    { path: 'clusterName', value: 'mine' },
    { path: 'kubernetesVersion', value: 'v1.34.0' },
    { path: 'controlPlaneEndpoint', value: 'a:6443' },
    { path: 'networking.podSubnet', value: '10.1.0.0/16' },
    { path: 'networking.serviceSubnet', value: '10.2.0.0/16' },
    { path: 'networking.dnsDomain', value: 'example.local' },
    { path: 'apiServer.certSANs', value: ['a.example'] },
    { path: 'controllerManager.extraArgs', value: { 'node-cidr-mask-size': '26' }, versions: ['v1beta3'] },
    { path: 'controllerManager.extraArgs', value: [{ name: 'node-cidr-mask-size', value: '26' }], versions: ['v1beta4'] },
    { path: 'etcd.external', value: { endpoints: ['https://a:2379'], caFile: '/ca', certFile: '/cert', keyFile: '/key' } },
  ],
  JoinConfiguration: [
    ...registrationRead,
    { path: 'controlPlane.localAPIEndpoint.advertiseAddress', value: '192.0.2.1' },
    { path: 'controlPlane.localAPIEndpoint.bindPort', value: 6444 },
    { path: 'controlPlane.certificateKey', value: '0'.repeat(64) },
    { path: 'discovery.bootstrapToken.token', value: 'abcdef.0123456789abcdef' },
    { path: 'discovery.bootstrapToken.apiServerEndpoint', value: 'a:6443' },
    { path: 'discovery.bootstrapToken.caCertHashes', value: [`sha256:${'0'.repeat(64)}`] },
    { path: 'discovery.bootstrapToken.unsafeSkipCAVerification', value: true },
    { path: 'discovery.tlsBootstrapToken', value: 'abcdef.0123456789abcdef' },
  ],
};

const refused: Readonly<Record<Kind, readonly Case[]>> = {
  InitConfiguration: [
    ...registrationRefused,
    { path: 'bootstrapTokens', value: [null] },
    { path: 'encryptionAlgorithm', value: 'ECDSA-P256' },
    { path: 'bootstrapTokens', value: [{ token: 'abcdef.0123456789abcdef', ttl: '1h0m0s', expires: '2030-01-01T00:00:00Z' }] },
  ],
  ClusterConfiguration: [
    ...component('apiServer'),
    { path: 'apiServer.extraArgs', value: [{ name: 'v', value: '4' }] },
    { path: 'apiServer.timeoutForControlPlane', value: '9m0s', versions: ['v1beta3'] },
    ...component('controllerManager'),
    { path: 'controllerManager.extraArgs', value: [{ name: 'node-cidr-mask-size', value: ['26'] }] },
    { path: 'controllerManager.extraArgs', value: { 'node-cidr-mask-size': ['26'] } },
    { path: 'scheduler.extraArgs', value: [{ name: 'v', value: '4' }] },
    ...component('scheduler'),
    { path: 'etcd.local', value: { dataDir: '/elsewhere' } },
    { path: 'etcd.external.httpEndpoints', value: ['http://a:2381'], versions: ['v1beta4'] },
    { path: 'dns.imageRepository', value: 'example.com' },
    { path: 'dns.imageTag', value: '1' },
    { path: 'dns.disabled', value: true, versions: ['v1beta4'] },
    { path: 'proxy.disabled', value: true, versions: ['v1beta4'] },
    { path: 'certificatesDir', value: '/elsewhere' },
    { path: 'imageRepository', value: 'example.com' },
    { path: 'featureGates', value: { A: true } },
    { path: 'encryptionAlgorithm', value: 'RSA-4096', versions: ['v1beta4'] },
    { path: 'certificateValidityPeriod', value: '24h0m0s', versions: ['v1beta4'] },
    { path: 'caCertificateValidityPeriod', value: '24h0m0s', versions: ['v1beta4'] },
  ],
  JoinConfiguration: [
    ...registrationRefused,
    { path: 'encryptionAlgorithm', value: 'ECDSA-P256' },
    { path: 'caCertPath', value: '/elsewhere' },
    { path: 'discovery.file', value: { kubeConfigPath: '/x' } },
    { path: 'discovery.timeout', value: '9m0s', versions: ['v1beta3'] },
  ],
};

function documentOf(kind: Kind, version: Version, { path, value }: Case): string {
  const tree = path.split('.').reduceRight<unknown>((below, name) => ({ [name]: below }), value);
  return JSON.stringify({ apiVersion: `kubeadm.k8s.io/${version}`, kind, ...(tree as object) });
}

function at(tree: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((found, name) => (found as Record<string, unknown> | undefined)?.[name], tree);
}

for (const kind of Object.keys(read) as Kind[])
  describe(kind, () => {
    for (const one of read[kind])
      test(`${one.path} is read`, () => {
        for (const version of one.versions ?? both) {
          const [document] = Object.values(readDocuments(documentOf(kind, version, one)));
          assert.deepEqual(at(document, one.path), one.value, version);
        }
      });
    for (const one of refused[kind])
      test(`${one.path} ${JSON.stringify(one.value)} is refused by name`, () => {
        const named = `"${kind}.${one.path.split('.')[0]}`;
        for (const version of one.versions ?? both)
          assert.throws(
            () => readDocuments(documentOf(kind, version, one)),
            (err: Error & { code: string }) => err.code === 'BAD_CONFIG' && err.message.startsWith(`Cannot use ${named}`),
            version,
          );
      });
  });

test('the kind of keys that are made here asks for nothing', () => {
  assert.deepEqual(readDocuments(documentOf('ClusterConfiguration', 'v1beta4', { path: 'encryptionAlgorithm', value: 'ECDSA-P256' })), {
    cluster: {},
  });
});
