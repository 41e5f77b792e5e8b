import assert from 'node:assert/strict';
import test from 'node:test';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { samplePod } from '../testing/pod-samples.ts';
import { PodVolumes, type PodVolumesOptions } from './pod-volumes.ts';

const facts = { nodeName: 'n1', hostIps: [], podIps: [], allocatable: {} };

test('PodVolumes sets up once in thirty seconds or when it is told to, and keeps what is there when that fails', async () => {
  const clock = new FakeClock();
  const events: string[] = [];
  let count = 0;
  let problem: string | undefined = 'away';
  const setUp = async (): Promise<Map<string, string>> => {
    count++;
    if (problem !== undefined) throw new Error(problem);
    return new Map([['v', `/${count}`]]);
  };
  const pod = (_pod: object, type: string, reason: string, message: string): void => void events.push(`${type} ${reason}: ${message}`);
  const volumes = new PodVolumes({ clock, events: { pod }, volumes: { setUp } } as unknown as PodVolumesOptions);
  const place = async (): Promise<string | undefined> => (await volumes.setUp(samplePod(), facts)).get('v');

  await assert.rejects(place(), /away/);
  await assert.rejects(place(), /away/, 'without any it does not wait');
  problem = undefined;
  assert.equal(await place(), '/3');
  await clock.advance(29_999);
  assert.equal(await place(), '/3');
  await clock.advance(1);
  assert.equal(await place(), '/4');
  volumes.expire();
  assert.equal(await place(), '/5');
  problem = 'away again';
  volumes.expire();
  assert.equal(await place(), '/5');
  assert.equal(await place(), '/5');
  assert.equal(count, 6);
  assert.deepEqual(
    events,
    ['away', 'away', 'away again'].map((text) => `Warning FailedMount: ${text}`),
  );
});
