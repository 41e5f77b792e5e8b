import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultTokenGroup, newToken, parseToken, tokenSecret, tokenText } from './token.ts';

test('newToken() draws another token each time, of the form that parseToken() reads', () => {
  const [one, two] = [newToken(), newToken()];
  assert.deepEqual(parseToken(tokenText(one)), one);
  assert.notEqual(tokenText(one), tokenText(two));
});

test('parseToken() refuses what is no token, and does not repeat it', () => {
  for (const text of ['', 'abcdef', 'abcdef.0123456789abcde', 'ABCDEF.0123456789abcdef', 'abcdef.0123456789abcdef '])
    assert.throws(
      () => parseToken(text),
      (err: Error) => !text || !err.message.includes(text),
    );
});

test("tokenSecret() is kubeadm's", () => {
  const secret = tokenSecret({ token: parseToken('abcdef.0123456789abcdef'), description: 'x', expires: Date.UTC(2030, 0, 1) });
  assert.deepEqual(
    [secret.type, secret.metadata],
    ['bootstrap.kubernetes.io/token', { name: 'bootstrap-token-abcdef', namespace: 'kube-system' }],
  );
  const read = Object.fromEntries(Object.entries(secret.data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]));
  assert.deepEqual(read, {
    'token-id': 'abcdef',
    'token-secret': '0123456789abcdef',
    description: 'x',
    expiration: '2030-01-01T00:00:00Z',
    'usage-bootstrap-signing': 'true',
    'usage-bootstrap-authentication': 'true',
    'auth-extra-groups': defaultTokenGroup,
  });
});

test('tokenSecret() leaves out what is not wanted', () => {
  const { data } = tokenSecret({ token: newToken(), usages: ['signing'], groups: [] });
  assert.deepEqual(Object.keys(data ?? {}).toSorted(), ['token-id', 'token-secret', 'usage-bootstrap-signing']);
});
