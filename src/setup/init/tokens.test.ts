import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { bootstrapTokenOf } from '../../api/bootstrap-token.ts';
import { secrets } from '../../api/resource-types.ts';
import { FakeClient } from '../../client/testing/fake-client.ts';
import { systemClock } from '../../clock/clock.ts';
import { tokenText } from '../token/token.ts';
import { ensureTokens, plannedTokens, type TokenWish } from './tokens.ts';

const now = Date.UTC(2030, 0, 1);
const hourMs = 3_600_000;
const nothing: TokenWish = { token: undefined, tokenTtlMs: 24 * hourMs, documents: {} };

const ensure = (client: FakeClient, wish: TokenWish, at: number): ReturnType<typeof ensureTokens> =>
  ensureTokens(client, { planned: plannedTokens(wish, at), tokenTtlMs: wish.tokenTtlMs }, at);

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
    const { token, changed } = await ensure(client, nothing, now);
    assert.deepEqual([changed, there()], [true, [[tokenText(token), '2030-01-02T00:00:00Z']]]);
    assert.deepEqual(await ensure(client, nothing, now + hourMs).then((next) => [next.changed, tokenText(next.token)]), [
      false,
      tokenText(token),
    ]);
  });

  test('makes another one when the last is about to end', async () => {
    const first = await ensure(client, nothing, now);
    const late = await ensure(client, nothing, now + 24 * hourMs - 500_000);
    assert.notEqual(tokenText(late.token), tokenText(first.token));
    assert.equal(there().length, 2);
  });

  test('takes one that was agreed upon, for as long as is said, and leaves it the second time', async () => {
    const wish = { ...nothing, token: 'abcdef.0123456789abcdef', tokenTtlMs: 0 };
    assert.equal((await ensure(client, wish, now)).changed, true);
    assert.deepEqual(there(), [['abcdef.0123456789abcdef', undefined]]);
    assert.equal((await ensure(client, wish, now)).changed, false);
  });

  test("makes those of kubeadm's configuration, and tells the first", async () => {
    const bootstrapTokens = [
      { token: 'aaaaaa.0123456789abcdef', ttl: '1h0m0s' },
      { token: 'bbbbbb.0123456789abcdef', expires: '2030-06-01T00:00:00Z' },
      { token: 'cccccc.0123456789abcdef' },
    ];
    const { token } = await ensure(client, { ...nothing, documents: { init: { bootstrapTokens } } }, now);
    assert.equal(token.id, 'aaaaaa');
    assert.deepEqual(
      there().map(([, end]) => end),
      ['2030-01-01T01:00:00Z', '2030-06-01T00:00:00Z', '2030-01-02T00:00:00Z'],
    );
  });

  test('draws those of the configuration that name no token, once', async () => {
    const groups = ['system:bootstrappers:a'];
    const bootstrapTokens = [
      { ttl: '1h0m0s', groups },
      { token: '', ttl: '2h0m0s', groups },
      { token: 'cccccc.0123456789abcdef', groups },
    ];
    const wish = { ...nothing, documents: { init: { bootstrapTokens } } };
    const { token } = await ensure(client, wish, now);
    const first = there();
    assert.deepEqual(
      first.map(([, end]) => end),
      ['2030-01-01T01:00:00Z', '2030-01-01T02:00:00Z', '2030-01-02T00:00:00Z'],
    );
    assert.equal(tokenText(token), first[0]?.[0]);
    const again = await ensure(client, wish, now);
    assert.deepEqual([again.changed, tokenText(again.token), there()], [false, tokenText(token), first]);
    const later = await ensure(client, wish, now + 1_800_000);
    assert.deepEqual([tokenText(later.token), there().length, there()[0]?.[1]], [tokenText(token), 3, '2030-01-01T01:30:00Z']);
    await ensure(client, { ...nothing, documents: { init: { bootstrapTokens: [{ groups: ['system:bootstrappers:b'] }] } } }, now);
    assert.equal(there().length, 4, 'another purpose is another token');
  });

  test('gives a token that is there what was said last: secret, end, usages', async () => {
    const wish = { ...nothing, token: 'abcdef.0123456789abcdef' };
    await ensure(client, wish, now);
    assert.equal((await ensure(client, wish, now + 599_000)).changed, false);
    assert.equal((await ensure(client, wish, now + 601_000)).changed, true);
    assert.deepEqual(there(), [['abcdef.0123456789abcdef', '2030-01-02T00:10:01Z']]);
    for (const change of [{ token: 'abcdef.fedcba9876543210' }, { tokenTtlMs: 0 }]) {
      assert.equal((await ensure(client, { ...wish, ...change }, now)).changed, true);
      assert.equal((await ensure(client, { ...wish, ...change }, now)).changed, false);
    }
    assert.deepEqual(there(), [['abcdef.0123456789abcdef', undefined]]);
    const bootstrapTokens = [{ token: wish.token, usages: ['signing'], ttl: '0s' }];
    assert.equal((await ensure(client, { ...nothing, documents: { init: { bootstrapTokens } } }, now)).changed, true);
    assert.deepEqual(client.all(secrets).map(bootstrapTokenOf)[0]?.usages, ['signing']);
  });
});

describe('plannedTokens() refuses', () => {
  const token = 'aaaaaa.0123456789abcdef';
  for (const [what, change, message] of [
    ['a time to live that is none', { ttl: 'a day' }, /ttl" "a day": it is no duration/],
    ['one that has passed', { ttl: '-1h' }, /ttl" "-1h": it is no duration/],
    ['an end that is no time', { expires: 'tomorrow' }, /expires" "tomorrow": it is no time/],
    ['a usage that opens nothing', { usages: ['signing', 'foo'] }, /usages" "foo": no token may have it/],
    ['a group of others', { groups: ['system:masters'] }, /groups" "system:masters": no token may have it/],
  ] as const)
    test(what, () => {
      const documents = { init: { bootstrapTokens: [{ token, ...change }] } };
      assert.throws(() => plannedTokens({ ...nothing, documents }, now), { code: 'BAD_CONFIG', message });
    });

  test('what is no token', () => {
    assert.throws(() => plannedTokens({ ...nothing, token: 'not-a-token' }, now), { code: 'USAGE' });
  });
});
