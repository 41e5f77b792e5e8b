import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressOf, chainsOf, isOfService, portName, referrersFirst } from './chain-names.ts';

test('chainsOf() names chains as kube-proxy does', () => {
  const names = chainsOf('ns1/svc1:p80', 'tcp');
  assert.equal(names.cluster, 'KUBE-SVC-XPGD46QRK7WJZT7O');
  assert.equal(names.local, 'KUBE-SVL-XPGD46QRK7WJZT7O');
  assert.equal(names.external, 'KUBE-EXT-XPGD46QRK7WJZT7O');
  assert.equal(names.firewall, 'KUBE-FW-XPGD46QRK7WJZT7O');
  assert.equal(names.endpoint('10.0.1.1:80'), 'KUBE-SEP-SNQ3ZNILQDEJNDQO');
  assert.notEqual(chainsOf('ns1/svc1:p80', 'udp').cluster, names.cluster);
});

test('portName() and addressOf() write what kube-proxy hashes', () => {
  assert.equal(portName({ key: 'n/a' }, { name: '' }), 'n/a');
  assert.equal(portName({ key: 'n/a' }, { name: 'http' }), 'n/a:http');
  assert.equal(addressOf({ ip: '10.0.0.1', port: 80 }), '10.0.0.1:80');
  assert.equal(addressOf({ ip: 'fd00::1', port: 80 }), '[fd00::1]:80');
});

test('referrersFirst() puts chains before those to which they lead', () => {
  const chains = ['KUBE-SEP-A', 'KUBE-SVL-A', 'KUBE-EXT-A', 'KUBE-FW-A', 'KUBE-SVC-A'];
  assert.deepEqual(referrersFirst(chains), ['KUBE-FW-A', 'KUBE-EXT-A', 'KUBE-SVC-A', 'KUBE-SVL-A', 'KUBE-SEP-A']);
  assert.deepEqual([...chains, 'KUBE-SERVICES', 'DOCKER'].filter(isOfService), chains);
});
