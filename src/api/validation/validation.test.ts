import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Service } from '../schema/types.ts';
import { isDns1123Label, isLabelValue } from './names.ts';
import { serviceErrors } from './service.ts';
import { statusOfErrors } from './status.ts';
import { createErrors, updateErrors } from './testing/object-errors.ts';

const box = { name: 'a', image: 'box:1' };
const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [box] } };
const selector = { matchLabels: { app: 'web' } };
const sourceRanges = 'service.beta.kubernetes.io/load-balancer-source-ranges';
const service = (spec: object): object => ({ spec: { ports: [{ port: 80 }], ...spec } });
const pod = (spec: object): object => ({ spec: { containers: [box], ...spec } });

const ipAddress = (name: string, parentRef?: object): object => ({ metadata: { name }, spec: parentRef ? { parentRef } : {} });
const range = (...cidrs: string[]): object => ({ spec: { cidrs } });

const cronJob = (spec: object, name = 'web'): object => ({
  metadata: { name },
  spec: { schedule: '0 * * * *', jobTemplate: { spec: { template: { spec: { restartPolicy: 'Never', containers: [box] } } } }, ...spec },
});

const rbac = 'rbac.authorization.k8s.io/v1';
const binding = (kind: string, subject: object): object => ({
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind, name: 'r' },
  subjects: [subject],
});
const longDomain = `${'a'.repeat(60)}.`.repeat(4).slice(0, -1);
const searchError = (index: number, value: string): string =>
  `spec.dnsConfig.searches[${index}]: Invalid value: "${value}": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*')`;

