import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AddressBook, type Claim } from './address-book.ts';
import { type AddressRequest, allocate } from './allocate.ts';
import { type Pool, poolHas, readPools } from './pools.ts';

const pool = (name: string, addresses: string[], more: object = {}): Pool =>
  readPools({ 'address-pools': [{ name, addresses, ...more }] })[0] as Pool;
const claim = (port: number, sharingKey = '', backendKey = ''): Claim => ({ ports: [`TCP/${port}`], sharingKey, backendKey });
const request = (service: string, more: Partial<AddressRequest> = {}): AddressRequest => ({
  service: `default/${service}`,
  families: [4],
  mayLackSecond: false,
  wanted: [],
  pool: undefined,
  namespaceLabels: {},
  labels: {},
  claim: claim(80),
  ...more,
});
type Held = readonly [service: string, addresses: string[], claim?: Claim];
function bookOf(...held: Held[]): AddressBook {
  const book = new AddressBook();
  for (const [service, addresses, claimed = claim(80)] of held) book.set(`default/${service}`, addresses, claimed);
  return book;
}

/** Addresses, or why not. */
function outcome(wish: AddressRequest, pools: Pool[], ...held: Held[]): string {
  const result = allocate(wish, pools, bookOf(...held));
  return result.kind === 'refused' ? result.why : `${result.addresses.join(' ')} of ${result.pool.name}`;
}

const small = pool('small', ['192.0.2.10-192.0.2.11', 'fd00::10-fd00::11']);

describe('allocate()', () => {
  const cases: [string, string, AddressRequest, Pool[], ...Held[]][] = [
    ['gives the first address that nobody has', '192.0.2.11 of small', request('a'), [small], ['b', ['192.0.2.10']]],
    ['says when there is none', 'no available IPs', request('a'), [small], ['b', ['192.0.2.10']], ['c', ['192.0.2.11']]],
    [
      'goes on to the next pool',
      '198.51.100.1 of more',
      request('a'),
      [pool('small', ['192.0.2.10']), pool('more', ['198.51.100.1'])],
      ['b', ['192.0.2.10']],
    ],
    [
      'gives both families to a Service that could do without the second',
      '192.0.2.10 fd00::10 of small',
      request('a', { families: [4, 6], mayLackSecond: true }),
      [small],
    ],
    ['leaves a Service what it has', '192.0.2.11 of small', request('a'), [small], ['a', ['192.0.2.11']]],
    ['takes away what is in no pool any more', '192.0.2.10 of small', request('a'), [small], ['a', ['203.0.113.9']]],
    ['leaves out .0 when told to', '192.0.2.1 of p', request('a'), [pool('p', ['192.0.2.0/30'], { 'avoid-buggy-ips': true })]],
    ['gives .0 when not', '192.0.2.0 of p', request('a'), [pool('p', ['192.0.2.0/30'])]],
    ['gives the address that was asked for', '192.0.2.11 of small', request('a', { wanted: ['192.0.2.11'] }), [small]],
    [
      'also out of a pool that gives nothing unasked',
      '192.0.2.5 of p',
      request('a', { wanted: ['192.0.2.5'] }),
      [pool('p', ['192.0.2.0/28'], { 'auto-assign': false })],
    ],
    [
      'moves a Service that asks for another address',
      '192.0.2.11 of small',
      request('a', { wanted: ['192.0.2.11'] }),
      [small],
      ['a', ['192.0.2.10']],
    ],
    ['refuses what no pool has', '"203.0.113.1" is not allowed in config', request('a', { wanted: ['203.0.113.1'] }), [small]],
    [
      'refuses what another has',
      'can\'t change sharing key for "default/a", address also in use by default/b',
      request('a', { wanted: ['192.0.2.10'] }),
      [small],
      ['b', ['192.0.2.10']],
    ],
    [
      'gives what is asked for in the order of the families, however it is written',
      '192.0.2.10 fd00::10 of both',
      request('a', { families: [4, 6], wanted: ['fd00::10', '192.0.2.10'] }),
      [pool('both', ['192.0.2.10', 'fd00::10'])],
    ],
    [
      'refuses an address of another family',
      'requested address "fd00::10" does not match the ipFamilies of the Service',
      request('a', { wanted: ['fd00::10'] }),
      [small],
    ],
    [
      'refuses two addresses of one family',
      'requested address ["192.0.2.10","192.0.2.11"] does not match the ipFamilies of the Service',
      request('a', { families: [4, 6], wanted: ['192.0.2.10', '192.0.2.11'] }),
      [small],
    ],
    [
      'gives nothing unasked of a pool that gives nothing unasked',
      'no available IPs',
      request('a'),
      [pool('p', ['192.0.2.0/28'], { 'auto-assign': false })],
    ],
    [
      'takes the pool that was asked for',
      '198.51.100.1 of q',
      request('a', { pool: 'q' }),
      [small, pool('q', ['198.51.100.1'], { 'auto-assign': false })],
    ],
    [
      'moves a Service to the pool that it asks for',
      '198.51.100.1 of q',
      request('a', { pool: 'q' }),
      [small, pool('q', ['198.51.100.1'])],
      ['a', ['192.0.2.10']],
    ],
    ['refuses a pool that is not there', 'unknown pool "q"', request('a', { pool: 'q' }), [small]],
    [
      'names the pool that is used up',
      'no available IPs in pool "q"',
      request('a', { pool: 'q' }),
      [small, pool('q', ['198.51.100.1'])],
      ['b', ['198.51.100.1']],
    ],
    ['gives both families', '192.0.2.10 fd00::10 of small', request('a', { families: [4, 6] }), [small]],
    [
      'gives both families of one pool',
      '192.0.2.10 fd00::10 of small',
      request('a', { families: [4, 6] }),
      [pool('four', ['198.51.100.1']), small],
    ],
    [
      'refuses one family where both are required',
      'no available IPs',
      request('a', { families: [4, 6] }),
      [pool('four', ['198.51.100.1'])],
    ],
    [
      'gives one family where that will do',
      '198.51.100.1 of four',
      request('a', { families: [4, 6], mayLackSecond: true }),
      [pool('four', ['198.51.100.1'])],
    ],
    [
      'adds the family that is missing, and keeps the other',
      '192.0.2.11 fd00::10 of small',
      request('a', { families: [4, 6] }),
      [small],
      ['a', ['192.0.2.11']],
    ],
    [
      'leaves a Service that could do without the second family the address that it has',
      '192.0.2.11 of four',
      request('a', { families: [4, 6], mayLackSecond: true }),
      [pool('first', ['198.51.100.1']), pool('four', ['192.0.2.10-192.0.2.11']), pool('both', ['203.0.113.1', 'fd00::1'])],
      ['a', ['192.0.2.11']],
    ],
    [
      'adds the second family in the pool of the first, though another pool would come before',
      '192.0.2.11 fd00::10 of small',
      request('a', { families: [4, 6] }),
      [pool('both', ['203.0.113.1', 'fd00::1']), small],
      ['a', ['192.0.2.11']],
    ],
    [
      'moves a Service that requires both to a pool that has both',
      '203.0.113.1 fd00::1 of both',
      request('a', { families: [4, 6] }),
      [pool('four', ['192.0.2.10-192.0.2.11']), pool('both', ['203.0.113.1', 'fd00::1'])],
      ['a', ['192.0.2.11']],
    ],
    ['gives up the family that is not wanted any more', '192.0.2.11 of small', request('a'), [small], ['a', ['192.0.2.11', 'fd00::11']]],
    ['begins with the family that the Service has first', 'fd00::10 192.0.2.10 of small', request('a', { families: [6, 4] }), [small]],
  ];
  for (const [name, expected, wish, pools, ...held] of cases) test(name, () => assert.equal(outcome(wish, pools, ...held), expected));
});

