import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isKnownError } from '../errors/known-error.ts';
import { choose, FlagReader } from './flag-reader.ts';

function flag(text: string | undefined): FlagReader<'f'> {
  return new FlagReader({ f: text }, () => 'called');
}

describe('FlagReader', () => {
  const hours = [3600, 2 ** 32] as const;
  const refused: [string, () => unknown, RegExp][] = [
    ['a port that is a word', () => flag('abc').port('f'), /--called="abc": it is no port/],
    ['port 0', () => flag('0').port('f'), /it is no port/],
    ['a port behind the last', () => flag('65536').port('f'), /it is no port/],
    ['an empty port', () => flag('').port('f'), /it is no port/],
    ['a range without a length', () => flag('10.0.0.0').cidr('f'), /--called="10.0.0.0": it is no range/],
    ['an empty range', () => flag('').cidr('f'), /--called="": it is no range/],
    ['the one of two ranges that is none', () => flag('10.0.0.0/8,fd00::').cidrs('f'), /--called="fd00::": it is no range/],
    ['an address that is a name', () => flag('banana').ip('f'), /--called="banana": it is no address/],
    ['an own address that is a name', () => flag('banana').ownIp('f'), /it is no address/],
    ['a regular expression that is none', () => flag('eth(').regex('f'), /--called="eth\(": it is no regular/],
    ['a number out of bounds', () => flag('33').number('f', 8, 30), /no number from 8 to 30/],
    ['a number with a sign', () => flag('-8').number('f', 0, 30), /no number from 0 to 30/],
    ['a fraction above its bound', () => flag('0.0201').fraction('f', 0.02), /--called="0.0201": it is no number from 0 to 0.02/],
    ['a negative fraction', () => flag('-0.01').fraction('f', 0.02), /no number from 0 to 0.02/],
    ['a fraction that is a word', () => flag('few').fraction('f', 0.02), /no number/],
    ['an empty fraction', () => flag(' ').fraction('f', 0.02), /no number/],
    ['a duration that is none', () => flag('2 days').seconds('f', ...hours), /--called="2 days": it is no duration/],
    ['a duration that is too short', () => flag('59m59s').seconds('f', ...hours), /not between 3600 and 4294967296 seconds/],
    ['a negative duration', () => flag('-2h').seconds('f', ...hours), /not between/],
    ['a choice that nobody has', () => flag('*,-b').choice('f', ['a']), /--called="\*,-b": there is no "b"/],
  ];
  for (const [name, read, want] of refused)
    test(`refuses ${name}, by the name that the command has for the flag`, () => {
      assert.throws(read, (err) => isKnownError(err, 'USAGE') && want.test(err.message));
    });

  test('gives what flags stand for', () => {
    assert.deepEqual([flag('6443').port('f'), flag('65535').port('f'), flag('24').number('f', 24, 24)], [6443, 65_535, 24]);
    assert.deepEqual(
      ['0', '0.02', '1e-3', '.01'].map((text) => flag(text).fraction('f', 0.02)),
      [0, 0.02, 0.001, 0.01],
    );
    const durations = ['0', '0s', '3600s', '8760h'].map((text) => flag(text).seconds('f', ...hours));
    assert.deepEqual(durations, [0, 0, 3600, 31_536_000]);
    assert.deepEqual([flag('').list('f'), flag('a,b').list('f')], [[], ['a', 'b']]);
    assert.deepEqual([flag('10.0.0.0/8').cidr('f'), flag('').cidrs('f')], ['10.0.0.0/8', []]);
    assert.deepEqual(flag('10.0.0.0/8,fd00::/8').cidrs('f'), ['10.0.0.0/8', 'fd00::/8']);
    assert.deepEqual([flag(undefined).ip('f'), flag('').ip('f'), flag('fd00::1').ip('f')], ['', '', 'fd00::1']);
    assert.deepEqual([flag('^eth').regex('f'), flag('').regex('f'), flag('*,-a').choice('f', ['a', 'b'])], ['^eth', '', ['b']]);
  });

  test('takes an own address that says nothing as one that is left out', () => {
    const read = [undefined, '', '0.0.0.0', '::', '192.0.2.1'].map((text) => flag(text).ownIp('f'));
    assert.deepEqual(read, [undefined, undefined, undefined, undefined, '192.0.2.1']);
  });

  test('takes own addresses of both families, and those that say nothing as left out', () => {
    const read = ['', '0.0.0.0,::', '::,0.0.0.0', '0:0::0', '192.0.2.1,::', '192.0.2.1,fd00::1'].map((text) => flag(text).ownIps('f'));
    assert.deepEqual(read, [undefined, undefined, undefined, undefined, ['192.0.2.1'], ['192.0.2.1', 'fd00::1']]);
    for (const text of ['192.0.2.1,192.0.2.2', '192.0.2.1,fd00::1,fd00::2', '0.0.0.0,192.0.2.1'])
      assert.throws(() => flag(text).ownIps('f'), /it is not one address, or one of each family/);
  });

  test('tells what is left out from what is there', () => {
    assert.deepEqual([flag(undefined).optional('f'), flag('').optional('f'), flag('x').optional('f')], [undefined, undefined, 'x']);
    assert.deepEqual([flag(undefined).text('f'), new FlagReader({ f: true }).isSet('f'), new FlagReader({}).isSet('f')], ['', true, false]);
  });
});

describe('choose()', () => {
  test('means by "*" none of those that are on request alone', () => {
    const one = (text: string): string[] => choose('controllers', text, ['a', 'b', 'c'], ['b']);
    assert.deepEqual([one('*'), one('*,b'), one('b'), one('*,-a')], [['a', 'c'], ['a', 'b', 'c'], ['b'], ['c']]);
  });

  const known = ['kubelet', 'proxy', 'dns'];
  const cases: [string, string, string[]][] = [
    ['takes all of them', '*', ['kubelet', 'proxy', 'dns']],
    ['leaves one out', '*,-proxy', ['kubelet', 'dns']],
    ['takes those that are named, in the known order', 'dns,kubelet', ['kubelet', 'dns']],
    ['takes none when only exclusions stand there, as upstream does', '-proxy', []],
    ['lets an exclusion win over the name itself', 'proxy,-proxy', []],
    ['takes none from an empty list', '', []],
  ];
  for (const [name, text, want] of cases)
    test(name, () => {
      assert.deepEqual(choose('parts', text, known), want);
    });

  test('refuses a name that nothing has, and tells the near one', () => {
    assert.throws(() => choose('parts', '*,-prox', known), /--parts="\*,-prox": there is no "prox"/);
    assert.throws(
      () => choose('parts', '*,-prox', known),
      (err: { hint?: string }) => /"proxy"/.test(err.hint ?? ''),
    );
  });
});
