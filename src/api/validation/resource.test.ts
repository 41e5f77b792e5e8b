/** Resources: their names, their amounts, quotas and limits of them, and autoscalers that look at them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createErrors } from './testing/object-errors.ts';

const container = (resources: object): object => ({ spec: { containers: [{ name: 'a', image: 'b', resources }] } });
const at = 'spec.containers[0].resources';
// A limit is a request too, unless that is given.
const range = (...limits: object[]): object => ({ spec: { limits } });
const scaler = (spec: object): object => ({
  spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }, maxReplicas: 2, ...spec },
});
const metric = (type: string, rest: object): object => scaler({ metrics: [{ type, ...rest }] });

const cases: readonly [what: string, apiVersion: string, kind: string, given: object, wanted: readonly string[]][] = [
  ['a container with usual requests', 'v1', 'Pod', container({ requests: { cpu: '1' }, limits: { cpu: '2', 'example.com/gpu': '1' } }), []],
  [
    'a container that asks for what nobody defined',
    'v1',
    'Pod',
    container({ limits: { gpu: '1' } }),
    ['limits', 'requests'].flatMap((map) => [
      `${at}.${map}[gpu]: Invalid value: "gpu": must be a standard resource type or fully qualified`,
      `${at}.${map}[gpu]: Invalid value: "gpu": must be a standard resource for containers`,
    ]),
  ],
  [
    'a container that asks for half a device',
    'v1',
    'Pod',
    container({ limits: { 'example.com/gpu': '500m' } }),
    ['limits', 'requests'].map((map) => `${at}.${map}[example.com/gpu]: Invalid value: "500m": must be an integer`),
  ],
  [
    'a container that asks for a device without limiting it',
    'v1',
    'Pod',
    container({ requests: { 'example.com/gpu': '1' } }),
    [`${at}.limits: Required value: Limit must be set for non overcommitable resources`],
  ],
  [
    'a container with nothing but half a huge page',
    'v1',
    'Pod',
    container({ limits: { 'hugepages-2Mi': '3Mi' } }),
    [
      ...['limits', 'requests'].map(
        (map) => `${at}.${map}[hugepages-2Mi]: Invalid value: "3Mi": 3Mi is not positive integer multiple of hugepages-2Mi`,
      ),
      `${at}: Forbidden: HugePages require cpu or memory`,
    ],
  ],
  ['a quota', 'v1', 'ResourceQuota', { spec: { hard: { pods: '1', 'requests.cpu': '1', 'count/jobs.batch': '2' } } }, []],
  [
    'a quota of what nobody counts, for pods that cannot be',
    'v1',
    'ResourceQuota',
    { spec: { hard: { dogs: '1', pods: '500m', services: '1' }, scopes: ['BestEffort', 'NotBestEffort'] } },
    [
      'spec.hard[dogs]: Invalid value: "dogs": must be a standard resource type or fully qualified',
      'spec.hard[dogs]: Invalid value: "dogs": must be a standard resource for quota',
      'spec.hard[pods]: Invalid value: "500m": must be an integer',
      'spec.scopes: Invalid value: ["BestEffort","NotBestEffort"]: unsupported scope applied to resource',
      'spec.scopes: Invalid value: ["BestEffort","NotBestEffort"]: unsupported scope applied to resource',
      'spec.scopes: Invalid value: ["BestEffort","NotBestEffort"]: conflicting scopes',
    ],
  ],
  [
    'limits in the wrong order',
    'v1',
    'LimitRange',
    range({ type: 'Container', min: { cpu: '2' }, max: { cpu: '1' } }),
    [
      'spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1',
      'spec.limits[0].defaultRequest[cpu]: Invalid value: "1": min value 2 is greater than default request value 1',
      'spec.limits[0].default[cpu]: Invalid value: "1": min value 2 is greater than default value 1',
    ],
  ],
  [
    'limits for pods, with what only containers have',
    'v1',
    'LimitRange',
    range({ type: 'Pod', default: { cpu: '1' } }, { type: 'Pod', max: { dogs: '1' } }),
    [
      "spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'",
      'spec.limits[1].type: Duplicate value: "Pod"',
      'spec.limits[1].max[dogs]: Invalid value: "dogs": must be a standard resource type or fully qualified',
      'spec.limits[1].max[dogs]: Invalid value: "dogs": must be a standard resource for containers',
    ],
  ],
  [
    'an autoscaler of nothing',
    'autoscaling/v2',
    'HorizontalPodAutoscaler',
    { spec: {} },
    [
      'spec.maxReplicas: Invalid value: 0: must be greater than 0',
      'spec.maxReplicas: Invalid value: 0: must be greater than or equal to `minReplicas`',
      'spec.scaleTargetRef.kind: Required value',
      'spec.scaleTargetRef.name: Required value',
      'spec.scaleTargetRef.apiVersion: Invalid value: "": apiVersion must specify API group',
    ],
  ],
  [
    'an autoscaler with a metric of another type than it says',
    'autoscaling/v2',
    'HorizontalPodAutoscaler',
    metric('Pods', { resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 0 } } }),
    [
      'spec.metrics[0].resource.target.averageUtilization: Invalid value: 0: must be greater than 0',
      'spec.metrics[0].pods: Required value: must populate information for the given metric source',
    ],
  ],
  [
    'an autoscaler that waits too long',
    'autoscaling/v2',
    'HorizontalPodAutoscaler',
    scaler({ behavior: { scaleUp: { stabilizationWindowSeconds: 3601, policies: [{ type: 'Dogs', value: 0, periodSeconds: 1801 }] } } }),
    [
      'spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: 3601: must be less than or equal to 3600',
      'spec.behavior.scaleUp.policies[0].type: Unsupported value: "Dogs": supported values: "Percent", "Pods"',
      'spec.behavior.scaleUp.policies[0].value: Invalid value: 0: must be greater than zero',
      'spec.behavior.scaleUp.policies[0].periodSeconds: Invalid value: 1801: must be less than or equal to 1800',
    ],
  ],
  [
    'hints for more zones than one looks at, and for one twice',
    'discovery.k8s.io/v1',
    'EndpointSlice',
    {
      addressType: 'IPv4',
      endpoints: [
        { addresses: ['10.0.0.1'], hints: { forZones: Array.from({ length: 9 }, (_, i) => ({ name: `z${i}` })) } },
        { addresses: ['10.0.0.2'], hints: { forNodes: [{ name: 'n' }, { name: 'n' }, { name: 'N!' }] } },
      ],
    },
    [
      'endpoints[0].hints.forZones: Too many: 9: must have at most 8 items',
      'endpoints[1].hints.forNodes[1].name: Duplicate value: "n"',
      "endpoints[1].hints.forNodes[2].name: Invalid value: \"N!\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
    ],
  ],
];

for (const [what, apiVersion, kind, given, wanted] of cases) {
  test(`create: ${what}`, () => assert.deepEqual(createErrors(apiVersion, kind, given), wanted));
}
