import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { hostResolvers } from './host-resolvers.ts';

test('hostResolvers() gives at most three nameservers, those of the file as it is now, and the last ones while there is none', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'resolvers-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const path = join(dir, 'resolv.conf');
  const write = (...servers: readonly string[]): void => {
    writeFileSync(`${path}.new`, servers.map((server) => `nameserver ${server}\n`).join(''));
    renameSync(`${path}.new`, path);
  };
  const servers = hostResolvers(path);
  assert.deepEqual(servers(), []);
  write('127.0.0.53', 'fe80::1%eth0', 'nonsense', '10.0.0.1', '10.0.0.2');
  assert.deepEqual(servers(), ['127.0.0.53', 'fe80::1%eth0', '10.0.0.1']);
  write('10.0.0.2');
  assert.deepEqual(servers(), ['10.0.0.2']);
  rmSync(path);
  assert.deepEqual(servers(), ['10.0.0.2']);
});
