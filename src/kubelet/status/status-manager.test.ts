import assert from 'node:assert/strict';
import test from 'node:test';
import type { Pod, PodStatus } from '../../api/schema/types.ts';
import type { Client } from '../../client/client.ts';
import { refusal } from '../../client/testing/fake-client.ts';
import { systemClock } from '../../clock/clock.ts';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
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

/** A manager over an API that answers as the test says, and what it was asked and said. */
class Bed {
  readonly clock = new FakeClock();
  readonly asked: string[] = [];
  readonly warnings: string[] = [];
  /** What the next requests fail with. */
  readonly refusals: Error[] = [];
  readonly stop = new AbortController();
  readonly statuses: StatusManager;

  constructor() {
    const answer = async (line: string): Promise<void> => {
      this.asked.push(line);
      const refused = this.refusals.shift();
      if (refused) throw refused;
    };
    const client = {
      patch: (_type: unknown, name: string, body: { metadata: { uid: string }; status: PodStatus }) =>
        answer(`${name} ${body.metadata.uid}: ${JSON.stringify(body.status)}`),
      delete: (_type: unknown, name: string, options: object) => answer(`delete ${name} ${JSON.stringify(options)}`),
    } as unknown as Client;
    const log = { ...silentLog, warn: (text: string) => void this.warnings.push(text) };
    this.statuses = new StatusManager({ client, clock: this.clock, log, signal: this.stop.signal });
  }
}

test('a write that fails is made again, ever later up to ten seconds, with what is wanted then', async () => {
  const bed = new Bed();
  bed.refusals.push(...Array.from({ length: 7 }, () => refusal(500, 'InternalError', 'broken')));
  bed.statuses.set('u', target, {}, { phase: 'Pending' });
  const at: number[] = [];
  for (let ms = 0; ms <= 42_000; ms += 500) {
    await bed.clock.advance(ms === 0 ? 0 : 500);
    for (; at.length < bed.asked.length; at.push(ms));
  }
  assert.deepEqual(at, [0, 500, 1500, 3500, 7500, 15_500, 25_500, 35_500]);
  assert.equal(bed.warnings[0], 'Cannot write the status of pod "default/web": broken');
  assert.equal(bed.warnings.length, 7);
  bed.refusals.push(refusal(500, 'InternalError'));
  bed.statuses.set('u', target, {}, { phase: 'Running' });
  bed.statuses.set('u', target, {}, { phase: 'Failed' });
  await bed.clock.advance(500);
  assert.deepEqual(bed.asked.slice(-2), ['web u: {"phase":"Running"}', 'web u: {"phase":"Failed"}']);
});

for (const err of [refusal(404, 'NotFound'), refusal(409, 'Conflict')])
  test(`a pod whose object is ${err.code === 404 ? 'gone' : 'another one by now'} gets no status, and needs no removal`, async () => {
    const bed = new Bed();
    bed.refusals.push(err, err);
    bed.statuses.set('u', target, {}, { phase: 'Running' });
    await bed.statuses.flush('u');
    await bed.statuses.remove(target);
    await bed.clock.advance(60_000);
    assert.equal(bed.asked.length, 2);
    assert.deepEqual(bed.warnings, []);
  });

test('the same status is written once, and again where the API lost it or another object took its place', async () => {
  const bed = new Bed();
  const written = '{"phase":"Running"}';
  const pod = (phase: string, uid = 'u'): Pod => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', uid }, status: { phase } });
  const settled = async (): Promise<string[]> => {
    await bed.statuses.flush('u');
    return bed.asked.splice(0);
  };
  bed.statuses.set('u', target, {}, { phase: 'Running' });
  bed.statuses.observe('u', pod('Pending'));
  assert.deepEqual(await settled(), [`web u: ${written}`], 'what the API shows before the write is over is old');
  bed.statuses.set('u', target, {}, { phase: 'Running' });
  bed.statuses.observe('u', pod('Running'));
  bed.statuses.observe('u', pod('Pending', 'another'));
  bed.statuses.observe('nobody', pod('Pending'));
  assert.deepEqual(await settled(), []);
  bed.statuses.observe('u', pod('Pending'));
  assert.deepEqual(await settled(), [`web u: ${written}`]);
  bed.statuses.set('u', { ...target, uid: 'mirror' }, {}, { phase: 'Running' });
  assert.deepEqual(await settled(), [`web mirror: ${written}`]);
  bed.statuses.forget('u');
  bed.statuses.observe('u', pod('Pending', 'mirror'));
  assert.deepEqual(await settled(), []);
});

test('the object of a pod that has ended is removed at once, if it is that one, however often that takes', async () => {
  const bed = new Bed();
  bed.refusals.push(refusal(500, 'InternalError', 'broken'));
  const removed = bed.statuses.remove(target);
  await bed.clock.advance(499);
  assert.equal(bed.asked.length, 1);
  await bed.clock.advance(1);
  await removed;
  const asked = 'delete web {"namespace":"default","gracePeriodSeconds":0,"preconditions":{"uid":"u"}}';
  assert.deepEqual(bed.asked, [asked, asked]);
  assert.deepEqual(bed.warnings, ['Cannot delete pod "default/web": broken']);
});
