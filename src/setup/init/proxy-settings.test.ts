import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changedProxySettings } from './proxy-settings.ts';

const text = '# ours\nmode: nftables\nipvs:\n  strictARP: true # for MetalLB\n';

test('changedProxySettings() changes what is wished, and nothing beside it', () => {
  assert.equal(
    changedProxySettings(text, { proxyMode: 'ipvs', ipvsScheduler: 'lc' }),
    '# ours\nmode: ipvs\nipvs:\n  strictARP: true # for MetalLB\n  scheduler: lc\n',
  );
});

test('changedProxySettings() takes a document as it takes flags, which say more', () => {
  const document = {
    apiVersion: 'x',
    kind: 'y',
    mode: 'userspace',
    clusterCIDR: '10.1.0.0/16',
    ipvs: { scheduler: 'sh', strictARP: true },
  };
  assert.equal(
    changedProxySettings(text, { ipvsScheduler: 'lc' }, document),
    '# ours\nmode: userspace\nipvs:\n  strictARP: true # for MetalLB\n  scheduler: lc\nclusterCIDR: 10.1.0.0/16\n',
  );
  assert.equal(changedProxySettings(text, {}, { mode: '', clusterCIDR: '' }), undefined);
});

test('changedProxySettings() takes back a scheduler by an empty one', () => {
  assert.equal(changedProxySettings('ipvs:\n  scheduler: lc\n', { ipvsScheduler: '' }), 'ipvs:\n  scheduler: ""\n');
});

test('changedProxySettings() makes the section that is not there', () => {
  assert.equal(changedProxySettings('mode: ipvs\n', { ipvsScheduler: 'sh' }), 'mode: ipvs\nipvs:\n  scheduler: sh\n');
});

test('changedProxySettings() gives nothing when nothing is wished, or it is so', () => {
  assert.equal(changedProxySettings(text, {}), undefined);
  assert.equal(changedProxySettings(text, { proxyMode: 'nftables' }), undefined);
});
