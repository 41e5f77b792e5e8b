import assert from 'node:assert/strict';
import { test } from 'node:test';
import { networksBefore } from './setup-runtime.ts';

test('networksBefore() are those that the runtime reads, and that come before ours', () => {
  const names = [
    '10-flannel.conflist',
    '10-calico.conflist',
    '05-cilium.conf',
    '00-a.json',
    '10-fairlead.conflist',
    'README',
    '00-x.conflist.bak',
  ];
  assert.deepEqual(networksBefore(names), ['00-a.json', '05-cilium.conf', '10-calico.conflist']);
});
