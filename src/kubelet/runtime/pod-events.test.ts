import assert from 'node:assert/strict';
import test from 'node:test';
import type { EventRecorder } from '../../client/event-recorder.ts';
import { samplePod } from '../testing/pod-samples.ts';
import { podEvents } from './pod-events.ts';

test('an event names the container as `kubectl describe` looks for it', () => {
  const said: unknown[][] = [];
  const events = podEvents({ event: (_pod: object, ...rest: unknown[]) => void said.push(rest) } as unknown as EventRecorder);
  const pod = samplePod({ initContainers: [{ name: 'setup' }] });
  events.pod(pod, 'Warning', 'FailedMount', 'why');
  for (const name of ['setup', 'main', 'debug']) events.container(pod, { name }, 'Normal', 'Started', name);
  assert.deepEqual(said, [
    ['Warning', 'FailedMount', 'why'],
    ['Normal', 'Started', 'setup', 'spec.initContainers{setup}'],
    ['Normal', 'Started', 'main', 'spec.containers{main}'],
    ['Normal', 'Started', 'debug', 'spec.ephemeralContainers{debug}'],
  ]);
});
