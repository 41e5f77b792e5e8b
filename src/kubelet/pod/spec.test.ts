import assert from 'node:assert/strict';
import test from 'node:test';
import { samplePod } from '../testing/pod-samples.ts';
import { fromApi, isStatic } from './spec.ts';

test('fromApi() takes no pod of the API for one of a file, whatever it says of itself', () => {
  const pod = samplePod({});
  const claims = { ...pod, metadata: { ...pod.metadata, annotations: { 'kubernetes.io/config.source': 'file', mine: 'x' } } };
  assert.equal(isStatic(claims), true);
  assert.equal(isStatic(fromApi(claims)), false);
  assert.equal(fromApi(claims).metadata.annotations?.mine, 'x');
  assert.equal(fromApi(pod), pod);
});
