import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressPoolsObject } from '../settings/settings.ts';
import { changedAddressPools } from './address-pools.ts';

const range = '192.0.2.200-192.0.2.220';

test('changedAddressPools() finds nothing to change in what init has written', () => {
  assert.equal(changedAddressPools(addressPoolsObject([range]).data?.config ?? '', [range]), undefined);
});

test('changedAddressPools() gives the pool of init other addresses, and leaves what others have added', () => {
  const text =
    'address-pools:\n  - name: mine\n    addresses: [10.0.0.0/24]\n  # of init\n  - name: default\n    auto-assign: false\n    addresses:\n      - 192.0.2.1/32\n';
  assert.equal(
    changedAddressPools(text, [range, '192.0.2.7/32']),
    text.replace('192.0.2.1/32', `${range}\n      - 192.0.2.7/32`).replace('[10.0.0.0/24]', '[ 10.0.0.0/24 ]'),
  );
});

test('changedAddressPools() makes the pool where it is not', () => {
  assert.equal(
    changedAddressPools('address-pools:\n  - name: mine\n    addresses:\n      - 10.0.0.0/24\n', [range]),
    `address-pools:\n  - name: mine\n    addresses:\n      - 10.0.0.0/24\n  - name: default\n    protocol: layer2\n    addresses:\n      - ${range}\n`,
  );
  assert.equal(changedAddressPools('', [range]), addressPoolsObject([range]).data?.config);
});

test("changedAddressPools() leaves MetalLB's objects alone, and says so", () => {
  const text =
    'kind: IPAddressPool\nmetadata: {name: a}\nspec: {addresses: [192.0.2.1/32]}\n---\nkind: L2Advertisement\nmetadata: {name: a}\n';
  assert.throws(() => changedAddressPools(text, ['192.0.2.10']), { code: 'BAD_CONFIG', message: /has pools of kind IPAddressPool/ });
});
