/** What a pod's specification becomes: environment, resolv.conf, cgroups, the runtime's configurations. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Pod, Service } from '../../api/schema/types.ts';
import { samplePod as p } from '../testing/pod-samples.ts';
import { KeyedBackOff } from './back-off.ts';
import { containerConfig } from './container-config.ts';
import { podDns } from './dns.ts';
import { fieldValue, type NodeFacts, resourceValue } from './downward.ts';
import { ConfigError, type ConfigSource, environmentOf } from './env.ts';
import { hostsFile } from './hosts-file.ts';
import { qosClassOf } from './qos.ts';
import { containerResources, podResources } from './resources.ts';
import { sandboxConfig } from './sandbox-config.ts';

const facts: NodeFacts = { nodeName: 'n1', hostIps: ['192.168.120.11'], podIps: ['10.244.1.2'], allocatable: { cpu: '4', memory: '8Gi' } };
const limited = (requests?: Record<string, string>, limits?: Record<string, string>): Pod =>
  p({ containers: [{ name: 'main', image: 'box:1', resources: { requests, limits } }] });

const classes: readonly [name: string, pod: Pod, wanted: string][] = [
  ['nothing is asked for', limited(), 'BestEffort'],
  ['something is asked for', limited({ cpu: '100m' }), 'Burstable'],
  ['only cpu has a limit', limited({}, { cpu: '1' }), 'Burstable'],
  ['all limits are the requests', limited({ cpu: '1', memory: '1Gi' }, { cpu: '1', memory: '1Gi' }), 'Guaranteed'],
  ['a limit is the request in other words', limited({ cpu: '1000m', memory: '1024Mi' }, { cpu: '1', memory: '1Gi' }), 'Guaranteed'],
  ['limits stand for requests', limited(undefined, { cpu: '1', memory: '1Gi' }), 'Guaranteed'],
];
for (const [name, pod, wanted] of classes) test(`qosClassOf() is ${wanted} when ${name}`, () => assert.equal(qosClassOf(pod), wanted));

test('containerResources() turns requests and limits into cgroup values', () => {
  const pod = limited({ cpu: '250m', memory: '1Gi' }, { cpu: '500m', memory: '2Gi' });
  assert.deepEqual(containerResources(pod, pod.spec!.containers[0]!, 4 * 2 ** 30), {
    cpuPeriod: 100_000,
    cpuQuota: 50_000,
    cpuShares: 256,
    memoryLimitInBytes: 2 ** 31,
    memorySwapLimitInBytes: 2 ** 31,
    oomScoreAdj: 750,
  });
});

test('podResources() puts a pod under its class, without a limit unless all containers have one', () => {
  assert.deepEqual(podResources(limited({ cpu: '1' })), {
    cgroup: '/kubepods/burstable/podu1',
    cpuShares: 1024,
    cpuQuota: 0,
    memoryLimit: 0,
  });
  assert.equal(podResources(limited(undefined, { cpu: '1', memory: '1Mi' })).memoryLimit, 2 ** 20);
});

test('podResources() adds what the RuntimeClass costs, and makes no limit of it', () => {
  const overhead = { cpu: '1', memory: '1Mi' };
  const withOverhead = (pod: Pod): Pod => ({ ...pod, spec: { ...pod.spec!, overhead } });
  const { cpuShares, cpuQuota, memoryLimit } = podResources(withOverhead(limited(undefined, { cpu: '1', memory: '1Mi' })));
  assert.deepEqual({ cpuShares, cpuQuota, memoryLimit }, { cpuShares: 2048, cpuQuota: 200_000, memoryLimit: 2 ** 21 });
  assert.equal(podResources(withOverhead(limited())).memoryLimit, 0);
});

const services = [
  {
    metadata: { name: 'kubernetes', namespace: 'default' },
    spec: { clusterIP: '10.96.0.1', ports: [{ name: 'https', port: 443, protocol: 'TCP' }] },
  },
  { metadata: { name: 'my-db', namespace: 'app' }, spec: { clusterIP: '10.96.0.9', ports: [{ port: 5432, protocol: 'TCP' }] } },
  { metadata: { name: 'headless', namespace: 'app' }, spec: { clusterIP: 'None', ports: [{ port: 1 }] } },
] as unknown as Service[];

const source: ConfigSource = {
  configMap: async (_, name) =>
    name === 'conf' ? { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { a: '1', b: '2' } } : undefined,
  secret: async (_, name) =>
    name === 'hush'
      ? { apiVersion: 'v1', kind: 'Secret', metadata: { name }, data: { s: Buffer.from('x').toString('base64') } }
      : undefined,
};

async function env(container: object, pod: Pod = p({}, { namespace: 'app' })): Promise<Record<string, string>> {
  const shape = { name: 'main', ...container };
  return Object.fromEntries(await environmentOf({ pod, container: shape, services, facts, source }));
}

test('environmentOf() knows the Services of the namespace and the API server', async () => {
  const found = await env({});
  assert.equal(found.KUBERNETES_SERVICE_HOST, '10.96.0.1');
  assert.equal(found.KUBERNETES_SERVICE_PORT_HTTPS, '443');
  assert.equal(found.MY_DB_PORT, 'tcp://10.96.0.9:5432');
  assert.equal(found.MY_DB_PORT_5432_TCP_ADDR, '10.96.0.9');
  assert.equal(found.HEADLESS_SERVICE_HOST, undefined);
});

test('environmentOf() knows only the API server without service links', async () => {
  const found = await env({}, p({ enableServiceLinks: false }, { namespace: 'app' }));
  assert.equal(found.KUBERNETES_SERVICE_HOST, '10.96.0.1');
  assert.equal(found.MY_DB_SERVICE_HOST, undefined);
});

test('environmentOf() lets env win over envFrom, and values refer to what came before', async () => {
  const found = await env({
    envFrom: [{ prefix: 'P_', configMapRef: { name: 'conf' } }, { configMapRef: { name: 'conf' } }],
    env: [
      { name: 'a', value: 'own' },
      { name: 'all', value: '$(P_b)$(a)$(MY_DB_SERVICE_HOST)$(none)' },
      { name: 's', valueFrom: { secretKeyRef: { name: 'hush', key: 's' } } },
      { name: 'maybe', valueFrom: { secretKeyRef: { name: 'no', key: 's', optional: true } } },
    ],
  });
  assert.equal(found.P_a, '1');
  assert.equal(found.a, 'own');
  assert.equal(found.all, '2own10.96.0.9$(none)');
  assert.equal(found.s, 'x');
  assert.equal('maybe' in found, false);
});

test('environmentOf() says what is missing', async () => {
  await assert.rejects(env({ envFrom: [{ configMapRef: { name: 'no' } }] }), new ConfigError('configmap "no" not found'));
  await assert.rejects(
    env({ env: [{ name: 'x', valueFrom: { configMapKeyRef: { name: 'conf', key: 'z' } } }] }),
    new ConfigError("couldn't find key z in ConfigMap app/conf"),
  );
});

test('fieldValue() reads labels, annotations and addresses', () => {
  const pod = p({}, { labels: { b: '2', a: 'x"y' } });
  assert.equal(fieldValue(pod, "metadata.labels['b']", facts), '2');
  assert.equal(fieldValue(pod, 'metadata.labels', facts), 'a="x\\"y"\nb="2"');
  assert.equal(fieldValue(pod, 'status.podIP', facts), '10.244.1.2');
  assert.equal(fieldValue(pod, 'status.nothing', facts), undefined);
});

test('resourceValue() rounds up to the divisor, and takes the node for a limit that is not there', () => {
  const pod = limited({ cpu: '1500m' }, { memory: '100M' });
  const of = (resource: string, divisor?: string): string | undefined => resourceValue(pod, 'main', { resource, divisor }, facts);
  assert.equal(of('requests.cpu'), '2');
  assert.equal(of('requests.cpu', '1m'), '1500');
  assert.equal(of('limits.memory', '1Mi'), '96');
  assert.equal(of('limits.cpu'), '4');
});

const cluster = { servers: ['10.96.0.10'], domain: 'cluster.local' };
const host = { servers: ['9.9.9.9'], searches: ['lan'], options: ['edns0'] };
const resolvers: readonly [name: string, spec: object, wanted: object][] = [
  [
    'by default the cluster and its names',
    {},
    { servers: ['10.96.0.10'], searches: ['default.svc.cluster.local', 'svc.cluster.local', 'cluster.local', 'lan'], options: ['ndots:5'] },
  ],
  ["with the node's network what the node has", { hostNetwork: true }, host],
  ['with Default what the node has', { dnsPolicy: 'Default' }, host],
  [
    'with None only its own',
    { dnsPolicy: 'None', dnsConfig: { nameservers: ['1.1.1.1'], options: [{ name: 'ndots', value: '2' }, { name: 'rotate' }] } },
    { servers: ['1.1.1.1'], searches: [], options: ['ndots:2', 'rotate'] },
  ],
];
for (const [name, spec, wanted] of resolvers) test(`podDns() is ${name}`, () => assert.deepEqual(podDns(p(spec), cluster, host), wanted));

test('hostsFile() names the pod, and with a subdomain in full', () => {
  assert.match(hostsFile(p(), ['10.244.1.2'], 'cluster.local', ''), /^10\.244\.1\.2\tweb$/m);
  const text = hostsFile(
    p({ subdomain: 'sub', hostAliases: [{ ip: '1.2.3.4', hostnames: ['a', 'b'] }] }),
    ['10.244.1.2'],
    'cluster.local',
    '',
  );
  assert.match(text, /^10\.244\.1\.2\tweb\.sub\.default\.svc\.cluster\.local\tweb$/m);
  assert.match(text, /^1\.2\.3\.4\ta\tb$/m);
});

test('sandboxConfig() passes on host ports, unless the network is the node’s', () => {
  const containers = [{ name: 'main', image: 'box:1', ports: [{ containerPort: 80, hostPort: 8080 }, { containerPort: 81 }] }];
  const of = (spec: object): unknown[] => [
    ...(sandboxConfig({ pod: p({ containers, ...spec }), attempt: 0, dns: host, logsRoot: '/l' }).portMappings ?? []),
  ];
  assert.deepEqual(of({}), [{ protocol: 0, containerPort: 80, hostPort: 8080, hostIp: '' }]);
  assert.deepEqual(of({ hostNetwork: true }), []);
});

test('containerConfig() expands command and args, and carries over the security context', () => {
  const container = {
    name: 'main',
    command: ['run', '$(X)'],
    args: ['$$(X)', '$(Y)'],
    securityContext: {
      runAsUser: 7,
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      capabilities: { add: ['NET_ADMIN'], drop: ['ALL'] },
    },
  };
  const pod = p({ containers: [container], securityContext: { fsGroup: 9, runAsGroup: 8 } });
  const config = containerConfig({
    ...{ pod, container, imageRef: 'sha256:1', env: new Map([['X', '1']]), mounts: [], restartCount: 2 },
    ...{ terminationLog: '/t', memoryCapacity: 1 },
  });
  assert.deepEqual(config.command, ['run', '1']);
  assert.deepEqual(config.args, ['$(X)', '$(Y)']);
  assert.equal(config.logPath, 'main/2.log');
  const security = config.linux?.securityContext;
  assert.equal(security?.runAsUser?.value, 7);
  assert.equal(security?.runAsGroup?.value, 8);
  assert.deepEqual(security?.supplementalGroups, [9]);
  assert.equal(security?.noNewPrivs, true);
  assert.ok(security?.maskedPaths?.includes('/proc/kcore'));
});

test('KeyedBackOff doubles from failure to failure up to its limit, and starts afresh after a long good time', () => {
  const backOff = new KeyedBackOff(10_000, 300_000);
  let now = 0;
  const delays: number[] = [];
  for (let i = 0; i < 7; i++) {
    assert.equal(backOff.remaining('k', now, now + backOff.delay('k')), 0);
    backOff.next('k', now, now);
    delays.push(backOff.delay('k') / 1000);
    now += 1000;
  }
  assert.deepEqual(delays, [10, 20, 40, 80, 160, 300, 300]);
  assert.equal(backOff.remaining('k', now, now + 100_000), 200_000);
  now += 700_000;
  assert.equal(backOff.remaining('k', now, now), 0);
  backOff.next('k', now, now);
  assert.equal(backOff.delay('k'), 10_000);
});
