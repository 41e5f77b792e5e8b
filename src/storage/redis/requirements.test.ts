import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Facts, parseInfo, refusalOf, type Wishes, wasPromoted } from './requirements.ts';

const fit = {
  redis_version: '7.0.15',
  role: 'master',
  aof_enabled: '1',
  maxmemory_policy: 'noeviction',
  cluster_enabled: '0',
  connected_slaves: '1',
};
const plain: Wishes = { everysec: false, waitReplicas: 0 };

/** [what, what INFO says otherwise, appendfsync, wishes, why it is refused] */
const cases: readonly (readonly [string, Facts['info'], string | undefined, Partial<Wishes>, RegExp | undefined])[] = [
  ['a primary that writes each change', {}, 'always', {}, undefined],
  ['the next major version', { redis_version: '10.1.0' }, 'always', {}, undefined],
  ['version 6', { redis_version: '6.2.14' }, 'always', {}, /version 6\.2\.14, which has no functions/],
  ['something without a version', { redis_version: '' }, 'always', {}, /no functions/],
  ['a Redis Cluster', { cluster_enabled: '1' }, 'always', {}, /Redis Cluster/],
  ['a replica', { role: 'slave', master_host: '10.0.0.1', master_port: '6379' }, 'always', {}, /replica of 10\.0\.0\.1:6379/],
  ['snapshots alone', { aof_enabled: '0' }, 'always', {}, /appendonly is off/],
  ['an evicting one', { maxmemory_policy: 'volatile-lru' }, 'always', {}, /evicts keys .*volatile-lru/],
  ['one that does not tell', {}, undefined, {}, /may not ask for its settings/],
  ['a sync each second', {}, 'everysec', {}, /appendfsync everysec/],
  ['a sync each second that is accepted', {}, 'everysec', { everysec: true }, undefined],
  ['no sync, although each second is accepted', {}, 'no', { everysec: true }, /appendfsync no/],
  ['as many replicas as asked for', {}, 'always', { waitReplicas: 1 }, undefined],
  ['fewer replicas than asked for', {}, 'always', { waitReplicas: 2 }, /has 1 replicas, and wait-replicas asks for 2/],
];

describe('refusalOf()', () => {
  for (const [what, info, appendfsync, wishes, why] of cases)
    test(`${why ? 'refuses' : 'takes'} ${what}`, () => {
      const refusal = refusalOf({ info: { ...fit, ...info }, appendfsync }, { ...plain, ...wishes });
      if (!why) assert.equal(refusal, undefined);
      else {
        assert.match(refusal?.why ?? '', why);
        assert.notEqual(refusal?.hint, '');
      }
    });
});

test('parseInfo() takes names and values, and leaves headings out', () => {
  const info = parseInfo('# Server\r\nredis_version:7.0.15\r\n\r\n# Replication\r\nslave0:ip=127.0.0.1,port=1\r\n');
  assert.deepEqual(info, { redis_version: '7.0.15', slave0: 'ip=127.0.0.1,port=1' });
});

test('wasPromoted() knows a replica that became the primary', () => {
  assert.equal(wasPromoted({ second_repl_offset: '-1' }), false);
  assert.equal(wasPromoted({}), false);
  assert.equal(wasPromoted({ second_repl_offset: '0' }), true);
  assert.equal(wasPromoted({ second_repl_offset: '1234' }), true);
});
