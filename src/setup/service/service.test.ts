import assert from 'node:assert/strict';
import { test } from 'node:test';
import { envText, readEnv } from './service.ts';

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
