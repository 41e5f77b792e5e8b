import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { bootstrapTokenOf } from '../../api/bootstrap-token.ts';
import { secrets } from '../../api/resource-types.ts';
import { FakeClient } from '../../client/testing/fake-client.ts';
import { systemClock } from '../../clock/clock.ts';
import { tokenText } from '../token/token.ts';
import { ensureTokens, type TokenWish } from './tokens.ts';

const now = Date.UTC(2030, 0, 1);
const hourMs = 3_600_000;
const nothing: TokenWish = { token: undefined, tokenTtlMs: 24 * hourMs, documents: {} };

describe('ensureTokens()', () => {
  let client: FakeClient;
  beforeEach(() => {
    client = new FakeClient(systemClock);
  });
  const there = (): (string | undefined)[][] =>
    client.all(secrets).map((secret) => {
      const token = bootstrapTokenOf(secret);
      return [token && tokenText(token), token?.expiration];
    });

  test('makes one that lasts a day, and finds it the next time', async () => {
    const { token, changed } = await ensureTokens(client, nothing, now);
    assert.deepEqual([changed, there()], [true, [[tokenText(token), '2030-01-02T00:00:00Z']]]);
    assert.deepEqual(await ensureTokens(client, nothing, now + hourMs).then((next) => [next.changed, tokenText(next.token)]), [
      false,
      tokenText(token),
    ]);
  });

  test('makes another one when the last is about to end', async () => {
    const first = await ensureTokens(client, nothing, now);
    const late = await ensureTokens(client, nothing, now + 24 * hourMs - 500_000);
    assert.notEqual(tokenText(late.token), tokenText(first.token));
    assert.equal(there().length, 2);
  });

  test('takes one that was agreed upon, for as long as is said, and leaves it the second time', async () => {
    const wish = { ...nothing, token: 'abcdef.0123456789abcdef', tokenTtlMs: 0 };
    assert.equal((await ensureTokens(client, wish, now)).changed, true);
    assert.deepEqual(there(), [['abcdef.0123456789abcdef', undefined]]);
    assert.equal((await ensureTokens(client, wish, now)).changed, false);
  });

  test("makes those of kubeadm's configuration, and tells the first", async () => {
    const bootstrapTokens = [
      { token: 'aaaaaa.0123456789abcdef', ttl: '1h0m0s' },
      { token: 'bbbbbb.0123456789abcdef', expires: '2030-06-01T00:00:00Z' },
      { token: 'cccccc.0123456789abcdef' },
    ];
    const { token } = await ensureTokens(client, { ...nothing, documents: { init: { bootstrapTokens } } }, now);
    assert.equal(token.id, 'aaaaaa');
    assert.deepEqual(
      there().map(([, end]) => end),
      ['2030-01-01T01:00:00Z', '2030-06-01T00:00:00Z', '2030-01-02T00:00:00Z'],
    );
  });

  test('refuses a time to live that is none', async () => {
    const documents = { init: { bootstrapTokens: [{ token: 'aaaaaa.0123456789abcdef', ttl: 'a day' }] } };
    await assert.rejects(ensureTokens(client, { ...nothing, documents }, now), {
      code: 'BAD_CONFIG',
      message: /"a day": it is no duration/,
    });
  });
});
