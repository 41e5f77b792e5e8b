import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AddressBook } from './address-book.ts';
import { poolGauges } from './pool-gauges.ts';
import { type Pool, readPools } from './pools.ts';

const poolsOf = (...pools: object[]): Pool[] => readPools({ 'address-pools': pools });

function figures(pools: readonly Pool[], book = new AddressBook()): Record<string, [total: number, used: number]> {
  const [total, used] = poolGauges(() => pools, book).map(({ read }) => [...read()]);
  return Object.fromEntries(pools.map(({ name }, at) => [name, [total?.[at]?.value ?? -1, used?.[at]?.value ?? -1]]));
}

test('poolGauges() have the names that MetalLB has, and a pool by its name', () => {
  const gauges = poolGauges(() => poolsOf({ name: 'a', addresses: ['192.0.2.1'] }), new AddressBook());
  assert.deepEqual(
    gauges.map(({ name }) => name),
    ['metallb_allocator_addresses_total', 'metallb_allocator_addresses_in_use_total'],
  );
  assert.deepEqual([...(gauges[0]?.read() ?? [])], [{ labels: { pool: 'a' }, value: 1 }]);
});

for (const [addresses, all, withoutBuggy] of [
  [['192.0.2.0/24'], 256, 254],
  [['192.0.2.0/23'], 512, 508],
  [['192.0.2.1-192.0.2.254'], 254, 254],
  [['192.0.2.255-192.0.3.0'], 2, 0],
  [['192.0.2.0'], 1, 0],
  [['192.0.2.255', '192.0.2.9'], 2, 1],
  [['192.0.2.10-192.0.2.20', 'fd00::/120'], 267, 267],
] as const)
  test(`poolGauges() count the addresses of ${addresses}, with and without those that avoid-buggy-ips leaves out`, () => {
    const [plain, careful] = [false, true].map((avoid) => figures(poolsOf({ name: 'a', addresses, 'avoid-buggy-ips': avoid })).a);
    assert.deepEqual(
      [plain, careful],
      [
        [all, 0],
        [withoutBuggy, 0],
      ],
    );
  });

test('poolGauges() count an address that Services share once, and in its own pool', () => {
  const book = new AddressBook();
  const claim = (port: number) => ({ ports: [`TCP/${port}`], sharingKey: 'k', backendKey: '' });
  book.set('default/a', ['192.0.2.1'], claim(80));
  book.set('default/b', ['192.0.2.1', 'fd00::1'], claim(443));
  book.set('default/c', ['203.0.113.1'], claim(80));
  const pools = poolsOf({ name: 'a', addresses: ['192.0.2.0/30', 'fd00::/126'] }, { name: 'b', addresses: ['198.51.100.1'] });
  assert.deepEqual(figures(pools, book), { a: [8, 2], b: [1, 0] });
  book.set('default/a', [], claim(80));
  assert.deepEqual(figures(pools, book).a, [8, 2]);
  book.set('default/b', [], claim(443));
  assert.deepEqual(figures(pools, book).a, [8, 0]);
});
