import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ServiceSpec } from '../schema/types.ts';
import { defaultFamilies, type IpFamily } from './service-families.ts';

const clusters = {
  'IPv4 alone': ['IPv4'],
  'IPv6 alone': ['IPv6'],
  'IPv4 before IPv6': ['IPv4', 'IPv6'],
  'IPv6 before IPv4': ['IPv6', 'IPv4'],
} as const satisfies Record<string, readonly IpFamily[]>;
type Cluster = keyof typeof clusters;
const names = Object.keys(clusters) as Cluster[];

const short: Record<string, string> = {
  IPv4: '4',
  IPv6: '6',
  SingleStack: 'single',
  PreferDualStack: 'prefer',
  RequireDualStack: 'require',
};

/** `4 single`, `64 require`, or why not. */
function outcome(spec: ServiceSpec, cluster: Cluster, before?: ServiceSpec): string {
  const next: ServiceSpec = { type: 'ClusterIP', selector: { a: 'b' }, ...spec };
  const [error] = defaultFamilies(next, before && { type: 'ClusterIP', selector: { a: 'b' }, ...before }, clusters[cluster]);
  if (error) return `${error.path}: ${error.detail}`;
  return `${(next.ipFamilies ?? []).map((family) => short[family]).join('')} ${short[next.ipFamilyPolicy ?? ''] ?? '-'}`;
}

const notDual = 'spec.ipFamilyPolicy: this cluster is not configured for dual-stack services';
const not = (i: number): string => `spec.ipFamilies[${i}]: not configured on this cluster`;
const addressNot = (family: IpFamily): string => `spec.clusterIPs[0]: ${family} is not configured on this cluster`;

describe('defaultFamilies() of a new Service, in clusters of', () => {
  // In the order of `names`.
  const cases: readonly (readonly [string, ServiceSpec, readonly string[]])[] = [
    ['which names nothing', {}, ['4 single', '6 single', '4 single', '6 single']],
    ['of one family', { ipFamilyPolicy: 'SingleStack' }, ['4 single', '6 single', '4 single', '6 single']],
    ['which prefers both', { ipFamilyPolicy: 'PreferDualStack' }, ['4 prefer', '6 prefer', '46 prefer', '64 prefer']],
    ['which requires both', { ipFamilyPolicy: 'RequireDualStack' }, [notDual, notDual, '46 require', '64 require']],
    ['of IPv6', { ipFamilies: ['IPv6'] }, [not(0), '6 single', '6 single', '6 single']],
    ['of IPv4', { ipFamilies: ['IPv4'] }, ['4 single', not(0), '4 single', '4 single']],
    [
      'of IPv6 which prefers both',
      { ipFamilies: ['IPv6'], ipFamilyPolicy: 'PreferDualStack' },
      [not(0), '6 prefer', '64 prefer', '64 prefer'],
    ],
    [
      'of both in an order of its own',
      { ipFamilies: ['IPv6', 'IPv4'], ipFamilyPolicy: 'RequireDualStack' },
      [notDual, notDual, '64 require', '64 require'],
    ],
    [
      'which asks for an address of IPv6',
      { clusterIP: 'fd00::7', clusterIPs: ['fd00::7'] },
      [addressNot('IPv6'), '6 single', '6 single', '6 single'],
    ],
    ['headless', { clusterIP: 'None', clusterIPs: ['None'] }, ['4 single', '6 single', '4 single', '6 single']],
    [
      'headless without selector: of both, whatever the cluster has',
      { clusterIP: 'None', clusterIPs: ['None'], selector: {} },
      ['46 require', '64 require', '46 require', '64 require'],
    ],
    ['of another name', { type: 'ExternalName' }, [' -', ' -', ' -', ' -']],
  ];
  for (const [what, spec, wanted] of cases)
    for (const [i, name] of names.entries()) test(`${name}: ${what}`, () => assert.equal(outcome(spec, name), wanted[i]));
});

describe('defaultFamilies() of a Service that is there', () => {
  const single: ServiceSpec = { ipFamilyPolicy: 'SingleStack', ipFamilies: ['IPv4'], clusterIP: '10.96.0.7', clusterIPs: ['10.96.0.7'] };
  const dual: ServiceSpec = {
    ...{ ipFamilyPolicy: 'PreferDualStack', ipFamilies: ['IPv4', 'IPv6'] },
    ...{ clusterIP: '10.96.0.7', clusterIPs: ['10.96.0.7', 'fd00::7'] },
  };
  const both = 'IPv4 before IPv6';

  test('gets the other family when it asks for it', () => {
    assert.equal(outcome({ ...single, ipFamilyPolicy: 'PreferDualStack' }, both, single), '46 prefer');
    assert.equal(outcome({ ...single, ipFamilyPolicy: 'RequireDualStack' }, 'IPv4 alone', single), notDual);
  });

  test('is left as it is when the cluster became of both families, or is no longer', () => {
    const before: ServiceSpec = { ...single, ipFamilyPolicy: 'PreferDualStack' };
    assert.equal(outcome(before, both, before), '4 prefer');
    assert.equal(outcome(dual, 'IPv4 alone', dual), '46 prefer');
  });

  test('keeps its first family when it asks for one, and gives none up without saying so', () => {
    assert.equal(outcome({ ...dual, ipFamilyPolicy: 'SingleStack' }, both, dual), '4 single');
    assert.equal(
      outcome({ ...dual, clusterIPs: ['10.96.0.7'] }, both, dual),
      "spec.ipFamilyPolicy: must be 'SingleStack' to release the secondary cluster IP",
    );
    assert.equal(
      outcome({ ...dual, ipFamilies: ['IPv4'] }, both, dual),
      "spec.ipFamilyPolicy: must be 'SingleStack' to release the secondary IP family",
    );
  });

  test('keeps the policy that an update leaves out', () => {
    const { ipFamilyPolicy: _, ...spec } = dual;
    assert.equal(outcome(spec, both, dual), '46 prefer');
  });
});
