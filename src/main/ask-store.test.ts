import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clusterInfoObject } from '../setup/discovery/cluster-info.ts';
import { askStore, authorityIn } from './ask-store.ts';

test('authorityIn() finds the authority in a cluster-info, whoever has written it', () => {
  const info = clusterInfoObject({ server: 'https://a:6443', caPem: 'PEM' });
  const text = info.data?.kubeconfig ?? '';
  assert.equal(authorityIn(JSON.stringify(info)), 'PEM');
  // As kube-apiserver stores it, and as kubeadm writes it.
  assert.equal(authorityIn(`k8s\0\n\x0e${text}\x1a\0`), 'PEM');
  assert.equal(
    authorityIn(`k8s\0clusters:\n- cluster:\n    certificate-authority-data: ${Buffer.from('PEM').toString('base64')}\n    server: x`),
    'PEM',
  );
  assert.equal(authorityIn(''), undefined);
});

test('a store of this machine alone is asked for nothing, but its URL is read', async () => {
  assert.equal(await askStore('sqlite:///nowhere/state.db'), undefined);
  const refused = await askStore('redis+sentinal://10.0.0.1/mymaster');
  assert.match(JSON.stringify(refused), /redis\+sentinal:.* is no kind of store/);
});
