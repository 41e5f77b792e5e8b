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

test('the parts of a server meet it where it listens, by a name that certificates of kubeadm have, too', () => {
  const read = new FlagReader({ 'bind-address': '192.0.2.10', 'secure-port': '6444' });
  assert.deepEqual(server.apiServer?.(read), { server: 'https://192.0.2.10:6444', serverName: 'kubernetes.default.svc' });
});
