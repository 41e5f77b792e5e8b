import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeIpset } from '../testing/fake-ipset.ts';
import { printIpsets } from './print.ts';
import { parseIpsets } from './testing/parse.ts';

const saved = `create A hash:ip,port family inet hashsize 1024 maxelem 65536
add A 10.96.0.1,tcp:80
add A 10.96.0.2,tcp:80
create B hash:ip family inet6 hashsize 1024 maxelem 65536
create P bitmap:port range 0-65535
add P 30080
`;

describe('sets', () => {
  test('are printed and read as by ipset', () => assert.equal(printIpsets(parseIpsets(saved)), saved));
  for (const line of ['add A 10.96.0.1,tcp:80', 'destroy A'])
    test(`are not read from "${line}" alone`, () => assert.throws(() => parseIpsets(line), SyntaxError));
});

describe('FakeIpset', () => {
  test('takes what it gave, and refuses as the kernel does', async () => {
    const fake = new FakeIpset();
    fake.load(saved);
    assert.equal(fake.dump(), saved);
    fake.isUsed = (name) => name === 'A';
    const a = { name: 'A', type: 'hash:ip,port', family: 4 } as const;
    const errors = await fake.apply([
      { op: 'create', set: a },
      { op: 'create', set: { ...a, family: 6 } },
      { op: 'destroy', name: 'A' },
      { op: 'destroy', name: 'none' },
      { op: 'flush', name: 'none' },
      { op: 'swap', name: 'A', other: 'none' },
      { op: 'swap', name: 'A', other: 'B' },
      { op: 'del', set: a, entry: '10.96.0.2,tcp:80' },
      { op: 'del', set: a, entry: '10.96.0.2,tcp:80' },
      { op: 'create', set: { ...a, name: 'C' } },
      { op: 'swap', name: 'A', other: 'C' },
      { op: 'destroy', name: 'B' },
    ]);
    assert.deepEqual(
      errors.map((error) => error?.errno),
      [
        undefined,
        'EEXIST',
        'IPSET_ERR_BUSY',
        undefined,
        'ENOENT',
        'IPSET_ERR_EXIST_SETNAME2',
        'IPSET_ERR_TYPE_MISMATCH',
        ...Array.from({ length: 5 }, () => undefined),
      ],
    );
    assert.deepEqual(await fake.names(), ['A', 'P', 'C']);
    assert.deepEqual([...((await fake.read('C'))?.entries ?? [])], ['10.96.0.1,tcp:80']);
    assert.equal(await fake.read('B'), undefined);
  });

  test('is full at 65,536 entries', async () => {
    const fake = new FakeIpset();
    const set = { name: 'A', type: 'hash:ip', family: 4 } as const;
    const entries = Array.from(
      { length: 65_537 },
      (_, i) => ({ op: 'add', set, entry: `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}` }) as const,
    );
    const errors = await fake.apply([{ op: 'create', set }, ...entries]);
    assert.deepEqual(
      errors.slice(-2).map((error) => error?.errno),
      [undefined, 'IPSET_ERR_HASH_FULL'],
    );
  });
});