describe('sharing an address', () => {
  const one = [pool('one', ['192.0.2.1'])];
  const local = (selector: string, port = 443): Claim => claim(port, 'k', selector);
  const refusedByKey = 'can\'t change sharing key for "default/a", address also in use by default/b';
  for (const [name, mine, theirs, expected] of [
    ['with one key and other ports', claim(443, 'k'), claim(80, 'k'), '192.0.2.1 of one'],
    ['with one key and other protocols', { ...claim(80, 'k'), ports: ['UDP/80'] }, claim(80, 'k'), '192.0.2.1 of one'],
    ['not with one key and one port', claim(80, 'k'), claim(80, 'k'), 'port TCP/80 is already in use on "192.0.2.1"'],
    ['not with another key', claim(443, 'j'), claim(80, 'k'), refusedByKey],
    ['not without a key', claim(443), claim(80), refusedByKey],
    ['under policy Local with the same pods', local('app=x'), claim(80, 'k', 'app=x'), '192.0.2.1 of one'],
    ['not under policy Local with other pods', local('app=y'), claim(80, 'k', 'app=x'), refusedByKey],
    ['not of one policy Local with one of policy Cluster', local('app=x'), claim(80, 'k'), refusedByKey],
  ] as const)
    test(`is possible ${name}`, () => {
      const wish = request('a', { claim: mine, wanted: ['192.0.2.1'] });
      assert.equal(outcome(wish, one, ['b', ['192.0.2.1'], theirs]), expected);
    });

  test('comes before a free address', () => {
    const wish = request('a', { claim: claim(443, 'k') });
    assert.equal(outcome(wish, [small], ['b', ['192.0.2.11'], claim(80, 'k')]), '192.0.2.11 of small');
  });

  test('ends when the ports come to be the same: who asks moves on', () => {
    const wish = request('a', { claim: claim(80, 'k') });
    assert.equal(
      outcome(wish, [small], ['a', ['192.0.2.10'], claim(443, 'k')], ['b', ['192.0.2.10'], claim(80, 'k')]),
      '192.0.2.11 of small',
    );
  });
});