const creates: readonly [string, string, string, object, readonly string[]][] = [
  ['a minimal pod is fine', 'v1', 'Pod', pod({}), []],
  ['a key that every object of JavaScript has', 'v1', 'ConfigMap', { data: { constructor: 'x' } }, []],
  ['a pod without containers', 'v1', 'Pod', { spec: {} }, ['spec.containers: Required value']],
  [
    'a container without name and image',
    'v1',
    'Pod',
    { spec: { containers: [{}] } },
    ['spec.containers[0].name: Required value', 'spec.containers[0].image: Required value'],
  ],
  [
    'containers that start again by rules of their own',
    'v1',
    'Pod',
    {
      spec: {
        initContainers: [{ ...box, name: 'i', restartPolicy: 'OnFailure' }],
        containers: [
          { ...box, restartPolicy: 'Never', restartPolicyRules: [{ action: 'Restart', exitCodes: { operator: 'In', values: [42] } }] },
        ],
      },
    },
    [],
  ],
  [
    'rules of restart that are none',
    'v1',
    'Pod',
    pod({ containers: [{ ...box, restartPolicyRules: [{ action: 'Stop', exitCodes: { operator: 'Like' } }, { action: 'Restart' }] }] }),
    [
      'spec.containers[0].restartPolicy: Required value: must specify restartPolicy when restart rules are used',
      'spec.containers[0].restartPolicyRules[0].action: Unsupported value: "Stop": supported values: "Restart"',
      'spec.containers[0].restartPolicyRules[0].exitCodes.operator: Unsupported value: "Like": supported values: "In", "NotIn"',
      'spec.containers[0].restartPolicyRules[1].exitCodes: Required value: must be specified',
    ],
  ],
  [
    'a Job without a name',
    'batch/v1',
    'Job',
    { metadata: { name: undefined }, spec: { template: { spec: { restartPolicy: 'Never', containers: [box] } } } },
    ['metadata.name: Required value: name or generateName is required'],
  ],
  [
    'domains to search, with underscores and a final dot',
    'v1',
    'Pod',
    pod({ dnsConfig: { searches: ['_tcp.my_zone.example.', '.', 'a_b'] } }),
    [],
  ],
  [
    'domains to search that are none',
    'v1',
    'Pod',
    pod({ dnsConfig: { searches: ['a_', 'example..com'] } }),
    [searchError(0, 'a_'), searchError(1, 'example..com')],
  ],
  [
    'domains to search that fill more than a resolv.conf',
    'v1',
    'Pod',
    pod({ dnsConfig: { searches: Array(9).fill(longDomain) } }),
    [
      `spec.dnsConfig.searches: Invalid value: ${JSON.stringify(Array(9).fill(longDomain))}: must not have more than 2048 characters (including spaces) in the search list`,
    ],
  ],
  [
    'an account without a namespace in a RoleBinding is one of its own',
    rbac,
    'RoleBinding',
    binding('Role', { kind: 'ServiceAccount', name: 'a' }),
    [],
  ],
  [
    'an account without a namespace in a ClusterRoleBinding',
    rbac,
    'ClusterRoleBinding',
    binding('ClusterRole', { kind: 'ServiceAccount', name: 'a' }),
    ['subjects[0].namespace: Required value'],
  ],
  ['a minimal CronJob is fine', 'batch/v1', 'CronJob', cronJob({}), []],
  ['a CronJob without a schedule', 'batch/v1', 'CronJob', cronJob({ schedule: '' }), ['spec.schedule: Required value']],
  [
    'a CronJob with a long name, a schedule that is none and an unknown time zone',
    'batch/v1',
    'CronJob',
    cronJob({ schedule: '* * * *', timeZone: 'Mars/Base' }, 'a'.repeat(53)),
    [
      'spec.schedule: Invalid value: "* * * *": expected exactly 5 fields, found 4: [* * * *]',
      'spec.timeZone: Invalid value: "Mars/Base": unknown time zone Mars/Base',
      `metadata.name: Invalid value: "${'a'.repeat(53)}": must be no more than 52 characters`,
    ],
  ],
  [
    'a CronJob with a time zone in its schedule',
    'batch/v1',
    'CronJob',
    cronJob({ schedule: 'TZ=UTC 0 * * * *' }),
    ['spec.schedule: Invalid value: "TZ=UTC 0 * * * *": cannot use TZ or CRON_TZ in schedule, use timeZone field instead'],
  ],
  [
    'a CronJob in the time zone of whoever reads it',
    'batch/v1',
    'CronJob',
    cronJob({ timeZone: 'Local' }),
    ['spec.timeZone: Invalid value: "Local": timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones'],
  ],
  [
    'a CronJob with an offset',
    'batch/v1',
    'CronJob',
    cronJob({ timeZone: '+01' }),
    ['spec.timeZone: Invalid value: "+01": unknown time zone +01'],
  ],
  [
    'a CronJob that counts back',
    'batch/v1',
    'CronJob',
    cronJob({ concurrencyPolicy: 'Never', startingDeadlineSeconds: -1, failedJobsHistoryLimit: -1 }),
    [
      'spec.concurrencyPolicy: Unsupported value: "Never": supported values: "Allow", "Forbid", "Replace"',
      'spec.startingDeadlineSeconds: Invalid value: -1: must be greater than or equal to 0',
      'spec.failedJobsHistoryLimit: Invalid value: -1: must be greater than or equal to 0',
    ],
  ],
  ['two containers of one name', 'v1', 'Pod', { spec: { containers: [box, box] } }, ['spec.containers[1].name: Duplicate value: "a"']],
  [
    'sysctls with names that are none',
    'v1',
    'Pod',
    pod({
      securityContext: {
        sysctls: [
          { name: 'foo-', value: '1' },
          { name: 'kernel.shmmax', value: '1' },
          { name: 'net/ipv4/conf', value: '1' },
          { name: 'bar..', value: '1' },
          { name: 'kernel.shmmax', value: '2' },
        ],
      },
    }),
    [
      ...[
        [0, 'foo-'],
        [3, 'bar..'],
      ].map(
        ([i, name]) =>
          `spec.securityContext.sysctls[${i}].name: Invalid value: "${name}": must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$`,
      ),
      'spec.securityContext.sysctls[4].name: Duplicate value: "kernel.shmmax"',
    ],
  ],
  [
    'a RuntimeClass of which nothing could run',
    'node.k8s.io/v1',
    'RuntimeClass',
    {
      handler: '',
      overhead: { podFixed: { cpu: '-1' } },
      scheduling: { nodeSelector: { a: '-' }, tolerations: [{ operator: 'Perhaps', key: 'a' }] },
    },
    [
      `handler: Invalid value: "": ${isDns1123Label('')[0]}`,
      'overhead.podFixed[cpu]: Invalid value: "-1": must be greater than or equal to 0',
      `scheduling.nodeSelector: Invalid value: "-": ${isLabelValue('-')[0]}`,
      'scheduling.tolerations[0].operator: Unsupported value: "Perhaps": supported values: "Equal", "Exists"',
    ],
  ],
  [
    'an unknown restart policy',
    'v1',
    'Pod',
    pod({ restartPolicy: 'Sometimes' }),
    ['spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"'],
  ],
  [
    'a port out of range',
    'v1',
    'Pod',
    { spec: { containers: [{ ...box, ports: [{ containerPort: 70000 }] }] } },
    ['spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive'],
  ],
  [
    'a mount of a volume that is not there',
    'v1',
    'Pod',
    { spec: { containers: [{ ...box, volumeMounts: [{ name: 'x', mountPath: '/x' }] }] } },
    ['spec.containers[0].volumeMounts[0].name: Not found: "x"'],
  ],
  [
    'a request above its limit',
    'v1',
    'Pod',
    { spec: { containers: [{ ...box, resources: { requests: { cpu: '2' }, limits: { cpu: '1' } } }] } },
    ['spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1'],
  ],
  [
    'a seccomp profile outside of the folder of profiles',
    'v1',
    'Pod',
    {
      spec: {
        securityContext: { seccompProfile: { type: 'Localhost', localhostProfile: '/etc/passwd' } },
        containers: [{ ...box, securityContext: { seccompProfile: { type: 'Localhost', localhostProfile: 'a/../../b' } } }],
      },
    },
    [
      'spec.containers[0].securityContext.seccompProfile.localhostProfile: Invalid value: "a/../../b": must not contain \'..\'',
      'spec.securityContext.seccompProfile.localhostProfile: Invalid value: "/etc/passwd": must be a relative path',
    ],
  ],
  [
    'seccomp profiles that do not fit their type',
    'v1',
    'Pod',
    {
      spec: {
        securityContext: { seccompProfile: { type: 'Localhost' } },
        containers: [{ ...box, securityContext: { seccompProfile: { type: 'RuntimeDefault', localhostProfile: 'a' } } }],
      },
    },
    [
      'spec.containers[0].securityContext.seccompProfile.localhostProfile: Invalid value: {"type":"RuntimeDefault","localhostProfile":"a"}: can only be set when seccomp type is Localhost',
      'spec.securityContext.seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost',
    ],
  ],
  [
    'a probe without a handler',
    'v1',
    'Pod',
    { spec: { containers: [{ ...box, livenessProbe: {} }] } },
    ['spec.containers[0].livenessProbe: Required value: must specify a handler type'],
  ],
  [
    'a toleration without key and operator',
    'v1',
    'Pod',
    pod({ tolerations: [{ effect: 'NoSchedule' }] }),
    [
      'spec.tolerations[0].operator: Invalid value: "": operator must be Exists when `key` is empty, which means "match all values and all keys"',
    ],
  ],
  ['a minimal Service is fine', 'v1', 'Service', service({}), []],
  ...(
    [
      ['LoadBalancer', '10.0.0.0/8, 1.2.3.4/32', undefined, []],
      ['LoadBalancer', ' ', undefined, []],
      [
        'LoadBalancer',
        '10.0.0.0/8,x',
        undefined,
        [`metadata.annotations[${sourceRanges}]: Invalid value: "x": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)`],
      ],
      ['NodePort', '', undefined, [`metadata.annotations[${sourceRanges}]: Forbidden: may only be used when \`type\` is 'LoadBalancer'`]],
      ['LoadBalancer', 'x', ['1.2.3.0/24'], []],
      ['ClusterIP', 'x', ['1.2.3.0/24'], ["spec.LoadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'"]],
    ] as const
  ).map(([type, text, loadBalancerSourceRanges, errors]): [string, string, string, object, readonly string[]] => [
    `a ${type} Service with source ranges ${JSON.stringify(text)} in the annotation and ${loadBalancerSourceRanges ?? 'none'} in the field`,
    'v1',
    'Service',
    {
      metadata: { annotations: { [sourceRanges]: text } },
      ...service({ type, allocateLoadBalancerNodePorts: type === 'LoadBalancer' || undefined, loadBalancerSourceRanges }),
    },
    errors,
  ]),
  ['a Service without ports', 'v1', 'Service', { spec: {} }, ['spec.ports: Required value']],
  ['a headless Service needs no ports', 'v1', 'Service', { spec: { clusterIP: 'None', clusterIPs: ['None'] } }, []],
  [
    'two ports need names',
    'v1',
    'Service',
    { spec: { ports: [{ port: 80 }, { port: 81 }] } },
    ['spec.ports[0].name: Required value', 'spec.ports[1].name: Required value'],
  ],
  [
    'a node port of a ClusterIP Service',
    'v1',
    'Service',
    { spec: { ports: [{ port: 80, nodePort: 30080 }] } },
    ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
  ],
  [
    'an unknown type',
    'v1',
    'Service',
    service({ type: 'Magic' }),
    ['spec.type: Unsupported value: "Magic": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"'],
  ],
  [
    'a cluster IP that is no address',
    'v1',
    'Service',
    service({ clusterIP: 'ten', clusterIPs: ['ten'] }),
    ['spec.clusterIPs[0]: Invalid value: "ten": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'],
  ],
  [
    'a loopback external IP',
    'v1',
    'Service',
    service({ externalIPs: ['127.0.0.1'] }),
    ['spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)'],
  ],
  [
    'an affinity of more than a day',
    'v1',
    'Service',
    service({ sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 90_000 } } }),
    ['spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 90000: must be greater than 0 and less than 86400'],
  ],
  ['an ExternalName without a name', 'v1', 'Service', { spec: { type: 'ExternalName' } }, ['spec.externalName: Required value']],
  [
    'the name of a Service starts with a letter',
    'v1',
    'Service',
    { ...service({}), metadata: { name: '1web' } },
    [
      "metadata.name: Invalid value: \"1web\": a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
    ],
  ],
  ['a minimal Deployment is fine', 'apps/v1', 'Deployment', { spec: { selector, template } }, []],
  [
    'a selector that does not take the template',
    'apps/v1',
    'Deployment',
    { spec: { selector: { matchLabels: { app: 'other' } }, template } },
    ['spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`'],
  ],
  ['a Deployment without a selector', 'apps/v1', 'Deployment', { spec: { template } }, ['spec.selector: Required value']],
  [
    'a Deployment whose pods do not restart',
    'apps/v1',
    'Deployment',
    { spec: { selector, template: { ...template, spec: { restartPolicy: 'Never', containers: [box] } } } },
    ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
  ],
  [
    'negative replicas',
    'apps/v1',
    'Deployment',
    { spec: { replicas: -1, selector, template } },
    ['spec.replicas: Invalid value: -1: must be greater than or equal to 0'],
  ],
  [
    'a rollout that could never move',
    'apps/v1',
    'Deployment',
    { spec: { selector, template, strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } } } },
    ['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0'],
  ],
  ...(
    [
      [2, []],
      ['50%', []],
      ['100%', []],
      [0, ['0: cannot be 0']],
      ['0%', ['"0%": cannot be 0']],
      [-1, ['-1: must be greater than or equal to 0']],
      ['101%', ['"101%": must not be greater than 100%']],
      [
        'two',
        [
          `"two": a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%', or '93%', regex used for validation is '[0-9]+%')`,
          '"two": cannot be 0',
        ],
      ],
    ] as const
  ).map(([maxUnavailable, errors]): [string, string, string, object, string[]] => [
    `a StatefulSet of which ${maxUnavailable} may be missing in an update`,
    'apps/v1',
    'StatefulSet',
    { spec: { selector, template, updateStrategy: { rollingUpdate: { maxUnavailable } } } },
    errors.map((text) => `spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: ${text}`),
  ]),
  [
    'a label that is none',
    'v1',
    'ConfigMap',
    { metadata: { labels: { 'a b': 'x' } } },
    [
      "metadata.labels: Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
    ],
  ],
  ['a key of a ConfigMap', 'v1', 'ConfigMap', { data: { '..': 'x' } }, ['data[..]: Invalid value: "..": must not be \'..\'']],
  [
    'a TLS secret without its key',
    'v1',
    'Secret',
    { type: 'kubernetes.io/tls', data: { 'tls.crt': 'eA==' } },
    ['data[tls.key]: Required value'],
  ],
  [
    'a rule without verbs',
    'rbac.authorization.k8s.io/v1',
    'Role',
    { rules: [{ apiGroups: [''], resources: ['pods'] }] },
    ['rules[0].verbs: Required value: verbs must contain at least one value'],
  ],
  [
    'an endpoint of the wrong family',
    'discovery.k8s.io/v1',
    'EndpointSlice',
    { addressType: 'IPv4', endpoints: [{ addresses: ['fd00::1'] }] },
    ['endpoints[0].addresses[0]: Invalid value: "fd00::1": must be an IPv4 address'],
  ],
  [
    'a cluster object in a namespace',
    'v1',
    'Node',
    { metadata: { namespace: 'x' } },
    ['metadata.namespace: Forbidden: not allowed on this type'],
  ],
  ['an IPAddress of IPv6 is fine', 'networking.k8s.io/v1', 'IPAddress', ipAddress('fe80::42', { resource: 'r', name: 'n' }), []],
  [
    'an IPAddress whose name is none, of nothing',
    'networking.k8s.io/v1',
    'IPAddress',
    ipAddress('web'),
    [
      'metadata.name: Invalid value: "web": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
      'spec.parentRef: Required value',
    ],
  ],
  [
    'an IPAddress that is written in another way than the usual',
    'networking.k8s.io/v1',
    'IPAddress',
    ipAddress('fe80:0::42', { resource: 'r', name: 'n' }),
    ['metadata.name: Invalid value: "fe80:0::42": must be in canonical form ("fe80::42")'],
  ],
  ['a ServiceCIDR of both families is fine', 'networking.k8s.io/v1', 'ServiceCIDR', range('10.0.0.0/24', 'fd00::/112'), []],
  [
    'a ServiceCIDR without ranges',
    'networking.k8s.io/v1',
    'ServiceCIDR',
    range(),
    ['spec.cidrs: Required value: at least one CIDR required'],
  ],
  [
    'a ServiceCIDR of what is no range',
    'networking.k8s.io/v1',
    'ServiceCIDR',
    range('10.0.0.1/24'),
    ['spec.cidrs[0]: Invalid value: "10.0.0.1/24": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'],
  ],
  [
    'a ServiceCIDR with two ranges of one family',
    'networking.k8s.io/v1',
    'ServiceCIDR',
    range('10.0.0.0/24', '10.0.1.0/24'),
    [
      'spec.cidrs: Invalid value: ["10.0.0.0/24","10.0.1.0/24"]: may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64',
    ],
  ],
];

