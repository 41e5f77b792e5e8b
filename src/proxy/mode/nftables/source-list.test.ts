import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sampleNode } from '../../testing/sample-node.ts';
import { asRangesSet, isOwnSource, isSourceList, ListOwners, mostRules, sourceChain, sourceListOf } from './source-list.ts';

const of = (ip: string, ...sources: string[]): Parameters<typeof sourceListOf>[0] => ({ ip, sources });

describe('sourceListOf()', () => {
  test('has one name for one list, and another for another', () => {
    const name = sourceListOf(of('192.0.2.1', '10.0.0.0/8', '10.0.0.0/9'))?.name ?? '';
    assert.match(name, /^sources-[0-9a-f]{24}$/);
    assert.equal(sourceListOf(of('192.0.2.2', '10.0.0.0/8', '10.0.0.0/9'))?.name, name);
    assert.notEqual(sourceListOf(of('192.0.2.1', '10.0.0.0/8'))?.name, name);
    assert.ok(isSourceList(name) && !isSourceList('sources'));
  });

  test('leaves out the address itself, whichever address has the list', () => {
    const sources = ['10.0.0.0/8', '192.0.2.1/32', '192.0.2.2/32'];
    for (const [ip, other] of [
      ['192.0.2.1', '192.0.2.2'],
      ['192.0.2.2', '192.0.2.1'],
    ] as const) {
      assert.deepEqual(sourceListOf({ ip, sources })?.ranges, ['10.0.0.0/8', other]);
      assert.equal(isOwnSource({ ip, sources }), true);
    }
    assert.equal(isOwnSource({ ip: '192.0.2.3', sources }), false);
    assert.equal(isOwnSource({ sources }), false);
    assert.equal(isOwnSource(of('fd00::1', '2001:db8::/32', 'fd00::1/128')), true);
  });

  test('keeps an address that is all that may come', () => {
    assert.equal(isOwnSource(of('192.0.2.1', '192.0.2.1/32')), false);
    assert.deepEqual(sourceListOf(of('192.0.2.1', '192.0.2.1/32'))?.ranges, ['192.0.2.1']);
  });

  test('is none where everybody may come, or nobody', () => {
    assert.equal(sourceListOf({ ip: '192.0.2.1' }), undefined);
    assert.equal(sourceListOf(of('192.0.2.1')), undefined);
  });
});

describe('sourceChain()', () => {
  const own = 'ip daddr . meta l4proto . th dport . ip saddr != @own-sources';
  const listOf = (length: number): string[] => Array.from({ length }, (_, i) => `10.${i}.0.0/16`);
  const counting = { ...sampleNode, countsConnections: true as const };

  test('of a short list has a rule for each range, and drops who is in none and no owner', () => {
    const short = { name: 'sources-1', ranges: listOf(mostRules) };
    const may = short.ranges.map((range) => `ip saddr ${range} return`);
    assert.deepEqual(sourceChain(short, sampleNode), { chain: { name: 'sources-1', rules: [...may, `${own} drop`] } });
    assert.equal(sourceChain(short, counting).chain.rules.at(-1), `${own} goto discard`);
    assert.deepEqual(sourceChain({ ...short, ranges: [] }, sampleNode).chain.rules, [`${own} drop`]);
  });

  test('of a long list looks into its set, and says so where refusals are counted', () => {
    const long = { name: 'sources-1', ranges: listOf(mostRules + 1) };
    const { chain, set } = sourceChain(long, sampleNode);
    assert.deepEqual(set, { name: 'ranges-1', key: ['ipv4_addr'], interval: true });
    assert.deepEqual(chain, { name: 'sources-1', rules: [`ip saddr != @ranges-1 ${own} drop`] });
    assert.deepEqual(sourceChain(long, counting).chain.rules, [`ip saddr != @ranges-1 ${own} goto discard`]);
    assert.deepEqual(asRangesSet('ranges-1', { family: 'ip6' }), { name: 'ranges-1', key: ['ipv6_addr'], interval: true });
    assert.equal(asRangesSet('services', sampleNode), undefined);
  });
});

test('a list is of the Service that has it, and of none when several have it', () => {
  const plan = (key: string, ...sources: string[]): ConstructorParameters<typeof ListOwners>[0] extends Iterable<infer P> ? P : never => {
    const target = { inside: 'cluster', outside: 'cluster', masquerade: 'always', port: 80 } as const;
    const frontends = ['192.0.2.1', '192.0.2.2'].map((ip) => ({ kind: 'load-balancer-ip', ip, sources, ...target }) as const);
    return { key, ports: [{ frontends }] };
  };
  const owners = new ListOwners([plan('n/a', '10.0.0.0/8'), plan('n/b', '10.0.0.0/8'), plan('n/c', '11.0.0.0/8'), plan('n/d')]);
  const nameOf = (source: string): string => sourceListOf(of('192.0.2.9', source))?.name ?? '';
  assert.equal(owners.of(nameOf('10.0.0.0/8')), undefined);
  assert.equal(owners.of(nameOf('11.0.0.0/8')), 'n/c');
  assert.equal(owners.of(nameOf('11.0.0.0/8').replace('sources', 'ranges')), 'n/c');
});
