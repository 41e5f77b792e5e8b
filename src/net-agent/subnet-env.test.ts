import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { renderSubnetEnv, writeSubnetEnv } from './subnet-env.ts';

test("renderSubnetEnv() gives flannel's lines: the range of all, the bridge's address with the node's prefix, MTU, masquerading", () => {
  assert.equal(
    renderSubnetEnv({ network: '10.244.0.0/16', podCidr: '10.244.3.0/24', mtu: 1450, masquerade: true }),
    'FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.3.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n',
  );
});

test('writeSubnetEnv() makes the folder, leaves a file alone that says the same, and leaves nothing else behind', () => {
  const dir = mkdtempSync(join(tmpdir(), 'fl-subnet-'));
  try {
    const path = join(dir, 'run', 'subnet.env');
    writeSubnetEnv(join(dir, 'run'), 'a');
    const { ino } = statSync(path);
    writeSubnetEnv(join(dir, 'run'), 'a');
    assert.equal(statSync(path).ino, ino);
    writeSubnetEnv(join(dir, 'run'), 'b');
    assert.equal(readFileSync(path, 'utf8'), 'b');
    assert.notEqual(statSync(path).ino, ino);
    assert.deepEqual(readdirSync(join(dir, 'run')), ['subnet.env']);
  } finally {
    rmSync(dir, { recursive: true });
  }
});
