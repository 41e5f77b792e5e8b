/** LimitRanges, ResourceQuotas, and what is written where they are. */

const container = (requests?: object, limits?: object, name: string = 'c'): object => ({
  name,
  image: 'example.com/c',
  resources: { ...(requests ? { requests } : {}), ...(limits ? { limits } : {}) },
});

export const pods: Readonly<Record<string, object>> = {
  plain: { containers: [container()] },
  small: { containers: [container({ cpu: '10m', memory: '8Mi' }, { cpu: '20m', memory: '16Mi' })] },
  fits: { containers: [container({ cpu: '200m', memory: '64Mi' }, { cpu: '400m', memory: '128Mi' })] },
  large: { containers: [container({ cpu: '4', memory: '8Gi' }, { cpu: '8', memory: '16Gi' })] },
  wide: { containers: [container({ cpu: '100m' }, { cpu: '1' })] },
  several: {
    initContainers: [
      container({ cpu: '2' }, { cpu: '2' }, 'i'),
      { ...container({ cpu: '100m' }, undefined, 's'), restartPolicy: 'Always' },
    ],
    containers: [container({ cpu: '300m' }, { cpu: '1500m' }, 'a'), container(undefined, { memory: '200Mi' }, 'b')],
  },
  whole: { resources: { requests: { cpu: '1', memory: '1Gi' }, limits: { cpu: '2', memory: '1Gi' } }, containers: [container()] },
  devices: { containers: [container({ 'example.com/gpu': '2' }, { 'example.com/gpu': '2' })] },
};

const claim = (storage: string, more: object = {}): object => ({
  accessModes: ['ReadWriteOnce'],
  resources: { requests: { storage } },
  ...more,
});
export const claims: Readonly<Record<string, object>> = { little: claim('100Mi'), some: claim('5Gi'), much: claim('50Gi') };
export const tooLarge: object = claim('2Ti');

export const limitRangeCases: Readonly<Record<string, readonly object[]>> = {
  'bounds of containers': [{ type: 'Container', min: { cpu: '50m', memory: '32Mi' }, max: { cpu: '2', memory: '1Gi' } }],
  'defaults of containers': [
    { type: 'Container', default: { cpu: '500m', memory: '256Mi' }, defaultRequest: { cpu: '250m', 'ephemeral-storage': '1Gi' } },
  ],
  'the default that follows from a maximum': [{ type: 'Container', max: { memory: '300Mi' } }],
  'a ratio': [{ type: 'Container', maxLimitRequestRatio: { cpu: '4' } }],
  'bounds of pods': [{ type: 'Pod', min: { cpu: '100m' }, max: { cpu: '2', memory: '512Mi' }, maxLimitRequestRatio: { cpu: '3' } }],
  'bounds of claims': [{ type: 'PersistentVolumeClaim', min: { storage: '1Gi' }, max: { storage: '10Gi' } }],
  'all of it': [
    { type: 'Container', min: { cpu: '50m' }, max: { cpu: '3' }, defaultRequest: { cpu: '100m' }, maxLimitRequestRatio: { cpu: '5' } },
    { type: 'Pod', max: { memory: '1Gi' } },
    { type: 'PersistentVolumeClaim', max: { storage: '10Gi' } },
  ],
};

type Write = readonly [method: string, resource: string, body: object, dryRun?: boolean];

interface QuotaCase {
  readonly what: string;
  readonly spec: { readonly hard: Readonly<Record<string, string>>; readonly [key: string]: unknown };
  /** Absent: nobody has counted yet. */
  readonly used?: Readonly<Record<string, string>>;
  readonly writes: readonly Write[];
}

let made = 0;
/** Each of a name of its own. */
function pod(spec: object = pods.plain!, dryRun: boolean = false): Write {
  made++;
  return ['POST', 'pods', { metadata: { name: `p${made}` }, spec }, dryRun];
}

function service(name: string, spec: object): Write {
  return [
    'POST',
    'services',
    { metadata: { name }, spec: { ports: [{ port: 80 }, { name: 'b', port: 81 }].map((p, i) => ({ name: `n${i}`, ...p })), ...spec } },
  ];
}

function newClaim(name: string, storage: string, more: object = {}): Write {
  return ['POST', 'persistentvolumeclaims', { metadata: { name }, spec: claim(storage, more) }];
}

const term = { labelSelector: { matchLabels: { a: 'b' } }, topologyKey: 'zone', namespaces: ['other'] };

