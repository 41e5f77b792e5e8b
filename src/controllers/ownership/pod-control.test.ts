import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pods } from '../../api/resource-types.ts';
import type { Pod } from '../../api/schema/types.ts';
import { EventRecorder } from '../../client/event-recorder.ts';
import { refusal } from '../../client/testing/fake-client.ts';
import { turn } from '../../client/testing/fake-cluster.ts';
import { silentLog } from '../../observability/log.ts';
import { podOf, replicaSetOf } from '../testing/samples.ts';
import { TestBed } from '../testing/test-bed.ts';
import { Dependents } from './dependents.ts';
import { PodControl, type Wording } from './pod-control.ts';

const owner = replicaSetOf(1);
const wording: Wording = (verb, pod, set, why) => [verb, set, pod, why].join(' ');

async function start(there: readonly Pod[], words?: Wording): Promise<{ bed: TestBed; control: PodControl; events(): Promise<string[]> }> {
  const bed = new TestBed();
  for (const pod of there) bed.put(pods, pod);
  const dependents = new Dependents(bed.context, pods, { ...pods });
  const recorder = new EventRecorder({ client: bed.client, component: 'test', clock: bed.clock, log: silentLog });
  const control = words ? new PodControl(dependents, recorder, words) : new PodControl(dependents, recorder);
  await bed.deliver();
  const events = async (): Promise<string[]> => {
    await turn();
    return bed.client.events.splice(0);
  };
  return { bed, control, events };
}

const ending = refusal(403, 'Forbidden', 'it ends', { causes: [{ reason: 'NamespaceTerminating' }] });

describe('PodControl', () => {
  test('tells what it made and deleted, in the words of most controllers', async () => {
    const { bed, control, events } = await start([]);
    await using _ = bed;
    const { before, after } = await control.create(owner, podOf(owner, 'a'));
    assert.deepEqual([before, after?.metadata.name], [undefined, 'a']);
    assert.deepEqual(await control.delete(owner, after as Pod), { before: after, after: undefined });
    assert.deepEqual(await events(), ['Normal SuccessfulCreate Created pod: a', 'Normal SuccessfulDelete Deleted pod: a']);
  });

  test('tells what it could not, and throws it', async () => {
    const { bed, control, events } = await start([podOf(owner, 'a')]);
    await using _ = bed;
    bed.client.refuse(/./, refusal(403, 'Forbidden', 'no'));
    await assert.rejects(control.create(owner, podOf(owner, 'b')), /no/);
    await assert.rejects(control.delete(owner, podOf(owner, 'a')), /no/);
    assert.deepEqual(await events(), ['Warning FailedCreate Error creating: no', 'Warning FailedDelete Error deleting: no']);
  });

  test('speaks in the words that it is given', async () => {
    const { bed, control, events } = await start([podOf(owner, 'b')], wording);
    await using _ = bed;
    await control.create(owner, podOf(owner, 'a'));
    await control.delete(owner, podOf(owner, 'b'));
    // Gone before: nothing is said.
    await control.delete(owner, podOf(owner, 'b'));
    bed.client.refuse(/./, refusal(403, 'Forbidden', 'no'));
    await assert.rejects(control.create(owner, podOf(owner, 'c')));
    await assert.rejects(control.delete(owner, podOf(owner, 'd')));
    assert.deepEqual(await events(), [
      'Normal SuccessfulCreate create web a ',
      'Normal SuccessfulDelete delete web b ',
      'Warning FailedCreate create web c no',
      'Warning FailedDelete delete web d no',
    ]);
  });

  test('keeps to itself what is no failure: a namespace that ends, a name that is taken, another pod of that name', async () => {
    const { bed, control, events } = await start([podOf(owner, 'a')]);
    await using _ = bed;
    await assert.rejects(control.create(owner, podOf(owner, 'a')), /already exists/);
    await assert.rejects(control.delete(owner, podOf(owner, 'a', { more: { uid: 'another' } })), /modified/);
    bed.client.refuse(/create/, ending);
    await assert.rejects(control.create(owner, podOf(owner, 'b')), /it ends/);
    assert.deepEqual(await events(), []);
  });

  test('makes many by a slow start, and deletes many at once', async () => {
    const { bed, control } = await start([]);
    await using _ = bed;
    bed.client.refuse(/create pods default\/p[2-9]/, refusal(403, 'Forbidden', 'no'));
    const wanted = Array.from({ length: 9 }, (_, i) => podOf(owner, `p${i}`));
    const made = await control.createAll(owner, wanted);
    assert.deepEqual([made.results.length, bed.client.took().length], [2, 3]);
    bed.client.refuse(/delete pods default\/p0/, refusal(403, 'Forbidden', 'no'));
    const gone = await control.deleteAll(owner, wanted);
    assert.deepEqual([gone.results.length, bed.client.took().length], [8, 9]);
  });
});
