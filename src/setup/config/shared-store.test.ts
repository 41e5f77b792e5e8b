import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { etcdUrl, externalEtcd, isShared, moreOptions, storeFiles, storeKind, withOptions } from './shared-store.ts';

const external = {
  endpoints: ['https://10.0.0.1:2379', 'https://10.0.0.2:2379'],
  caFile: '/etc/kubernetes/pki/etcd/ca.crt',
  certFile: '/etc/kubernetes/pki/apiserver-etcd-client.crt',
  keyFile: '/etc/kubernetes/pki/apiserver-etcd-client.key',
};
const url =
  'etcd=https://10.0.0.1:2379,https://10.0.0.2:2379?ca-file=/etc/kubernetes/pki/etcd/ca.crt' +
  '&cert-file=/etc/kubernetes/pki/apiserver-etcd-client.crt&key-file=/etc/kubernetes/pki/apiserver-etcd-client.key';

describe('an etcd of its own', () => {
  test("is a URL of the server's, and kubeadm's etcd.external again", () => {
    assert.equal(etcdUrl(external), url);
    assert.deepEqual(externalEtcd(url), external);
  });

  test('may need no files', () => {
    assert.equal(etcdUrl({ endpoints: ['http://10.0.0.1:2379/'] }), 'etcd=http://10.0.0.1:2379');
    assert.deepEqual(externalEtcd('etcd=http://10.0.0.1:2379'), { endpoints: ['http://10.0.0.1:2379'] });
    assert.deepEqual(storeFiles('etcd=http://10.0.0.1:2379'), {});
  });

  test('may have its hosts after one scheme, and options that kubeadm has no word for', () => {
    const own = 'etcd=https://a:2379,b:2379?prefix=/one&ca-file=/ca.crt&compaction-interval=60';
    const known = externalEtcd(own);
    assert.deepEqual(known, { endpoints: ['https://a:2379', 'https://b:2379'], caFile: '/ca.crt' });
    assert.equal(
      withOptions(etcdUrl(known ?? {}), moreOptions(own)),
      'etcd=https://a:2379,https://b:2379?ca-file=/ca.crt&prefix=/one&compaction-interval=60',
    );
    assert.equal(withOptions('etcd=http://a', moreOptions('etcd=http://a?prefix=/one')), 'etcd=http://a?prefix=/one');
    for (const none of [undefined, url, 'redis://a?wait-replicas=1']) assert.equal(withOptions('etcd=x', moreOptions(none)), 'etcd=x');
  });

  test('has endpoints', () => {
    for (const endpoints of [undefined, []])
      assert.throws(() => etcdUrl({ ...external, ...(endpoints ? { endpoints } : { endpoints: [] }) }), /it has no endpoints/);
  });
});

test('storeKind() goes by the scheme; machines can share etcd and Redis', () => {
  for (const [store, kind, shared] of [
    [undefined, 'sqlite', false],
    ['sqlite:///var/lib/state.db', 'sqlite', false],
    ['memory:', 'memory', false],
    ['etcd=https://a', 'etcd', true],
    ['redis://a', 'redis', true],
    ['rediss://a', 'redis', true],
    ['redis+sentinel://a/mymaster', 'redis', true],
    ['rediss+sentinel://a/mymaster', 'redis', true],
  ] as const)
    assert.deepEqual([storeKind(store), isShared(store)], [kind, shared], store);
});

test("storeFiles() names the files that a server needs, for etcd as kubeadm's Secret does", () => {
  assert.deepEqual(storeFiles(url), {
    'external-etcd-ca.crt': external.caFile,
    'external-etcd.crt': external.certFile,
    'external-etcd.key': external.keyFile,
  });
  assert.deepEqual(storeFiles('rediss+sentinel://a,b/mymaster?ca=/r/ca.crt&key=/r/k&password-file=/r/p&wait-replicas=1'), {
    'external-redis-ca.crt': '/r/ca.crt',
    'external-redis.key': '/r/k',
    'external-redis-password': '/r/p',
  });
  for (const none of [undefined, 'sqlite:///a?ca-file=/b', 'etcd=https://a?prefix=/x', 'redis://a']) assert.deepEqual(storeFiles(none), {});
});
