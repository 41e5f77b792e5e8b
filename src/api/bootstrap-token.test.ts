import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type BootstrapToken, bootstrapTokenLifeMs, bootstrapTokenOf, bootstrapTokenSecret } from './bootstrap-token.ts';
import type { Secret } from './schema/types.ts';

const token: BootstrapToken = {
  id: 'abcdef',
  secret: '0123456789abcdef',
  description: 'for a test',
  expiration: '2026-01-01T00:00:00Z',
  usages: ['signing', 'authentication'],
  groups: ['system:bootstrappers:a', 'system:bootstrappers:b'],
};

/** The Secret of that token with other texts. */
function secretWith(texts: Readonly<Record<string, string>>, more: Partial<Secret> = {}): Secret {
  const secret = bootstrapTokenSecret(token);
  const data = Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, Buffer.from(text).toString('base64')]));
  return { ...secret, data: { ...secret.data, ...data }, ...more };
}

describe('a bootstrap token', () => {
  test('is a Secret as kubeadm writes it', () => {
    const { metadata, type, data } = bootstrapTokenSecret(token);
    assert.deepEqual([metadata, type], [{ name: 'bootstrap-token-abcdef', namespace: 'kube-system' }, 'bootstrap.kubernetes.io/token']);
    assert.deepEqual(Object.fromEntries(Object.entries(data ?? {}).map(([key, text]) => [key, Buffer.from(text, 'base64').toString()])), {
      'token-id': 'abcdef',
      'token-secret': '0123456789abcdef',
      description: 'for a test',
      expiration: '2026-01-01T00:00:00Z',
      'usage-bootstrap-signing': 'true',
      'usage-bootstrap-authentication': 'true',
      'auth-extra-groups': 'system:bootstrappers:a,system:bootstrappers:b',
    });
  });

  test('is read back as it was', () => {
    assert.deepEqual(bootstrapTokenOf(bootstrapTokenSecret(token)), token);
    const least: BootstrapToken = { id: 'abcdef', secret: 'x', usages: [], groups: [] };
    assert.deepEqual(bootstrapTokenOf(bootstrapTokenSecret(least)), { ...least, description: undefined, expiration: undefined });
  });

  for (const [what, secret] of [
    ['of another type', secretWith({}, { type: 'Opaque' })],
    ['of another name', secretWith({}, { metadata: { name: 'bootstrap-token-abcdeg' } })],
    ['whose id no token has', secretWith({ 'token-id': 'ABCDEF' }, { metadata: { name: 'bootstrap-token-ABCDEF' } })],
    ['without an id', secretWith({ 'token-id': '' })],
    ['without a secret', secretWith({ 'token-secret': '' })],
  ] as const)
    test(`is not a Secret ${what}`, () => assert.equal(bootstrapTokenOf(secret), undefined));

  test('is good for what says "true", and nothing else', () => {
    assert.deepEqual(bootstrapTokenOf(secretWith({ 'usage-bootstrap-signing': 'yes' }))?.usages, ['authentication']);
  });

  test('keeps its groups as they are written, so that a wrong one is found', () => {
    assert.deepEqual(bootstrapTokenOf(secretWith({ 'auth-extra-groups': 'a, b,' }))?.groups, ['a', ' b', '']);
  });

  const now = Date.parse('2025-12-31T23:59:00Z');
  for (const [what, expiration, left] of [
    ['lives until its end', '2026-01-01T00:00:00Z', 60_000],
    ['lives until its end in another zone, to the millisecond', '2026-01-01T01:00:00.5+01:00', 60_500],
    ['has ended when that is past', '2025-12-31T23:58:59Z', -1_000],
    ['has ended when nobody can read the end', '2036-01-01', 0],
    ['never ends without one', '', Number.POSITIVE_INFINITY],
  ] as const)
    test(what, () => assert.equal(bootstrapTokenLifeMs(secretWith({ expiration }), now), left));
});
