import assert from 'node:assert/strict';
import test from 'node:test';
import type { TokenRequest } from '../../api/schema/types.ts';
import type { Client } from '../../client/client.ts';
import { refusal } from '../../client/testing/fake-client.ts';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { samplePod } from '../testing/pod-samples.ts';
import { TokenManager } from './token-manager.ts';

const pod = samplePod({ serviceAccountName: 'robot' });

/** An API server whose tokens are `t1`, `t2` … and live for `seconds`, or for as long as was asked for when it does not say. */
class Bed {
  readonly clock = new FakeClock();
  readonly asked: { account: string; body: TokenRequest }[] = [];
  seconds: number | undefined;
  refusals: Error[] = [];
  readonly tokens: TokenManager;
  #made = 0;

  constructor() {
    const createSubresource = async (_type: unknown, account: string, name: string, body: TokenRequest): Promise<object> => {
      assert.equal(name, 'token');
      this.asked.push({ account, body });
      const refused = this.refusals.shift();
      if (refused) throw refused;
      const ends = this.seconds === undefined ? undefined : new Date(this.clock.now() + this.seconds * 1000).toISOString();
      return { status: { token: `t${++this.#made}`, expirationTimestamp: ends } };
    };
    this.tokens = new TokenManager({ createSubresource } as unknown as Client, this.clock);
  }

  async token(projection: { audience?: string; expirationSeconds?: number } = {}, of = pod): Promise<string> {
    return await this.tokens.token(of, { path: 'token', ...projection });
  }
}

test('a token is of the account of its pod, and ends with the pod', async () => {
  const bed = new Bed();
  assert.equal(await bed.token({ audience: 'vault', expirationSeconds: 600 }), 't1');
  assert.deepEqual(bed.asked, [
    {
      account: 'robot',
      body: {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: {
          audiences: ['vault'],
          expirationSeconds: 600,
          boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: 'web', uid: 'u1' },
        },
      },
    },
  ]);
  await bed.token({}, samplePod());
  assert.equal(bed.asked[1]?.account, 'default');
  assert.deepEqual([bed.asked[1]?.body.spec.audiences, bed.asked[1]?.body.spec.expirationSeconds], [undefined, 3600]);
});

test('tokens are told apart by pod, account, audience and lifetime', async () => {
  const bed = new Bed();
  const others = [samplePod({ serviceAccountName: 'robot' }, { uid: 'u2' }), samplePod()];
  const ask = async (): Promise<string[]> => [
    await bed.token(),
    await bed.token({ audience: 'a' }),
    await bed.token({ expirationSeconds: 7200 }),
    ...(await Promise.all(others.map((other) => bed.token({}, other)))),
  ];
  assert.deepEqual(await ask(), ['t1', 't2', 't3', 't4', 't5']);
  assert.deepEqual(await ask(), ['t1', 't2', 't3', 't4', 't5']);
  bed.tokens.forget('u2');
  assert.deepEqual(await ask(), ['t1', 't2', 't3', 't6', 't5']);
});

for (const [what, seconds, renewed] of [
  ['after four fifths of its life', 1000, 800],
  ['after four fifths of what was asked for, when the server does not say', undefined, 2880],
  ['after a day, when it lives for long', 10 * 86_400, 86_400],
] as const)
  test(`a token is renewed ${what}`, async () => {
    const bed = new Bed();
    bed.seconds = seconds;
    await bed.token();
    await bed.clock.advance(renewed * 1000 - 1);
    assert.equal(await bed.token(), 't1');
    await bed.clock.advance(1);
    assert.equal(await bed.token(), 't2');
  });

test('an API server that is away takes a token from no pod before its time', async () => {
  const bed = new Bed();
  bed.seconds = 1000;
  await bed.token();
  bed.refusals = [new Error('away'), new Error('still away')];
  await bed.clock.advance(999_999);
  assert.equal(await bed.token(), 't1');
  await bed.clock.advance(1);
  await assert.rejects(bed.token(), /still away/);
});

test('a server that does not know the pod yet is asked again for a while', async () => {
  const bed = new Bed();
  bed.refusals = [refusal(403, 'Forbidden'), refusal(404, 'NotFound')];
  const asking = bed.token();
  const waits: number[] = [];
  for (let ms = 0; ms <= 70; ms += 10) {
    waits.push(bed.asked.length);
    await bed.clock.advance(10);
  }
  assert.deepEqual(waits, [1, 1, 2, 2, 2, 2, 2, 3]);
  assert.equal(await asking, 't1');
  bed.refusals = Array.from({ length: 6 }, () => refusal(403, 'Forbidden'));
  const refused = assert.rejects(bed.token({ audience: 'a' }), { code: 403 });
  await bed.clock.advance(769);
  assert.equal(bed.asked.length, 8);
  await bed.clock.advance(1);
  assert.equal(bed.asked.length, 9);
  await refused;
  bed.refusals = [refusal(500, 'InternalError')];
  await assert.rejects(bed.token({ audience: 'b' }), { code: 500 });
});
