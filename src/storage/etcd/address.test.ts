import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { StoreUrl } from '../store-url.ts';
import { type EtcdSettings, readEtcdUrl } from './address.ts';

const dir = mkdtempSync(join(tmpdir(), 'fairlead-address-'));
after(() => rmSync(dir, { recursive: true }));

const read = (url: string): EtcdSettings =>
  readEtcdUrl(StoreUrl.parse(url, { 'etcd+http': 'etcd=http://a', 'etcd+https': 'etcd=https://a' }));

describe('readEtcdUrl()', () => {
  test('reads one address, with the port, the prefix and the compaction that are usual', () => {
    const { space, ...rest } = read('etcd=http://10.0.0.5');
    assert.deepEqual(rest, { endpoints: ['http://10.0.0.5:2379'], tls: undefined, shown: 'etcd=http://10.0.0.5', compactionMs: 300_000 });
    assert.equal(space.toEtcd('/registry/pods/a'), '/registry/pods/a');
  });

  test('reads several, of IPv6 too, and options', () => {
    const { endpoints, tls, space, compactionMs } = read('etcd=https://[fd00::1],https://b:1?prefix=/other//&compaction-interval=0');
    assert.deepEqual(endpoints, ['https://[fd00::1]:2379', 'https://b:1']);
    assert.deepEqual(tls, { ca: null, cert: null, key: null });
    assert.equal(space.toEtcd('/registry/pods/a'), '/other/pods/a');
    assert.equal(compactionMs, 0);
  });

  test('reads the files of TLS', () => {
    const options = ['ca', 'cert', 'key'].map((name) => {
      writeFileSync(join(dir, name), `PEM of ${name}`);
      return `${name}-file=${join(dir, name)}`;
    });
    const { tls } = read(`etcd=https://a?${options.join('&')}`);
    assert.deepEqual(Object.values(tls ?? {}).map(String), ['PEM of ca', 'PEM of cert', 'PEM of key']);
    for (const one of options) assert.throws(() => read(`etcd=http://a?${one}`), /but its endpoints do not speak TLS/);
    for (const one of options.slice(1)) assert.throws(() => read(`etcd=https://a?${one}`), /has one of cert-file and key-file/);
  });
});
