import assert from 'node:assert/strict';
import test from 'node:test';
import type { Secret } from '../../api/schema/types.ts';
import { authFor } from './registry-auth.ts';

const encode = (text: string): string => Buffer.from(text).toString('base64');
const auths = {
  'https://index.docker.io/v1/': { auth: encode('hub:p:w') },
  'registry.test:5000': { username: 'all', password: '1' },
  'slash.test/': { auth: encode('slash:p') },
  'registry.test:5000/team': { username: 'team', password: '2' },
};
const secret: Secret = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 's' },
  data: { '.dockerconfigjson': encode(JSON.stringify({ auths })) },
};

const cases: readonly [image: string, user: string | undefined][] = [
  ['nginx:1', 'hub'],
  ['library/nginx', 'hub'],
  ['registry.test:5000/app:1', 'all'],
  ['registry.test:5000/team/app:1', 'team'],
  ['slash.test/app', 'slash'],
  ['other.test/app', undefined],
];
for (const [image, user] of cases)
  test(`authFor() gives ${user ?? 'nothing'} for ${image}`, () => assert.equal(authFor(secret, image)?.username, user));

test('authFor() gives all that an entry has', () =>
  assert.deepEqual(authFor(secret, 'registry.test:5000/app'), { username: 'all', password: '1', identityToken: '' }));
test('authFor() keeps colons of a password', () => assert.equal(authFor(secret, 'nginx')?.password, 'p:w'));
test('authFor() gives nothing for a secret that cannot be read', () =>
  assert.equal(authFor({ ...secret, data: { '.dockerconfigjson': encode('{') } }, 'nginx'), undefined));
