import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { renderSubnetEnv, writeSubnetEnv } from './subnet-env.ts';

test("renderSubnetEnv() gives flannel's lines: the range of all, the bridge's address with the node's prefix, MTU, masquerading", () => {
  assert.equal(
    renderSubnetEnv({ ranges: [{ network: '10.244.0.0/16', podCidr: '10.244.3.0/24' }], mtu: 1450, masquerade: true }),
    'FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.3.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n',
  );
});

test('renderSubnetEnv() says the same of IPv6 in lines of its own', () => {
  const six = { network: 'fd00:10:244::/56', podCidr: 'fd00:10:244:3::/64' };
  const four = { network: '10.244.0.0/16', podCidr: '10.244.3.0/24' };
  const lines = 'FLANNEL_IPV6_NETWORK=fd00:10:244::/56\nFLANNEL_IPV6_SUBNET=fd00:10:244:3::1/64\n';
  const rest = 'FLANNEL_MTU=1430\nFLANNEL_IPMASQ=false\n';
  assert.equal(renderSubnetEnv({ ranges: [six], mtu: 1430, masquerade: false }), lines + rest);
  const both = 'FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.3.1/24\n';
  assert.equal(renderSubnetEnv({ ranges: [six, four], mtu: 1430, masquerade: false }), lines + both + rest);
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
