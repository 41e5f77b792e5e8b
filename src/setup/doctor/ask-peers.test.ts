import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KnownError } from '../../errors/known-error.ts';
import type { Exec } from '../../linux/exec.ts';
import { askPeers } from './ask-peers.ts';

/** Each address takes packets up to a size, headers included; undefined knows no sizes. */
function pingOf(sizes: Readonly<Record<string, number>> | undefined): Exec {
  return {
    run: async (_file, args) => {
      const address = args.at(-1) ?? '';
      const size = Number(args[args.indexOf('-s') + 1]) + (address.includes(':') ? 48 : 28);
      const code = sizes && size <= (sizes[address] ?? 0) ? 0 : 1;
      return { code, stdout: '', stderr: '' };
    },
  };
}

const nodes = ['192.0.2.1', '192.0.2.2', '192.0.2.3', 'fd00::1'].map((address, i) => ({
  name: `n${i}`,
  machineId: '',
  addresses: [address],
  isReady: true,
}));
const sizes = { '127.0.0.1': 65_536, '192.0.2.1': 1500, '192.0.2.2': 1499, 'fd00::1': 1500 };

test('askPeers() tells nodes that large packets do not reach from those that are silent', async () => {
  const answers = await askPeers(pingOf(sizes), 1500, nodes);
  assert.deepEqual(
    answers?.map(({ node, largeArrives, smallArrives }) => [node, largeArrives, smallArrives]),
    [
      ['n0', true, true],
      ['n1', false, true],
      ['n2', false, false],
      ['n3', true, true],
    ],
  );
});

test('askPeers() asks each address of a node', async () => {
  const both = { name: 'n', machineId: '', addresses: ['192.0.2.1', 'fd00::1'], isReady: true };
  const answers = await askPeers(pingOf({ ...sizes, 'fd00::1': 1499 }), 1500, [both]);
  assert.deepEqual(
    answers?.map(({ node, address, largeArrives }) => [node, address, largeArrives]),
    [
      ['n', '192.0.2.1', true],
      ['n', 'fd00::1', false],
    ],
  );
});

test('askPeers() says nothing where ping knows no sizes, is not there, or the MTU is not known', async () => {
  const missing: Exec = { run: () => Promise.reject(new KnownError('TOOL_MISSING', 'no ping')) };
  assert.equal(await askPeers(pingOf(undefined), 1500, nodes), undefined);
  assert.equal(await askPeers(missing, 1500, nodes), undefined);
  assert.equal(await askPeers(pingOf(sizes), undefined, nodes), undefined);
});
