import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isKnownError } from '../../errors/known-error.ts';
import { FlagReader, type FlagValues } from '../flag-reader.ts';
import { storeUrlOf } from './store-flags.ts';

const presets = { 'data-dir': '/var/lib/fairlead/server', 'etcd-prefix': '/registry', 'etcd-compaction-interval': '5m' };

describe('storeUrlOf()', () => {
  const cases: Readonly<Record<string, readonly [flags: FlagValues, url: string]>> = {
    'is a file in the data directory': [{}, 'sqlite:///var/lib/fairlead/server/state.db'],
    'is the file where the directory is, whatever its name': [{ 'data-dir': '/a b' }, 'sqlite:///a%20b/state.db'],
    'is what --store says': [{ store: 'memory:' }, 'memory:'],
    "is an etcd by upstream's flags": [
      { 'etcd-servers': 'https://a:2379,https://b:2379', 'etcd-cafile': '/ca', 'etcd-certfile': '/crt', 'etcd-keyfile': '/key' },
      'etcd=https://a:2379,https://b:2379?ca-file=%2Fca&cert-file=%2Fcrt&key-file=%2Fkey&prefix=%2Fregistry&compaction-interval=300',
    ],
    'has the prefix and the interval of the flags': [
      { 'etcd-servers': 'http://a', 'etcd-prefix': '/k8s', 'etcd-compaction-interval': '1m30s' },
      'etcd=http://a?prefix=%2Fk8s&compaction-interval=90',
    ],
  };
  for (const [what, [flags, url]] of Object.entries(cases))
    test(what, () => assert.equal(storeUrlOf(new FlagReader({ ...presets, ...flags })), url));

  test('refuses two stores', () => {
    const flags = new FlagReader({ ...presets, store: 'memory:', 'etcd-servers': 'http://a' });
    assert.throws(
      () => storeUrlOf(flags),
      (err) => isKnownError(err, 'USAGE') && /--etcd-servers names another store/.test(err.message),
    );
  });
});
