import assert from 'node:assert/strict';
import test from 'node:test';
import type { PodStatus } from '../../api/schema/types.ts';
import type { Client } from '../../client/client.ts';
import { systemClock } from '../../clock/clock.ts';
import { silentLog } from '../../observability/log.ts';
import { StatusManager } from './status-manager.ts';

const target = { namespace: 'default', name: 'web', uid: 'u' };

/** A manager over an API that takes every write at once, and the phases it was told. */
function writing(): { statuses: StatusManager; phases: string[] } {
  const phases: string[] = [];
  const patch = async (_type: unknown, _name: string, body: { status: PodStatus }): Promise<void> => {
    phases.push(body.status.phase ?? '');
  };
  const { signal } = new AbortController();
  return { statuses: new StatusManager({ client: { patch } as unknown as Client, clock: systemClock, log: silentLog, signal }), phases };
}

// A write ends over a few turns of the microtask queue: whatever turn a wish falls into, it is seen.
for (let turns = 0; turns < 12; turns++)
  test(`a status that is wanted ${turns} turns after a write began is written`, async () => {
    const { statuses, phases } = writing();
    statuses.set('u', target, {}, { phase: 'Pending' });
    for (let i = 0; i < turns; i++) await Promise.resolve();
    statuses.set('u', target, {}, { phase: 'Running' });
    await statuses.flush('u');
    assert.equal(phases.at(-1), 'Running');
  });

test('a status that the API holds already is not written', async () => {
  const { statuses, phases } = writing();
  statuses.set('u', target, { phase: 'Running' }, { phase: 'Running' });
  await statuses.flush('u');
  statuses.set('u', target, {}, { phase: 'Succeeded' });
  await statuses.flush('u');
  assert.deepEqual(phases, ['Succeeded']);
});
