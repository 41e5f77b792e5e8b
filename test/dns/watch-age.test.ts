/** A server whose watches have died says so when it is asked to. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../src/clock/clock.ts';
import { DnsCluster, dig } from './cluster.ts';

test('readiness is dropped when the API server was not heard for as long as asked, and comes back with its word; names are answered', async (t) => {
  const cluster = await DnsCluster.start();
  t.after(() => cluster.stop());
  const client = await cluster.client('admin', 'system:masters');
  let ahead = 0;
  // The timers stay where they are: only the age grows, as it does while nothing comes.
  const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + ahead };
  const { dns, port } = await cluster.dns(client, { readyAddress: '127.0.0.1:0', maxWatchAgeMs: 90_000, clock });
  const ready = async (): Promise<[number, string]> => {
    const answer = await fetch(`http://127.0.0.1:${dns.ports.get('127.0.0.1:0')}/ready`);
    return [answer.status, await answer.text()];
  };
  assert.deepEqual(await ready(), [200, 'OK']);
  ahead = 80_000;
  assert.deepEqual(await ready(), [200, 'OK']);
  ahead = 95_000;
  const [code, why] = await ready();
  assert.equal(code, 503);
  assert.match(why, /^kubernetes: no word of (services|endpointslices|namespaces) for 9[5-9] s$/);
  assert.equal((await dig(port, 'default.svc.cluster.local')).status, 'NOERROR');
  // An event on each of the three watches.
  const make = (path: string, object: object): Promise<{ status: number }> => cluster.api.call('POST', path, object);
  await make('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'new' } });
  await make('/api/v1/namespaces/default/services', {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'new', namespace: 'default' },
    spec: { ports: [{ port: 80 }] },
  });
  await make('/apis/discovery.k8s.io/v1/namespaces/default/endpointslices', {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'new-1', namespace: 'default' },
    addressType: 'IPv4',
    endpoints: [],
  });
  for (const deadline = performance.now() + 90_000; (await ready())[0] !== 200; ) assert.ok(performance.now() < deadline, 'it stays away');
});