describe('who may use a pool', () => {
  const free = pool('free', ['192.0.2.10']);
  const ours = pool('ours', ['198.51.100.1'], { 'service-allocation': { namespaces: ['default'] } });
  const gold = pool('gold', ['198.51.100.2'], { 'service-allocation': { 'namespace-selectors': [{ 'match-labels': { tier: 'gold' } }] } });
  const shown = pool('shown', ['198.51.100.3'], { 'service-allocation': { 'service-selectors': [{ 'match-labels': { shown: 'yes' } }] } });
  const theirs = pool('theirs', ['198.51.100.4'], { 'service-allocation': { namespaces: ['shop'] } });
  const first = pool('first', ['198.51.100.5'], { 'service-allocation': { priority: 1 } });
  const second = pool('second', ['198.51.100.6'], { 'service-allocation': { priority: 2 } });
  for (const [name, wish, pools, expected] of [
    ['is said by namespace, and such a pool comes first', request('a'), [free, ours], '198.51.100.1 of ours'],
    ['by labels of the namespace', request('a', { namespaceLabels: { tier: 'gold' } }), [free, gold], '198.51.100.2 of gold'],
    ['by labels of the Service', request('a', { labels: { shown: 'yes' } }), [free, shown], '198.51.100.3 of shown'],
    ['and nobody else', request('a'), [gold, shown, theirs], 'no available IPs'],
    ['also not when asked for by name', request('a', { pool: 'theirs' }), [theirs], 'pool "theirs" is not for this Service'],
    ['or by address', request('a', { wanted: ['198.51.100.4'] }), [theirs], '"198.51.100.4" is not allowed in config'],
    ['the lowest priority first, none at the end', request('a'), [free, second, first], '198.51.100.5 of first'],
  ] as const)
    test(name, () => assert.equal(outcome(wish, [...pools], ...[]), expected));
});

/** mulberry32 */
function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

describe('whatever Services come, change and go', () => {
  const seed = Number(process.env.FAIRLEAD_SEED ?? Date.now() % 2 ** 31);
  test(`no two of them have one address and port, and nobody waits beside a free address (seed ${seed})`, () => {
    const random = randomOf(seed);
    const pools = [pool('auto', ['192.0.2.0/30', 'fd00::/126']), pool('asked', ['198.51.100.0/30'], { 'auto-assign': false })];
    const wishes = new Map<string, AddressRequest>();
    const book = new AddressBook();
    const randomWish = (name: string): AddressRequest => {
      const key = ['', '', 'k', 'j'][random(4)] ?? '';
      const families = ([[4], [6], [4, 6], [6, 4]] as const)[random(4)] ?? [4];
      return request(name, {
        families,
        mayLackSecond: families.length > 1 && random(2) === 0,
        claim: claim(80 + random(3), key, random(4) === 0 ? 'app=x' : ''),
        ...(random(5) === 0 && families.length === 1 && families[0] === 4 ? { wanted: [`198.51.100.${random(5)}`] } : {}),
      });
    };
    for (let step = 0; step < 600; step++) {
      const name = `s${random(12)}`;
      const wish = randomWish(name);
      if (random(4) === 0) {
        wishes.delete(wish.service);
        book.set(wish.service, [], wish.claim);
        continue;
      }
      wishes.set(wish.service, wish);
      const before = book.addressesOf(wish.service);
      book.set(wish.service, before, wish.claim);
      const result = allocate(wish, pools, book);
      book.set(wish.service, result.kind === 'assigned' ? result.addresses : [], wish.claim);
      if (result.kind === 'assigned') assertRight(wish, result.addresses, pools);
      assertNoClash(wishes, book);
      const again = allocate(wish, pools, book);
      assert.deepEqual(again, result, `step ${step}: the answer stays`);
      const isFree = [0, 1, 2, 3].some((n) => !book.isTaken(`192.0.2.${n}`));
      if (result.kind === 'refused' && wish.wanted.length === 0 && wish.families.join() === '4')
        assert.ok(!isFree, `step ${step}: an address is free`);
    }
  });
});

function assertRight(wish: AddressRequest, addresses: readonly string[], pools: readonly Pool[]): void {
  assert.ok(
    pools.some((one) => addresses.every((ip) => poolHas(one, ip))),
    `${addresses.join()} are of one pool`,
  );
  const families = addresses.map((ip) => (ip.includes(':') ? 6 : 4));
  assert.deepEqual(families, wish.families.slice(0, wish.mayLackSecond ? families.length : undefined));
  if (wish.wanted.length > 0) assert.deepEqual(addresses, wish.wanted);
}

function assertNoClash(wishes: ReadonlyMap<string, AddressRequest>, book: AddressBook): void {
  const taken = new Map<string, AddressRequest>();
  for (const wish of wishes.values())
    for (const ip of book.addressesOf(wish.service)) {
      const other = taken.get(ip);
      taken.set(ip, wish);
      if (!other) continue;
      assert.ok(other.claim.sharingKey !== '' && other.claim.sharingKey === wish.claim.sharingKey, `${ip} is shared by key`);
      assert.equal(other.claim.backendKey, wish.claim.backendKey);
      assert.notDeepEqual(other.claim.ports, wish.claim.ports, `${ip} has each port once`);
    }
}
