import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { certificateKeyOf } from './init-tasks.ts';
import { controlPlaneWish, discoveryOf } from './join-tasks.ts';

const key = '0123456789abcdef'.repeat(4);
const none = { 'control-plane': false, 'certificate-key': undefined, 'apiserver-bind-port': undefined, store: undefined };

test('a control plane is what a flag or the configuration asks for; flags say more', () => {
  assert.equal(controlPlaneWish(none, undefined), undefined);
  assert.deepEqual(controlPlaneWish({ ...none, 'control-plane': true }, undefined), {
    certificateKey: undefined,
    store: undefined,
    bindPort: undefined,
  });
  const document = { certificateKey: key, localAPIEndpoint: { bindPort: 6444 } };
  assert.deepEqual(controlPlaneWish(none, document), { certificateKey: key, store: undefined, bindPort: 6444 });
  const given = { ...none, 'certificate-key': 'f'.repeat(64), 'apiserver-bind-port': '6445', store: 'redis://a' };
  assert.equal(controlPlaneWish({ ...none, 'control-plane': true }, undefined, 6446)?.bindPort, 6446, 'that of before');
  assert.equal(controlPlaneWish(none, document, 6446)?.bindPort, 6444);
  assert.deepEqual(controlPlaneWish(given, document), { certificateKey: 'f'.repeat(64), store: 'redis://a', bindPort: 6445 });
});

test('what only a control plane has is refused without one', () => {
  for (const flag of ['certificate-key', 'apiserver-bind-port', 'store'] as const)
    assert.throws(() => controlPlaneWish({ ...none, [flag]: key }, undefined), {
      code: 'USAGE',
      message: `Cannot use --${flag}: the machine becomes a node alone`,
    });
});

describe('who joins', () => {
  const [hash, other] = [`sha256:${'0'.repeat(64)}`, `sha256:${'1'.repeat(64)}`];
  const given = { token: 'abcdef.0123456789abcdef', hashes: [hash], isUnsafe: false };
  const nothing = { token: undefined, hashes: undefined, isUnsafe: false };

  test('is told by flags more than by the configuration', () => {
    const bootstrapToken = { apiServerEndpoint: 'b:6443', token: 'b', caCertHashes: [other] };
    assert.deepEqual(discoveryOf({ discovery: { bootstrapToken } }, ['a:6443'], given), {
      endpoint: 'a:6443',
      token: given.token,
      hashes: [hash],
    });
    assert.deepEqual(discoveryOf({ discovery: { bootstrapToken } }, [], nothing), { endpoint: 'b:6443', token: 'b', hashes: [other] });
  });

  test('has one token for all, by whichever name', () => {
    const discovery = { bootstrapToken: { apiServerEndpoint: 'b:6443', token: 'b', caCertHashes: [other] }, tlsBootstrapToken: 'b' };
    assert.equal(discoveryOf({ discovery }, [], nothing).token, 'b');
    const two = { ...discovery, tlsBootstrapToken: 'c' };
    assert.throws(() => discoveryOf({ discovery: two }, [], nothing), { code: 'USAGE', message: /tlsBootstrapToken are two/ });
    assert.equal(discoveryOf({ discovery: two }, [], given).token, given.token);
  });

  test('trusts nobody without a hash, unless somebody says so', () => {
    assert.throws(() => discoveryOf({}, ['a'], { ...given, hashes: undefined }), {
      code: 'USAGE',
      message: /nobody is trusted on first use/,
    });
    assert.deepEqual(discoveryOf({}, ['a'], { ...given, hashes: undefined, isUnsafe: true }).hashes, []);
  });

  test('says where, and by what token; a phase of kubeadm is no place', () => {
    assert.throws(() => discoveryOf({}, [], given), { message: 'Cannot join: it is not said where the control plane is' });
    assert.throws(() => discoveryOf({}, ['a'], { ...given, token: undefined }), { message: 'Cannot join: no token is given' });
    assert.throws(() => discoveryOf({}, ['phase', 'kubelet-start'], given), {
      message: 'Cannot join: it takes HOST:PORT alone, and not "kubelet-start" besides',
    });
  });
});

test('init has a certificate key when it uploads: the given one, or a new one', () => {
  assert.equal(certificateKeyOf(true, key), key);
  assert.match(certificateKeyOf(true, undefined) ?? '', /^[0-9a-f]{64}$/);
  assert.equal(certificateKeyOf(false, undefined), undefined);
  assert.throws(() => certificateKeyOf(false, key), { code: 'USAGE', hint: 'Add --upload-certs' });
});