export const quotaCases: readonly QuotaCase[] = [
  {
    what: 'pods',
    spec: { hard: { pods: '2' } },
    used: { pods: '0' },
    writes: [pod(), pod(pods.plain, true), pod(), pod(), pod(pods.plain, true)],
  },
  { what: 'that nobody has counted', spec: { hard: { pods: '2', 'requests.cpu': '1' } }, writes: [pod(), pod(pods.fits)] },
  {
    what: 'cpu and memory, which containers must name',
    spec: { hard: { 'requests.cpu': '500m', 'limits.memory': '1Gi' } },
    used: { 'requests.cpu': '100m', 'limits.memory': '0' },
    writes: [pod(), pod(pods.several), pod(pods.wide), pod(pods.fits), pod(pods.fits), pod(pods.large), pod(pods.whole)],
  },
  {
    what: 'every name that a pod has',
    spec: {
      hard: {
        ...{ cpu: '10', memory: '10Gi', 'limits.cpu': '20', 'requests.memory': '10Gi', 'requests.ephemeral-storage': '1Gi' },
        ...{ 'limits.ephemeral-storage': '1Gi', 'ephemeral-storage': '1Gi', 'count/pods': '10', pods: '10' },
      },
    },
    used: {
      ...{ cpu: '0', memory: '0', 'limits.cpu': '0', 'requests.memory': '0', 'requests.ephemeral-storage': '0' },
      ...{ 'limits.ephemeral-storage': '0', 'ephemeral-storage': '0', 'count/pods': '0', pods: '0' },
    },
    writes: [
      pod(pods.fits),
      pod(pods.small),
      pod({
        containers: [
          container({ cpu: '1', memory: '1.5Gi', 'ephemeral-storage': '200Mi' }, { cpu: '2', memory: '2Gi', 'ephemeral-storage': '2Gi' }),
        ],
      }),
      pod({
        containers: [
          container({ cpu: '1', memory: '1.5Gi', 'ephemeral-storage': '200Mi' }, { cpu: '2', memory: '2Gi', 'ephemeral-storage': '400Mi' }),
        ],
      }),
    ],
  },
  {
    what: 'extended resources',
    spec: { hard: { 'requests.example.com/gpu': '3' } },
    used: { 'requests.example.com/gpu': '0' },
    writes: [pod(pods.devices), pod(pods.devices), pod()],
  },
  {
    what: 'pods without requests',
    spec: { hard: { pods: '1' }, scopes: ['BestEffort'] },
    used: { pods: '1' },
    writes: [pod(), pod(pods.small)],
  },
  {
    what: 'pods with requests',
    spec: { hard: { pods: '1' }, scopes: ['NotBestEffort'] },
    used: { pods: '1' },
    writes: [pod(), pod(pods.small)],
  },
  {
    what: 'pods that end by themselves',
    spec: { hard: { pods: '1' }, scopes: ['Terminating'] },
    used: { pods: '0' },
    writes: [
      pod(),
      ['POST', 'pods', { metadata: { name: 'becomes' }, spec: pods.plain }],
      ['PATCH', 'pods/becomes', { spec: { activeDeadlineSeconds: 100 } }],
      pod({ ...pods.plain, activeDeadlineSeconds: 10 }),
    ],
  },
  {
    what: 'pods of a priority',
    spec: {
      hard: { pods: '0' },
      scopeSelector: { matchExpressions: [{ scopeName: 'PriorityClass', operator: 'In', values: ['system-cluster-critical'] }] },
    },
    used: { pods: '0' },
    writes: [
      pod(),
      pod({ ...pods.plain, priorityClassName: 'system-node-critical' }),
      pod({ ...pods.plain, priorityClassName: 'system-cluster-critical' }),
    ],
  },
  {
    what: 'pods without a priority of some names',
    spec: {
      hard: { pods: '0' },
      scopeSelector: { matchExpressions: [{ scopeName: 'PriorityClass', operator: 'NotIn', values: ['other'] }] },
    },
    used: { pods: '0' },
    writes: [pod(), pod({ ...pods.plain, priorityClassName: 'system-node-critical' })],
  },
  {
    what: 'affinity to pods of other namespaces',
    spec: { hard: { pods: '0' }, scopes: ['CrossNamespacePodAffinity'] },
    used: { pods: '0' },
    writes: [pod(), pod({ ...pods.plain, affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } } })],
  },
  {
    what: 'Services',
    spec: { hard: { services: '5', 'services.nodeports': '4', 'services.loadbalancers': '1' } },
    used: { services: '0', 'services.nodeports': '0', 'services.loadbalancers': '0' },
    writes: [
      service('a', {}),
      service('b', { type: 'NodePort' }),
      service('c', { type: 'LoadBalancer', allocateLoadBalancerNodePorts: false }),
      service('d', { type: 'LoadBalancer' }),
      ['PATCH', 'services/a', { spec: { type: 'NodePort' } }],
      ['PATCH', 'services/b', { metadata: { labels: { a: 'b' } } }],
      service('e', { type: 'NodePort' }),
      [
        'PATCH',
        'services/a',
        {
          spec: {
            type: 'ClusterIP',
            ports: [
              { name: 'n0', port: 80, nodePort: null },
              { name: 'n1', port: 81, nodePort: null },
            ],
          },
        },
      ],
      service('f', { type: 'ExternalName', externalName: 'example.com', ports: undefined }),
    ],
  },
  {
    what: 'claims, by class',
    spec: {
      hard: {
        ...{ persistentvolumeclaims: '3', 'requests.storage': '20Gi', 'gold.storageclass.storage.k8s.io/requests.storage': '5Gi' },
        ...{ 'gold.storageclass.storage.k8s.io/persistentvolumeclaims': '1' },
      },
    },
    used: {
      ...{ persistentvolumeclaims: '0', 'requests.storage': '0', 'gold.storageclass.storage.k8s.io/requests.storage': '0' },
      ...{ 'gold.storageclass.storage.k8s.io/persistentvolumeclaims': '0' },
    },
    writes: [
      newClaim('a', '10Gi'),
      newClaim('b', '10.5Gi'),
      newClaim('c', '6Gi', { storageClassName: 'gold' }),
      newClaim('d', '4Gi', { storageClassName: 'gold' }),
      newClaim('e', '100Mi', { storageClassName: 'gold' }),
    ],
  },
  {
    what: 'objects by their number',
    spec: { hard: { 'count/secrets': '1', secrets: '1', 'count/deployments.apps': '0', 'count/widgets.example.com': '1' } },
    used: { 'count/secrets': '0', secrets: '0', 'count/deployments.apps': '0' },
    writes: [
      ['POST', 'secrets', { metadata: { name: 'a' } }],
      ['POST', 'secrets', { metadata: { name: 'b' } }],
      ['PATCH', 'secrets/a', { metadata: { labels: { a: 'b' } } }],
      ['POST', 'events', { metadata: { name: 'e' }, involvedObject: {} }],
    ],
  },
];
