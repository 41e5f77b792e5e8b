import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changedFlags, envText, partsOf, readEnv } from './service.ts';

test('what envText() writes, readEnv() and a shell of systemd read alike: one quoted value a line', () => {
  const text = envText({ 'node-ip': '192.0.2.1', parts: '*,-proxy', 'register-with-taints': 'a=:NoSchedule' });
  assert.deepEqual(readEnv(text), {
    FAIRLEAD_NODE_IP: '192.0.2.1',
    FAIRLEAD_PARTS: '*,-proxy',
    FAIRLEAD_REGISTER_WITH_TAINTS: 'a=:NoSchedule',
  });
  assert.match(text, /^FAIRLEAD_PARTS="\*,-proxy"$/m);
});

test('readEnv() reads what people write, without quotes too', () => {
  assert.deepEqual(readEnv('# FAIRLEAD_X=1\nFAIRLEAD_LOG_LEVEL=debug\n'), { FAIRLEAD_LOG_LEVEL: 'debug' });
});

test('envText() refuses what would mean something else in the file', () => {
  for (const value of ['a"b', 'a\nb', 'a$b', 'a\\b', 'a`b']) assert.throws(() => envText({ parts: value }), { code: 'BAD_CONFIG' });
});

test('what somebody has added to the file stays, and has the last word', () => {
  const own = 'FAIRLEAD_LOG_LEVEL=debug\nFAIRLEAD_NODE_IP=192.0.2.2\n';
  const text = envText({ 'node-ip': '192.0.2.1' }, own);
  assert.deepEqual(readEnv(text), { FAIRLEAD_NODE_IP: '192.0.2.2', FAIRLEAD_LOG_LEVEL: 'debug' });
  assert.equal(partsOf(text).own, own);
  assert.equal(envText({ 'node-ip': '192.0.2.1' }, partsOf(text).own), text);
  assert.deepEqual(partsOf('FAIRLEAD_X=1\n'), { written: undefined, own: 'FAIRLEAD_X=1\n' });
});

test('changedFlags() names what was written otherwise; what somebody has added is no change', () => {
  const text = envText({ 'secure-port': '6443', 'data-dir': '/a' }, 'FAIRLEAD_DATA_DIR=/b\n');
  assert.deepEqual(changedFlags(text, { 'secure-port': '6443', 'data-dir': '/a' }), []);
  assert.deepEqual(changedFlags(text, { 'secure-port': '7443', 'data-dir': '/a', 'pki-dir': '/c' }), ['secure-port', 'pki-dir']);
  for (const none of [undefined, 'FAIRLEAD_STORE=memory:\n']) assert.deepEqual(changedFlags(none, { 'secure-port': '6443' }), []);
});
