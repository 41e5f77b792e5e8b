/** Objects as large as a body may be: what is too much is refused, and the refusal stays small. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createErrors } from './testing/object-errors.ts';

const many = <T>(count: number, of: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => of(i));
const map = (count: number, of: (i: number) => string): object => Object.fromEntries(many(count, (i) => [`k${i}`, of(i)]));
const jobTemplate = { spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'a', image: 'b' }] } } } };
const allMinutes = many(60, String).join();

const limits: readonly [what: string, apiVersion: string, kind: string, given: object, wanted: readonly string[]][] = [
  ['5,000 labels', 'v1', 'ConfigMap', { metadata: { labels: map(5000, String) } }, []],
  [
    '100,000 labels',
    'v1',
    'ConfigMap',
    { metadata: { labels: map(100_000, () => 'x') } },
    ['metadata.labels: Too long: may not be more than 65536 bytes'],
  ],
  [
    'annotations of 256 KiB and a byte',
    'v1',
    'ConfigMap',
    { metadata: { annotations: { k: 'x'.repeat(256 * 1024) } } },
    ['metadata.annotations: Too long: may not be more than 262144 bytes'],
  ],
  ['annotations of 256 KiB', 'v1', 'ConfigMap', { metadata: { annotations: { k: 'x'.repeat(256 * 1024 - 1) } } }, []],
  ['a Service of 1,000 ports', 'v1', 'Service', { spec: { ports: many(1000, (i) => ({ name: `p${i}`, port: i + 1 })) } }, []],
  [
    'a Service of 10,000 ports',
    'v1',
    'Service',
    { spec: { ports: many(10_000, (i) => ({ name: `p${i}`, port: i + 1 })) } },
    ['spec.ports: Too many: 10000: must have at most 1000 items'],
  ],
  [
    'a Service of 40,000 external addresses and source ranges',
    'v1',
    'Service',
    {
      spec: {
        type: 'LoadBalancer',
        ports: [{ port: 80 }],
        externalIPs: many(40_000, (i) => `1.2.${i >> 8}.${i & 255}`),
        loadBalancerSourceRanges: many(40_000, (i) => `1.2.${i >> 8}.${i & 255}/32`),
      },
    },
    [
      'spec.externalIPs: Too many: 40000: must have at most 1000 items',
      'spec.loadBalancerSourceRanges: Too many: 40000: must have at most 10000 items',
    ],
  ],
  [
    'a Service of 1,000 external addresses and 10,000 source ranges',
    'v1',
    'Service',
    {
      spec: {
        type: 'LoadBalancer',
        ports: [{ port: 80 }],
        externalIPs: many(1000, (i) => `1.2.${i >> 8}.${i & 255}`),
        loadBalancerSourceRanges: many(10_000, (i) => `1.2.${i >> 8}.${i & 255}/32`),
      },
    },
    [],
  ],
  ['a schedule that names every minute', 'batch/v1', 'CronJob', { spec: { schedule: `${allMinutes} * * * *`, jobTemplate } }, []],
  [
    'a schedule of 500 kB',
    'batch/v1',
    'CronJob',
    { spec: { schedule: `${'0,'.repeat(250_000)}0 * * * *`, jobTemplate } },
    ['spec.schedule: Too long: may not be more than 1024 bytes'],
  ],
];

for (const [what, apiVersion, kind, given, wanted] of limits) {
  test(`limit: ${what}`, () => assert.deepEqual(createErrors(apiVersion, kind, given), wanted));
}

const floods: readonly [what: string, apiVersion: string, kind: string, given: object][] = [
  ['300,000 containers', 'v1', 'Pod', { spec: { containers: many(300_000, () => ({})) } }],
  ['300,000 addresses', 'v1', 'Endpoints', { subsets: [{ addresses: many(300_000, () => ({ ip: 'x' })) }] }],
  ['200,000 owners', 'v1', 'ConfigMap', { metadata: { ownerReferences: many(200_000, () => ({})) } }],
  ['200,000 finalizers', 'v1', 'ConfigMap', { metadata: { finalizers: many(200_000, () => 'x') } }],
  ['200,000 keys', 'v1', 'Secret', { data: Object.fromEntries(many(200_000, (i) => [`/${i}`, ''])) }],
  ['200,000 amounts', 'v1', 'ResourceQuota', { spec: { hard: map(200_000, () => '-1') } }],
];

for (const [what, apiVersion, kind, given] of floods) {
  test(`${what} that are none are told of, not each of them`, () => {
    const errors = createErrors(apiVersion, kind, given);
    assert.ok(errors.length > 0 && errors.length < 1000, `${errors.length} errors`);
  });
}
