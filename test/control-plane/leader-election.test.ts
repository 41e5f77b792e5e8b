import assert from 'node:assert/strict';
import { test } from 'node:test';
import { leases } from '../../src/api/resource-types.ts';
import type { Client } from '../../src/client/client.ts';
import { LeaderElector } from '../../src/client/leader-election.ts';
import { aborted } from '../../src/clock/aborted.ts';
import { systemClock } from '../../src/clock/clock.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { silentLog } from '../../src/observability/log.ts';
import { ControlPlane } from './testing/control-plane.ts';

interface Candidate {
  readonly stop: AbortController;
  leads: boolean;
  readonly ended: Promise<void>;
}

function candidate(client: Client, identity: string): Candidate {
  const stop = new AbortController();
  const self: { leads: boolean } = { leads: false };
  const elector = new LeaderElector({
    client,
    namespace: 'kube-system',
    name: 'test',
    identity,
    leaseDurationMs: 2_000,
    renewDeadlineMs: 1_000,
    retryPeriodMs: 100,
    clock: systemClock,
    log: silentLog,
  });
  const ended = elector.run(async (signal) => {
    self.leads = true;
    await aborted(signal);
    self.leads = false;
  }, stop.signal);
  return Object.assign(self, { stop, ended });
}

test('one leads, the next takes over at once when it steps back, and an answer that never comes costs the lead', async (t) => {
  await using cp = await ControlPlane.start({ controllers: [], scheduler: false, kubelet: false, nodes: 0 });
  const a = candidate(cp.client, 'a');
  t.after(() => a.stop.abort());
  await eventually(() => assert.ok(a.leads));
  const b = candidate(cp.client, 'b');
  t.after(() => b.stop.abort());
  await eventually(async () => assert.equal((await cp.client.get(leases, 'test', { namespace: 'kube-system' })).spec?.holderIdentity, 'a'));
  assert.ok(!b.leads);
  a.stop.abort();
  await a.ended;
  assert.ok(!a.leads);
  await eventually(() => assert.ok(b.leads), { timeoutMs: 1_500 });
  // The network swallows what is sent, without an error.
  const send = cp.client.transport.send;
  cp.client.transport.send = (request) =>
    new Promise((_, reject) => request.signal?.addEventListener('abort', () => reject(request.signal?.reason)));
  const cutAt = performance.now();
  await b.ended;
  assert.ok(!b.leads);
  assert.ok(performance.now() - cutAt < 2_000, 'it stepped back before its Lease ran out');
  cp.client.transport.send = send;
});
