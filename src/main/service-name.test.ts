import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isKnownError } from '../errors/known-error.ts';
import { namedService } from './service-name.ts';
import { frontendOf, splitTarget } from './trace-words.ts';

const service = (namespace: string, name: string): never => ({ metadata: { namespace, name } }) as never;

describe('namedService()', () => {
  const all = [service('default', 'web'), service('shop', 'cart')];
  for (const text of ['svc/web', 'service/web', 'services/web', 'web'])
    test(`finds "${text}"`, () => assert.equal(namedService(text, 'default', all).key, 'default/web'));

  const refused: readonly [text: string, namespace: string, hint: RegExp][] = [
    ['svc/wbe', 'default', /^Did you mean svc\/web\?$/],
    ['svc/cart', 'default', /another namespace: -n shop$/],
    ['svc/nothing-alike', 'default', /^There are web$/],
    ['svc/web', 'empty', /another namespace: -n default$/],
    ['svc/x', 'empty', /^There is no Service in that namespace/],
  ];
  for (const [text, namespace, hint] of refused)
    test(`helps who asks for "${text}" in namespace ${namespace}`, () =>
      assert.throws(
        () => namedService(text, namespace, all),
        (err) => isKnownError(err, 'USAGE') && hint.test(err.hint ?? ''),
      ));
});

describe('splitTarget()', () => {
  const cases: readonly [text: string, host: string, port: string][] = [
    ['10.96.0.1:80', '10.96.0.1', '80'],
    ['10.96.0.1', '10.96.0.1', ''],
    ['[fd00::1]:80', 'fd00::1', '80'],
    ['[fd00::1]', 'fd00::1', ''],
    ['fd00::1', 'fd00::1', ''],
    ['svc/web:http-alt', 'svc/web', 'http-alt'],
    ['svc/web', 'svc/web', ''],
  ];
  for (const [text, host, port] of cases) test(`reads "${text}"`, () => assert.deepEqual(splitTarget(text), { host, port }));
});

describe('frontendOf()', () => {
  const web = (...ports: object[]): never => ({ spec: { clusterIP: '10.96.0.1', clusterIPs: ['10.96.0.1', 'fd00::1'], ports } }) as never;
  const two = web({ name: 'http', port: 80 }, { name: 'https', port: 443 });

  test('takes a port by its name, by its number, and the only one', () => {
    assert.deepEqual(frontendOf('k', two, 'https', undefined), { ip: '10.96.0.1', port: 443 });
    assert.deepEqual(frontendOf('k', two, '80', 6), { ip: 'fd00::1', port: 80 });
    assert.deepEqual(frontendOf('k', two, '81', 4), { ip: '10.96.0.1', port: 81 });
    assert.deepEqual(frontendOf('k', web({ port: 80 }), '', 4), { ip: '10.96.0.1', port: 80 });
  });

  test('names the ports where it cannot tell', () => {
    for (const port of ['', 'dns'])
      assert.throws(
        () => frontendOf('k', two, port, 4),
        (err) => isKnownError(err, 'USAGE') && err.hint === 'Its ports are http, https',
      );
    assert.throws(() => frontendOf('k', { spec: { clusterIP: 'None' } } as never, '80', 4), /no cluster IP of IPv4/);
  });
});