for (const [name, apiVersion, kind, given, wanted] of creates) {
  test(`create: ${name}`, () => assert.deepEqual(createErrors(apiVersion, kind, given), wanted));
}

const ip = { clusterIP: '10.96.0.7', clusterIPs: ['10.96.0.7'] };
const updates: readonly [string, string, string, object, object, readonly string[]][] = [
  [
    'the handler of a RuntimeClass',
    'node.k8s.io/v1',
    'RuntimeClass',
    { handler: 'runc' },
    { handler: 'kata' },
    ['handler: Invalid value: "kata": field is immutable'],
  ],
  [
    "a Deployment's selector",
    'apps/v1',
    'Deployment',
    { spec: { selector, template } },
    { spec: { selector: { matchLabels: { tier: 'x' } }, template: { ...template, metadata: { labels: { tier: 'x' } } } } },
    ['spec.selector: Invalid value: {"matchLabels":{"tier":"x"}}: field is immutable'],
  ],
  [
    "a Service's address",
    'v1',
    'Service',
    service(ip),
    service({ clusterIP: '10.96.0.8', clusterIPs: ['10.96.0.8'] }),
    ['spec.clusterIPs[0]: Invalid value: ["10.96.0.8"]: may not change once set'],
  ],
  [
    'an image of a pod may change',
    'v1',
    'Pod',
    pod({}),
    { spec: { containers: [{ ...box, image: 'box:2', imagePullPolicy: 'IfNotPresent' }] } },
    [],
  ],
  ['a pod takes more tolerations', 'v1', 'Pod', pod({}), pod({ tolerations: [{ operator: 'Exists' }] }), []],
  [
    'a pod gets no more containers',
    'v1',
    'Pod',
    pod({}),
    { spec: { containers: [box, { ...box, name: 'b' }] } },
    ['spec.containers: Forbidden: pod updates may not add or remove containers'],
  ],
  [
    'the type of a Secret',
    'v1',
    'Secret',
    { type: 'Opaque' },
    { type: 'example.com/x' },
    ['type: Invalid value: "example.com/x": field is immutable'],
  ],
  [
    'a frozen ConfigMap',
    'v1',
    'ConfigMap',
    { immutable: true, data: { a: '1' } },
    { immutable: true, data: { a: '2' } },
    ['data: Forbidden: field is immutable when `immutable` is set'],
  ],
  [
    'the role of a binding',
    'rbac.authorization.k8s.io/v1',
    'RoleBinding',
    { roleRef: { kind: 'Role', name: 'a' } },
    { roleRef: { kind: 'Role', name: 'b' } },
    ['roleRef: Invalid value: {"kind":"Role","name":"b","apiGroup":"rbac.authorization.k8s.io"}: cannot change roleRef'],
  ],
  ['a uid', 'v1', 'ConfigMap', {}, { metadata: { uid: 'other' } }, ['metadata.uid: Invalid value: "other": field is immutable']],
  [
    'milliseconds that a client adds to a time are no change',
    'v1',
    'ConfigMap',
    {},
    { metadata: { creationTimestamp: '2026-01-01T00:00:00.000Z' } },
    [],
  ],
];

