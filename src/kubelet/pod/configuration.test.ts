/** What a pod's specification becomes: environment, resolv.conf, cgroups, the runtime's configurations. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Pod, Service } from '../../api/schema/types.ts';
import { samplePod as p } from '../testing/pod-samples.ts';
import { containerConfig } from './container-config.ts';
import { podDns } from './dns.ts';
import { fieldValue, type NodeFacts, resourceValue } from './downward.ts';
import { ConfigError, type ConfigSource, environmentOf } from './env.ts';
import { hostnameOf, hostsFile } from './hosts-file.ts';
import { qosClassOf } from './qos.ts';
import { containerResources, podResources } from './resources.ts';
import { sandboxConfig } from './sandbox-config.ts';
import { serviceEnv } from './service-env.ts';
import {
  allContainers,
  containerHash,
  fullNameOf,
  initAndMainContainers,
  isFinal,
  isMirror,
  namespaceOf,
  restartPolicyOf,
  specOf,
  uidOf,
} from './spec.ts';

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
    ...{ terminationLog: '/t', memoryCapacity: 1, seccompRoot: '/s' },
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

test('podDns() gives what a resolver can read, each once, and an own option instead of one with its name', () => {
  const dnsConfig = {
    nameservers: ['10.96.0.10', '1.1.1.1', '1.1.1.2', '1.1.1.3'],
    searches: ['lan', ...Array.from({ length: 40 }, (_, i) => `s${i}`)],
    options: [
      { name: 'ndots', value: '1' },
      { name: 'ndots', value: '2' },
      { name: 'edns0', value: '' },
    ],
  };
  const { servers, searches, options } = podDns(p({ dnsConfig }), cluster, host);
  assert.deepEqual(servers, ['10.96.0.10', '1.1.1.1', '1.1.1.2']);
  assert.deepEqual([searches.length, searches.slice(3, 6), searches.at(-1)], [32, ['lan', 's0', 's1'], 's27']);
  assert.deepEqual(options, ['ndots:2', 'edns0']);
  assert.deepEqual(podDns(p({ dnsPolicy: 'Default', dnsConfig: { options: [{ name: 'rotate' }] } }), cluster, host).options, [
    'edns0',
    'rotate',
  ]);
});

test('podDns() is the one of the node where the cluster has none, and the one of the cluster where the pod insists', () => {
  assert.deepEqual(podDns(p(), { servers: [], domain: 'cluster.local' }, host), host);
  assert.deepEqual(podDns(p({ hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' }), cluster, host).servers, cluster.servers);
  assert.deepEqual(podDns(p(), { ...cluster, domain: '' }, host).searches, ['lan']);
});

test('hostsFile() is the file of the node on its network, and begins with the loopback otherwise', () => {
  const hostAliases = [{ ip: '1.2.3.4', hostnames: ['a', 'b'] }, { ip: '1.2.3.5' }];
  const entries = '\n# Entries added by HostAliases.\n1.2.3.4\ta\tb\n1.2.3.5\t\n';
  assert.equal(
    hostsFile(p({ hostNetwork: true, hostAliases }), [], 'x', '127.0.0.1 me\n'),
    `# Kubernetes-managed hosts file (host network).\n127.0.0.1 me\n${entries}`,
  );
  const lines = [
    '# Kubernetes-managed hosts file.',
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'fe00::0\tip6-mcastprefix',
    'fe00::1\tip6-allnodes',
    'fe00::2\tip6-allrouters',
    '10.0.0.1\tme',
    'fd00::1\tme',
  ];
  assert.equal(hostsFile(p({ hostname: 'me' }), ['10.0.0.1', 'fd00::1'], 'x', 'not this'), `${lines.join('\n')}\n`);
});

test('hostnameOf() fits the kernel, and ends in no separator', () => {
  assert.equal(hostnameOf(p({}, { name: `${'a'.repeat(62)}.bc` })), 'a'.repeat(62));
  assert.equal(hostnameOf(p({}, { name: 'b'.repeat(64) })).length, 63);
});

test('serviceEnv() has the variables of Docker links, for every port', () => {
  const service = {
    metadata: { name: 'my-db', namespace: 'app' },
    spec: {
      clusterIP: 'fd00::9',
      ports: [
        { name: 'sql-rw', port: 5432 },
        { port: 53, protocol: 'UDP' },
      ],
    },
  } as unknown as Service;
  assert.deepEqual(Object.fromEntries(serviceEnv([service], 'app', true)), {
    MY_DB_SERVICE_HOST: 'fd00::9',
    MY_DB_SERVICE_PORT: '5432',
    MY_DB_SERVICE_PORT_SQL_RW: '5432',
    MY_DB_PORT: 'tcp://[fd00::9]:5432',
    MY_DB_PORT_5432_TCP: 'tcp://[fd00::9]:5432',
    MY_DB_PORT_5432_TCP_PROTO: 'tcp',
    MY_DB_PORT_5432_TCP_PORT: '5432',
    MY_DB_PORT_5432_TCP_ADDR: 'fd00::9',
    MY_DB_PORT_53_UDP: 'udp://[fd00::9]:53',
    MY_DB_PORT_53_UDP_PROTO: 'udp',
    MY_DB_PORT_53_UDP_PORT: '53',
    MY_DB_PORT_53_UDP_ADDR: 'fd00::9',
  });
});

test('serviceEnv() prefers a Service of the own namespace to the one of the API server, and takes no other', () => {
  const of = (namespace: string, name: string, clusterIP: string): Service =>
    ({ metadata: { name, namespace }, spec: { clusterIP, ports: [] } }) as unknown as Service;
  const all = [of('default', 'kubernetes', '1'), of('app', 'kubernetes', '2'), of('default', 'web', '3'), of('other', 'kubernetes', '4')];
  for (const services of [all, all.toReversed()]) {
    const env = serviceEnv(services, 'app', true);
    assert.deepEqual(
      [env.get('KUBERNETES_SERVICE_HOST'), env.get('KUBERNETES_SERVICE_PORT'), env.has('WEB_SERVICE_HOST')],
      ['2', '', false],
    );
    assert.equal(serviceEnv(services, 'app', false).get('KUBERNETES_SERVICE_HOST'), '1');
  }
});

test('environmentOf() reads Secrets, fields and resources, and says what it does not know', async () => {
  const found = await env(
    {
      envFrom: [
        { secretRef: { name: 'hush' } },
        { secretRef: { name: 'no', optional: true } },
        { configMapRef: { name: 'no', optional: true } },
      ],
      resources: { limits: { cpu: '2' } },
      env: [
        { name: 'name', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
        { name: 'cpu', valueFrom: { resourceFieldRef: { containerName: 'main', resource: 'limits.cpu' } } },
        { name: 'b', valueFrom: { configMapKeyRef: { name: 'conf', key: 'b' } } },
        { name: 'none', valueFrom: { configMapKeyRef: { name: 'conf', key: 'z', optional: true } } },
        { name: 'empty' },
      ],
    },
    p({ containers: [{ name: 'main', image: 'box:1', resources: { limits: { cpu: '2' } } }] }, { namespace: 'app' }),
  );
  const { s, name, cpu, b, empty } = found;
  assert.deepEqual([s, name, cpu, b, empty, 'none' in found], ['x', 'web', '2', '2', '', false]);
  const wrong: readonly [object, string][] = [
    [{ envFrom: [{ secretRef: { name: 'no' } }] }, 'secret "no" not found'],
    [{ env: [{ name: 'x', valueFrom: { secretKeyRef: { name: 'no', key: 'k' } } }] }, 'secret "no" not found'],
    [{ env: [{ name: 'x', valueFrom: { secretKeyRef: { name: 'hush', key: 'k' } } }] }, "couldn't find key k in Secret app/hush"],
    [{ env: [{ name: 'x', valueFrom: { fieldRef: { fieldPath: 'spec.none' } } }] }, 'unsupported fieldPath: spec.none'],
    [{ env: [{ name: 'x', valueFrom: { resourceFieldRef: { resource: 'none.cpu' } } }] }, 'unsupported container resource: none.cpu'],
    [{ env: [{ name: 'x', valueFrom: {} }] }, 'env "x" has a source that is not supported'],
  ];
  for (const [container, message] of wrong)
    await assert.rejects(env(container), (err) => {
      const { name: kind, message: said, reason } = err as ConfigError;
      assert.deepEqual([kind, said, reason], ['ConfigError', message, 'CreateContainerConfigError']);
      return true;
    });
});

test('fieldValue() knows every field of the downward API', () => {
  const pod = p({ serviceAccountName: 'sa' }, { namespace: 'app', annotations: { a: '1', 'b.c/d': '2' }, labels: { z: '9' } });
  const both: NodeFacts = { ...facts, hostIps: ['192.168.120.11', 'fd00::11'], podIps: ['10.244.1.2', 'fd00::2'] };
  const fields: readonly [path: string, wanted: string][] = [
    ['metadata.name', 'web'],
    ['metadata.namespace', 'app'],
    ['metadata.uid', 'u1'],
    ['metadata.annotations', 'a="1"\nb.c/d="2"'],
    ["metadata.annotations['b.c/d']", '2'],
    ["metadata.annotations['z']", ''],
    ["metadata.labels['z']", '9'],
    ['spec.nodeName', 'n1'],
    ['spec.serviceAccountName', 'sa'],
    ['status.hostIP', '192.168.120.11'],
    ['status.hostIPs', '192.168.120.11,fd00::11'],
    ['status.podIP', '10.244.1.2'],
    ['status.podIPs', '10.244.1.2,fd00::2'],
  ];
  for (const [path, wanted] of fields) assert.equal(fieldValue(pod, path, both), wanted, path);
  const nothing: NodeFacts = { ...facts, hostIps: [], podIps: [] };
  for (const path of ['metadata.labels', 'spec.serviceAccountName', 'status.hostIP', 'status.podIP', "metadata.labels['x']"])
    assert.equal(fieldValue(p(), path, nothing), '', path);
});

test('resourceValue() takes a limit for a request, and knows no other container, kind or name', () => {
  const pod = limited({ memory: '2Mi' }, { cpu: '2', memory: '4Mi' });
  const of = (resource: string, more: object = {}): string | undefined => resourceValue(pod, 'main', { resource, ...more }, facts);
  assert.deepEqual([of('requests.cpu'), of('requests.memory'), of('limits.memory')], ['2', '2097152', '4194304']);
  assert.deepEqual([of('limits.ephemeral-storage'), of('requests.ephemeral-storage')], ['0', '0']);
  assert.deepEqual([of('limits.cpu', { divisor: '0' }), of('limits.cpu', { divisor: '' })], ['2', '2']);
  for (const [resource, more] of [['limits.cpu', { containerName: 'other' }], ['cpu'], ['used.cpu'], ['limits']] as const)
    assert.equal(of(resource, more), undefined, resource);
  assert.equal(resourceValue(pod, 'other', { resource: 'limits.cpu', containerName: 'main' }, facts), '2');
});

test('what is asked of a specification has upstream defaults', () => {
  const none: Pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x' } };
  assert.deepEqual([specOf(none), uidOf(none), namespaceOf(none)], [{ containers: [] }, '', 'default']);
  assert.equal(fullNameOf(p()), 'web_default(u1)');
  const container = { name: 'a', image: 'x:1' };
  assert.deepEqual([restartPolicyOf(none, container), restartPolicyOf(p({ restartPolicy: 'Never' }), container)], ['Always', 'Never']);
  const pod = p({ initContainers: [{ name: 'one' }], ephemeralContainers: [{ name: 'debug' }, {} as { name: string }] });
  assert.deepEqual(
    allContainers(pod).map((c) => c.name),
    ['one', 'main', 'debug', ''],
  );
  assert.deepEqual(
    initAndMainContainers(pod).map((c) => c.name),
    ['one', 'main'],
  );
  const hash = containerHash(container);
  assert.match(hash, /^[0-9a-f]{8}$/);
  assert.deepEqual(
    [
      { ...container, name: 'b' },
      { ...container, image: 'x:2' },
      { ...container, args: ['x'] },
    ].map((c) => containerHash(c) === hash),
    [false, false, true],
  );
  const annotated = (annotations: Record<string, string>): Pod => p({}, { annotations });
  assert.deepEqual([isMirror(p()), isMirror(annotated({ 'kubernetes.io/config.mirror': 'h' }))], [false, true]);
  assert.deepEqual(['Failed', 'Succeeded', 'Running', undefined].map(isFinal), [true, true, false, false]);
});

test('sandboxConfig() of a pod that says nothing, and the host name on the network of the node', () => {
  const of = (spec: object): ReturnType<typeof sandboxConfig> => sandboxConfig({ pod: p(spec), attempt: 3, dns: host, logsRoot: '/l' });
  assert.deepEqual(of({}), {
    metadata: { name: 'web', namespace: 'default', uid: 'u1', attempt: 3 },
    hostname: 'web',
    logDirectory: '/l/default_web_u1',
    dnsConfig: host,
    portMappings: [],
    labels: { 'io.kubernetes.pod.name': 'web', 'io.kubernetes.pod.namespace': 'default', 'io.kubernetes.pod.uid': 'u1' },
    annotations: {},
    linux: {
      cgroupParent: '/kubepods/besteffort/podu1',
      sysctls: {},
      securityContext: {
        privileged: false,
        namespaceOptions: { network: 0, pid: 1, ipc: 0 },
        supplementalGroups: [],
        seccomp: { profileType: 0 },
      },
    },
  });
  const securityContext = { runAsUser: 0, runAsGroup: 5, sysctls: [{ name: 'a', value: 'b' }] };
  const side = {
    name: 'side',
    restartPolicy: 'Always',
    ports: [{ containerPort: 53, hostPort: 5353, protocol: 'UDP', hostIP: '1.2.3.4' }],
  };
  const init = { name: 'init', ports: [{ containerPort: 1, hostPort: 1 }] };
  const { hostname, linux, portMappings } = of({
    securityContext,
    initContainers: [init, side],
    containers: [{ name: 'a', securityContext: { privileged: true } }],
  });
  const { runAsUser, runAsGroup, privileged } = linux?.securityContext ?? {};
  assert.deepEqual([hostname, linux?.sysctls, runAsUser, runAsGroup, privileged], ['web', { a: 'b' }, { value: 0 }, { value: 5 }, true]);
  assert.deepEqual(portMappings, [{ protocol: 1, containerPort: 53, hostPort: 5353, hostIp: '1.2.3.4' }]);
  assert.equal(of({ hostNetwork: true }).hostname, '');
});
