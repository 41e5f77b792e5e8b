import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { TestServer } from '../testing/test-server.ts';

const bound = (kind: string, name: string): object => ({ spec: { boundObjectRef: { kind, apiVersion: 'v1', name } } });

describe('a ServiceAccount token that is asked for', () => {
  const tokens = '/api/v1/namespaces/default/serviceaccounts/web/token';
  let s: TestServer;
  before(async () => {
    s = await TestServer.start(undefined, { maxTokenSeconds: 7200 });
    for (const name of ['web', 'other']) await s.call('POST', '/api/v1/namespaces/default/serviceaccounts', { metadata: { name } });
    const spec = { serviceAccountName: 'other', containers: [{ name: 'c', image: 'i' }] };
    await s.call('POST', '/api/v1/namespaces/default/pods', { metadata: { name: 'others' }, spec });
  });
  after(() => s.stop());

  test('for ten years lives as long as the server allows, and kubectl says so', async () => {
    const { status, body, headers } = await s.call('POST', tokens, { spec: { expirationSeconds: 315_360_000 } });
    assert.equal(status, 201);
    assert.equal(body.spec.expirationSeconds, 7200);
    assert.equal(headers.warning, '299 - "requested expiration of 315360000 seconds shortened to 7200 seconds"');
    const claims = JSON.parse(Buffer.from(body.status.token.split('.')[1], 'base64url').toString());
    assert.equal(claims.exp - claims.iat, 7200);
  });

  test('for an hour is given as asked', async () => {
    const { body, headers } = await s.call('POST', tokens, { spec: { expirationSeconds: 3600 } });
    assert.deepEqual([body.spec.expirationSeconds, headers.warning], [3600, undefined]);
  });

  test('is for the account, from now on, and told once', async () => {
    const { status, body } = await s.call('POST', tokens, { spec: { audiences: ['api'] } });
    assert.equal(status, 201);
    const { creationTimestamp, ...metadata } = body.metadata;
    assert.match(creationTimestamp, /^\d{4}-.*Z$/);
    assert.deepEqual([metadata, body.spec.audiences], [{ name: 'web', namespace: 'default' }, ['api']]);
  });

  for (const [what, method, path, body, code, reason] of [
    ['another verb', 'GET', tokens, undefined, 405, 'MethodNotAllowed'],
    ['an account that is not there', 'POST', tokens.replace('web', 'no'), {}, 404, 'NotFound'],
    ['less than ten minutes', 'POST', tokens, { spec: { expirationSeconds: 599 } }, 422, 'Invalid'],
    ['no time at all', 'POST', tokens, { spec: { expirationSeconds: 0 } }, 422, 'Invalid'],
    ['another account than that of the path', 'POST', tokens, { metadata: { name: 'other' } }, 422, 'Invalid'],
    ['another namespace than that of the path', 'POST', tokens, { metadata: { namespace: 'other' } }, 400, 'BadRequest'],
    ['an account of the name that was there before', 'POST', tokens, { metadata: { uid: 'former' } }, 409, 'Conflict'],
    ['a kind that no token is bound to', 'POST', tokens, bound('ConfigMap', 'x'), 400, 'BadRequest'],
    ['a pod that is not there', 'POST', tokens, bound('Pod', 'no'), 404, 'NotFound'],
    ['a pod that runs as another account', 'POST', tokens, bound('Pod', 'others'), 400, 'BadRequest'],
  ] as const)
    test(`is refused for ${what}`, async () => {
      const reply = await s.call(method, path, body);
      assert.deepEqual([reply.status, reply.body.reason], [code, reason], reply.text);
    });

  test('says as of any object what is wrong with a request', async () => {
    const { body } = await s.call('POST', tokens, { spec: { expirationSeconds: 599 } });
    const what = 'spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes';
    assert.equal(body.message, `TokenRequest.authentication.k8s.io "" is invalid: ${what}`);
  });
});
