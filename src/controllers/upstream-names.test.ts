import assert from 'node:assert/strict';
import { test } from 'node:test';
import { controllers } from './start.ts';
import { todaysNames } from './upstream-names.ts';

test('todaysNames() reads what kubeadm writes, old names and new', () => {
  assert.equal(todaysNames('*,bootstrapsigner,tokencleaner'), '*,bootstrap-signer-controller,token-cleaner-controller');
  assert.equal(todaysNames('*,bootstrap-signer-controller'), '*,bootstrap-signer-controller');
  assert.equal(todaysNames('-endpoint,-job,cronjob'), '-endpoints-controller,-job-controller,cronjob-controller');
});

test('todaysNames() passes over what is not there and shall not run, and nothing else', () => {
  assert.equal(todaysNames('*,-ttl,-persistentvolume-expander-controller,-nosuch'), '*,-nosuch');
  assert.equal(todaysNames('ttl'), 'ttl');
});

test('every old name stands for a controller that there is', () => {
  const old = 'bootstrapsigner cronjob csrapproving csrcleaner csrsigning daemonset deployment disruption endpoint endpointslice';
  const more =
    'endpointslicemirroring garbagecollector horizontalpodautoscaling job namespace nodeipam nodelifecycle persistentvolume-binder podgc pv-protection pvc-protection replicaset';
  const rest = 'replicationcontroller root-ca-cert-publisher serviceaccount statefulset tokencleaner ttl-after-finished';
  for (const name of `${old} ${more} ${rest}`.split(' ')) assert.ok(Object.hasOwn(controllers, todaysNames(name)), name);
});
