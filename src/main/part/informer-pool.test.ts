import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { endpointSlices, nodes, services } from '../../api/resource-types.ts';
import { Client } from '../../client/client.ts';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { silentLog } from '../../observability/log.ts';
import { InformerPool, type PoolOptions } from './informer-pool.ts';

type Open = (shares?: PoolOptions['shares'], signal?: AbortSignal) => ReturnType<InformerPool['open']>;

function scene(): { pool: InformerPool; open: Open } {
  const pool = new InformerPool();
  const client = new Client({ server: 'http://127.0.0.1:1' });
  const open: Open = (shares = [], signal = new AbortController().signal) =>
    pool.open(client, { clock: new FakeClock(), log: silentLog, shares, signal });
  return { pool, open };
}

describe('InformerPool', () => {
  test('watches once what two parts share, and apart what one of them does not', () => {
    const { open } = scene();
    const [proxy, dns] = [open(['services', 'endpointslices']), open(['services'])];
    assert.equal(dns.of(services), proxy.of(services));
    assert.notEqual(dns.of(endpointSlices), proxy.of(endpointSlices));
    assert.notEqual(dns.of(nodes), proxy.of(nodes));
  });

  test('shares everything between those who share all', () => {
    const { open } = scene();
    const [controllers, scheduler, third] = [open('all'), open('all'), open('all')];
    assert.equal(scheduler.of(nodes), controllers.of(nodes));
    assert.equal(third.of(nodes), controllers.of(nodes));
  });

  test('passes by who does not share a resource, to one who does', () => {
    const { open } = scene();
    const [proxy, dns, third] = [open(['services']), open(['services', 'nodes']), open('all')];
    assert.equal(third.of(nodes), dns.of(nodes));
    assert.notEqual(third.of(nodes), proxy.of(nodes));
  });

  test('gives nothing to who shares nothing', () => {
    const { open } = scene();
    const [first, second] = [open('all'), open()];
    assert.notEqual(second.of(nodes), first.of(nodes));
  });

  test('gives nothing of a part that has ended', () => {
    const { pool, open } = scene();
    const stop = new AbortController();
    const ended = open('all', stop.signal);
    ended.of(nodes);
    assert.deepEqual([...pool.agesMs.keys()], ['nodes']);
    stop.abort();
    assert.deepEqual([...pool.agesMs.keys()], []);
    assert.notEqual(open('all').of(nodes), ended.of(nodes));
    assert.deepEqual([...pool.agesMs.keys()], ['nodes']);
  });
});
