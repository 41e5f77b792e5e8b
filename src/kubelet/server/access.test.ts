import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { describe, test } from 'node:test';
import type { SubjectAccessReview, TokenReview } from '../../api/schema/types.ts';
import type { Client } from '../../client/client.ts';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { Access } from './access.ts';
import type { HttpError } from './http-error.ts';

interface Asked {
  readonly method?: string;
  readonly url?: string;
  readonly token?: string;
  readonly subject?: { readonly CN?: string | string[]; readonly O?: string | string[] };
  /** Whether the clients' CA signed the certificate. */
  readonly authorized?: boolean;
}

/** An API server that knows one token, and allows what `allows` says. */
class Bed {
  readonly clock = new FakeClock();
  readonly reviews: (SubjectAccessReview | TokenReview)[] = [];
  allows = true;
  readonly #access: Access;

  constructor() {
    const create = async (_type: unknown, review: SubjectAccessReview | TokenReview): Promise<object> => {
      this.reviews.push(review);
      if (!('token' in review.spec)) return { ...review, status: { allowed: this.allows } };
      const known = review.spec.token === 'secret';
      return { ...review, status: known ? { authenticated: true, user: { username: 'prom', groups: ['watchers'] } } : {} };
    };
    this.#access = new Access({ client: { create } as unknown as Client, clock: this.clock, nodeName: 'n1' });
  }

  async check({ method = 'GET', url = '/pods', token, subject, authorized = subject !== undefined }: Asked): Promise<void> {
    const req = {
      ...{ method, url },
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      socket: { authorized, getPeerCertificate: () => (subject ? { subject } : undefined) },
    };
    await this.#access.check(req as unknown as IncomingMessage);
  }

  /** The answer's code; 200 when it may. */
  async code(asked: Asked): Promise<number> {
    return await this.check(asked).then(
      () => 200,
      (err: HttpError) => err.code,
    );
  }

  get asked(): SubjectAccessReview['spec'] | undefined {
    return this.reviews.flatMap(({ spec }) => ('token' in spec ? [] : [spec as SubjectAccessReview['spec']])).at(-1);
  }
}

const admin = { CN: 'admin', O: 'system:masters' };

describe('Access', () => {
  for (const [method, path, wanted] of [
    ['GET', '/pods', 'get proxy'],
    ['HEAD', '/pods', 'get proxy'],
    ['GET', '/containerLogs/default/web/main', 'get proxy'],
    ['GET', '/logs/syslog', 'get log'],
    ['GET', '/stats/summary?only_cpu_and_memory=true', 'get stats'],
    ['GET', '/metrics/resource', 'get metrics'],
    ['POST', '/checkpoint/default/web/main', 'create checkpoint'],
    ['PUT', '/pods', 'update proxy'],
    ['PATCH', '/pods', 'patch proxy'],
    ['DELETE', '/pods', 'delete proxy'],
    ['OPTIONS', '/pods', ' proxy'],
    ['GET', '/exec/default/web/main', 'create proxy'],
    ['GET', '/attach/default/web/main', 'create proxy'],
    ['GET', '/portForward/default/web', 'create proxy'],
    ['GET', '/%65xec/default/web/main', 'create proxy'],
    ['GET', '/run/default/web/main', 'create proxy'],
    ['GET', '/%6cogs/syslog', 'get log'],
    ['GET', '/.//metrics', 'get metrics'],
  ] as const)
    test(`${method} ${path} needs "${wanted}" of this node`, async () => {
      const bed = new Bed();
      assert.equal(await bed.code({ method, url: path, subject: admin }), 200);
      const [verb, subresource] = wanted.split(' ');
      assert.deepEqual(bed.asked, {
        user: 'admin',
        groups: ['system:masters', 'system:authenticated'],
        resourceAttributes: { verb, group: '', version: 'v1', resource: 'nodes', subresource, name: 'n1' },
      });
    });

  for (const [who, asked, code] of [
    ['nobody', {}, 401],
    ['a certificate of another CA', { subject: admin, authorized: false }, 401],
    ['a certificate without a name', { subject: { O: 'system:masters' } }, 401],
    ['a token that nobody knows', { token: 'guess' }, 401],
    ['a token', { token: 'secret' }, 200],
    ['a path that is not well escaped', { token: 'secret', url: '/%zz' }, 400],
  ] as const)
    test(`${who} is answered with ${code}`, async () => assert.equal(await new Bed().code(asked), code));

  test('a certificate may have several names and groups: the first name counts, and each group', async () => {
    const bed = new Bed();
    await bed.code({ subject: { CN: ['a', 'b'], O: ['g', 'h'] } });
    assert.deepEqual([bed.asked?.user, bed.asked?.groups], ['a', ['g', 'h', 'system:authenticated']]);
  });

  test('who may not is told what for', async () => {
    const bed = new Bed();
    bed.allows = false;
    await assert.rejects(bed.check({ subject: admin, url: '/logs/syslog' }), {
      name: 'HttpError',
      code: 403,
      message: 'Forbidden (user=admin, verb=get, resource=nodes, subresource(s)=[log], node=n1)',
    });
  });

  test('a decision is asked for once in five minutes, a refusal once in half a minute, each verb by itself', async () => {
    const bed = new Bed();
    await bed.code({ subject: admin });
    await bed.clock.advance(299_999);
    await bed.code({ subject: admin });
    assert.equal(bed.reviews.length, 1);
    await bed.code({ subject: admin, method: 'PUT' });
    await bed.code({ subject: admin });
    assert.equal(bed.reviews.length, 2);
    await bed.clock.advance(1);
    bed.allows = false;
    assert.equal(await bed.code({ subject: admin }), 403);
    bed.allows = true;
    await bed.clock.advance(29_999);
    assert.equal(await bed.code({ subject: admin }), 403);
    await bed.clock.advance(1);
    assert.equal(await bed.code({ subject: admin }), 200);
  });

  test('a token is looked at once in two minutes', async () => {
    const bed = new Bed();
    const looks = (): number => bed.reviews.filter(({ spec }) => 'token' in spec).length;
    await bed.code({ token: 'secret' });
    assert.deepEqual([bed.asked?.user, bed.asked?.groups], ['prom', ['watchers']]);
    await bed.clock.advance(119_999);
    await bed.code({ token: 'secret' });
    assert.equal(looks(), 1);
    await bed.clock.advance(1);
    await bed.code({ token: 'secret' });
    assert.equal(looks(), 2);
  });
});
