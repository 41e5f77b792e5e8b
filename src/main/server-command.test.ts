import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FlagReader } from './flag-reader.ts';
import { readerFor } from './parts-command.ts';
import { server } from './server-command.ts';

test('servers that share their store elect, one alone does not; the flag holds over both', () => {
  const elects = (values: Record<string, string | boolean>): unknown =>
    ['controller-manager', 'scheduler', 'cloud-controller-manager'].map((name) =>
      readerFor(server.parts.find((part) => part.name === name)!, server, values).given('leader-elect'),
    );
  const all = (word: string): string[] => [word, word, word];
  assert.deepEqual(elects({}), all('false'));
  assert.deepEqual(elects({ store: 'sqlite:///var/lib/state.db' }), all('false'));
  assert.deepEqual(elects({ store: 'memory:' }), all('false'));
  assert.deepEqual(elects({ store: 'etcd=https://192.0.2.1:2379' }), all('true'));
  assert.deepEqual(elects({ store: 'redis://192.0.2.1' }), all('true'));
  assert.deepEqual(elects({ 'leader-elect': true }), all('true'));
  assert.deepEqual(elects({ store: 'etcd=https://192.0.2.1:2379', 'leader-elect': false }), all('false'));
});

test('each part of a server has the Lease that it would have alone', async () => {
  for (const [name, lease] of [
    ['controller-manager', 'kube-controller-manager'],
    ['scheduler', 'kube-scheduler'],
    ['cloud-controller-manager', 'cloud-controller-manager'],
  ] as const)
    assert.equal(server.parts.find((part) => part.name === name)?.flags['leader-elect-resource-name']?.default, lease);
});

test('the parts of a server meet it where it listens', () => {
  for (const [bind, url] of [
    ['0.0.0.0', 'https://127.0.0.1:6443'],
    ['::', 'https://127.0.0.1:6443'],
    ['192.0.2.10', 'https://192.0.2.10:6443'],
    ['fd00::10', 'https://[fd00::10]:6443'],
  ] as const) {
    const read = new FlagReader({ 'bind-address': bind, 'secure-port': '6443' });
    assert.deepEqual(server.apiServer?.(read), { server: url, serverName: 'localhost' });
  }
});
