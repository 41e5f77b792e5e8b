import assert from 'node:assert/strict';
import { test } from 'node:test';
import { certificateKeyOf } from './init-tasks.ts';
import { controlPlaneWish, taintsOf } from './join-tasks.ts';

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
  assert.deepEqual(controlPlaneWish(given, document), { certificateKey: 'f'.repeat(64), store: 'redis://a', bindPort: 6445 });
});

test('what only a control plane has is refused without one', () => {
  for (const flag of ['certificate-key', 'apiserver-bind-port', 'store'] as const)
    assert.throws(() => controlPlaneWish({ ...none, [flag]: key }, undefined), {
      code: 'USAGE',
      message: `Cannot use --${flag}: the machine becomes a node alone`,
    });
});

test('a control plane that joins has the taint of the first, unless somebody asks for others', () => {
  const taint = { key: 'a', effect: 'NoSchedule' } as const;
  assert.deepEqual(taintsOf(undefined, true), [{ key: 'node-role.kubernetes.io/control-plane', effect: 'NoSchedule' }]);
  assert.deepEqual(taintsOf([], true), []);
  assert.deepEqual(taintsOf([taint], true), [taint]);
  assert.deepEqual(taintsOf(undefined, false), []);
});

test('init has a certificate key when it uploads: the given one, or a new one', () => {
  assert.equal(certificateKeyOf(true, key), key);
  assert.match(certificateKeyOf(true, undefined) ?? '', /^[0-9a-f]{64}$/);
  assert.equal(certificateKeyOf(false, undefined), undefined);
  assert.throws(() => certificateKeyOf(false, key), { code: 'USAGE', hint: 'Add --upload-certs' });
});
