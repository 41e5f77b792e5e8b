import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ServiceCIDR } from '../../api/schema/types.ts';
import { mayGo } from './desired.ts';

const range = (...cidrs: string[]): ServiceCIDR => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'ServiceCIDR',
  metadata: { name: cidrs.join() },
  spec: { cidrs },
});
const cases: readonly [string, string[], ServiceCIDR[], boolean][] = [
  ['goes when nobody has an address of it', ['10.1.0.1', 'fd00::1'], [], true],
  ['stays while somebody has one', ['10.0.0.1'], [], false],
  ['stays for an address of its second family', ['fd01::1'], [], false],
  ['goes when another range holds the address too', ['10.0.0.1'], [range('10.0.0.0/8')], true],
  ['stays when another range holds some of the addresses only', ['10.0.0.1', '10.0.0.200'], [range('10.0.0.0/28')], false],
];
for (const [what, taken, others, wanted] of cases)
  test(`a ServiceCIDR ${what}`, () => assert.equal(mayGo(range('10.0.0.0/24', 'fd01::/112'), others, taken), wanted));