test('source ranges in the annotation that were there before are taken as they are', () => {
  const balancer = (text: string): Service => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', annotations: { [sourceRanges]: text } },
    ...service({ type: 'LoadBalancer' }),
  });
  const wrong = (old: string, next: string): number =>
    serviceErrors(balancer(next), balancer(old)).filter(({ path }) => path.includes(sourceRanges)).length;
  assert.deepEqual([wrong('x', 'x'), wrong('x', 'y'), wrong('x', '10.0.0.0/8')], [0, 1, 0]);
});

for (const [name, apiVersion, kind, before, after, wanted] of updates) {
  test(`update: ${name}`, () => assert.deepEqual(updateErrors(apiVersion, kind, before, after), wanted));
}

test('a pod says which field may not change, and how it did', () => {
  const [text] = updateErrors('v1', 'Pod', pod({}), pod({ hostname: 'x' }));
  assert.match(text!, /^spec: Forbidden: pod updates may not change fields other than `spec.containers\[\*\].image`/);
  assert.match(text!, /hostname:\n- {3}unset\n\+ {3}"x"$/);
});

test('statusOfErrors() is what upstream answers', () => {
  const errors = [
    { type: 'FieldValueRequired', path: 'spec.ports', detail: '' },
    { type: 'FieldValueInvalid', path: 'spec.ports[0].nodePort', value: 80, detail: 'provided port is not in the valid range' },
  ] as const;
  assert.deepEqual(statusOfErrors({ group: 'apps', kind: 'Deployment' }, 'web', errors), {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message:
      'Deployment.apps "web" is invalid: [spec.ports: Required value, spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range]',
    reason: 'Invalid',
    details: {
      name: 'web',
      group: 'apps',
      kind: 'Deployment',
      causes: [
        { reason: 'FieldValueRequired', message: 'Required value', field: 'spec.ports' },
        {
          reason: 'FieldValueInvalid',
          message: 'Invalid value: 80: provided port is not in the valid range',
          field: 'spec.ports[0].nodePort',
        },
      ],
    },
    code: 422,
  });
  assert.equal(statusOfErrors({ group: '', kind: 'Pod' }, 'a', [errors[0]]).message, 'Pod "a" is invalid: spec.ports: Required value');
});
