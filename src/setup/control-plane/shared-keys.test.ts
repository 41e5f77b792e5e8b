import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Role, RoleBinding } from '../../api/schema/types.ts';
import { newToken, tokenSecret } from '../token/token.ts';
import { keysObject, keysRoles, mayBeElsewhere, sealKeys, sharedFiles, unsealKeys } from './shared-keys.ts';

const key = '0123456789abcdef'.repeat(4);

test("sharedFiles() are kubeadm's, with what reaches the store", () => {
  const pki = '/etc/kubernetes/pki';
  const own = {
    'ca.crt': `${pki}/ca.crt`,
    'ca.key': `${pki}/ca.key`,
    'front-proxy-ca.crt': `${pki}/front-proxy-ca.crt`,
    'front-proxy-ca.key': `${pki}/front-proxy-ca.key`,
    'sa.pub': `${pki}/sa.pub`,
    'sa.key': `${pki}/sa.key`,
  };
  assert.deepEqual(sharedFiles(undefined), own);
  assert.deepEqual(sharedFiles('etcd=https://a?ca-file=/e/ca.crt'), { ...own, 'external-etcd-ca.crt': '/e/ca.crt' });
});

test('sealKeys() and unsealKeys() carry files and the place of the store, as base64 of a Secret, for one key', () => {
  const keys = { store: 'redis://:secret@a', contents: { 'ca.crt': 'certificate\n', 'ca.key': 'key\n' } };
  const data = sealKeys(keys, key);
  assert.deepEqual(Object.keys(data), ['ca.crt', 'ca.key', 'fairlead-store']);
  for (const text of Object.values(data)) assert.doesNotMatch(Buffer.from(text, 'base64').toString('latin1'), /secret|certificate|key/);
  assert.deepEqual(unsealKeys(data, key), keys);
  assert.equal(unsealKeys(data, key.replace('0', '1')), undefined);
  const { 'fairlead-store': _, ...ofKubeadm } = data;
  assert.deepEqual(unsealKeys(ofKubeadm, key), { ...keys, store: undefined });
  assert.deepEqual(Object.keys(sealKeys({ ...keys, store: undefined }, key)), ['ca.crt', 'ca.key']);
});

test('the key of an authority may be kept elsewhere where its certificate is here, and travels as nothing, as with kubeadm', () => {
  const withCertificates = (name: string): boolean => mayBeElsewhere(name, (other) => other.endsWith('.crt'));
  assert.deepEqual(Object.keys(sharedFiles(undefined)).filter(withCertificates), ['ca.key', 'front-proxy-ca.key']);
  assert.equal(
    mayBeElsewhere('ca.key', (other) => other === 'front-proxy-ca.crt'),
    false,
  );
  const keys = { store: undefined, contents: { 'ca.crt': 'certificate\n', 'ca.key': '' } };
  const data = sealKeys(keys, key);
  assert.equal(data['ca.key'], '');
  assert.deepEqual(unsealKeys(data, key), keys);
});

test('the Secret goes with its token, and those who join may read it alone', () => {
  const owner = tokenSecret({ token: newToken(), usages: [], groups: [] });
  const secret = keysObject({ a: 'b' }, { ...owner, metadata: { ...owner.metadata, uid: 'u' } });
  assert.deepEqual(secret, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: 'kubeadm-certs',
      namespace: 'kube-system',
      ownerReferences: [
        { apiVersion: 'v1', kind: 'Secret', name: owner.metadata.name, uid: 'u', controller: true, blockOwnerDeletion: true },
      ],
    },
    type: 'Opaque',
    data: { a: 'b' },
  });
  const [role, binding] = keysRoles() as [Role, RoleBinding];
  assert.deepEqual(role.rules, [{ apiGroups: [''], resources: ['secrets'], resourceNames: ['kubeadm-certs'], verbs: ['get'] }]);
  assert.deepEqual(
    binding.subjects?.map(({ name }) => name),
    ['system:bootstrappers:kubeadm:default-node-token'],
  );
  for (const { metadata } of [role, binding]) assert.deepEqual(metadata, { name: 'kubeadm:kubeadm-certs', namespace: 'kube-system' });
  assert.equal(binding.roleRef.name, 'kubeadm:kubeadm-certs');
});
