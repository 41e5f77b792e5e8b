import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { packetsIn, readScenario } from './scenario.ts';

function packetsOf(text: string): ReturnType<typeof readScenario> {
  return readScenario('', '', `packets:\n  - { name: a, from: 10.244.1.2, to: '10.96.0.1:80', ${text} }\n`);
}

describe('readScenario()', () => {
  test('gives a packet the fate of a mode that differs, and leaves it to the others', () => {
    const scenario = packetsOf('reaches: [10.244.1.3:80], masqueraded: true, differs: [{ modes: [x, y], dropped: true, because: of z }]');
    const fates = ['nftables', 'x', 'y'].map((mode) =>
      packetsIn({ name: mode, algorithms: [] }, scenario).map(({ fate, reaches }) => [fate, reaches]),
    );
    assert.deepEqual(fates, [[['reached', ['10.244.1.3:80']]], [['dropped', []]], [['dropped', []]]]);
  });

  test('says that a client is hashed where a mode can', () => {
    const scenario = packetsOf('reaches: [10.244.1.3:80], hashed: true');
    for (const [algorithm, hashed] of [
      ['random', false],
      ['source-hash', true],
      ['sh', true],
    ] as const)
      assert.equal(packetsIn({ name: 'x', algorithms: [algorithm] }, scenario)[0]?.hashed, hashed);
  });

  test('wants a reason where a mode differs, and a fate everywhere', () => {
    assert.throws(() => packetsOf('refused: true, differs: [{ modes: [x], dropped: true }]'), /it needs "because" where x differs/);
    assert.throws(() => packetsOf('refused: true, differs: [{ modes: [x], because: of z }]'), /it needs reaches, refused or dropped/);
    assert.throws(() => packetsOf('sticky: true'), /it needs reaches, refused or dropped/);
  });
});
