import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readProxyConfig } from './config.ts';

const head = 'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n';

describe('readProxyConfig()', () => {
  test('reads what kubeadm writes', () => {
    const text = `${head}mode: ""\nclusterCIDR: 10.244.0.0/16,fd00:10:244::/56\nhealthzBindAddress: ""\nnodePortAddresses: null
nftables: { masqueradeAll: true, masqueradeBit: null, minSyncPeriod: 1s, syncPeriod: 1m30s }\niptables: { syncPeriod: 0s }\n`;
    assert.deepEqual(readProxyConfig(text), {
      clusterCidrs: ['10.244.0.0/16', 'fd00:10:244::/56'],
      masqueradeAll: true,
      minSyncPeriodMs: 1000,
      syncPeriodMs: 90_000,
    });
  });

  test('reads how pods are told from others', () => {
    const text = `${head}detectLocalMode: BridgeInterface\ndetectLocal: { bridgeInterface: cni0 }\n`;
    assert.deepEqual(readProxyConfig(text), { localMode: 'BridgeInterface', bridgeInterface: 'cni0' });
  });

  const wrong: [name: string, text: string, message: RegExp][] = [
    ['another kind', 'kind: Service', /kind is "Service"/],
    ['another mode', `${head}mode: ipvs`, /mode "ipvs" is not supported/],
    ['an unknown local mode', `${head}detectLocalMode: Guess`, /detectLocalMode "Guess" is none of/],
    ['a bad duration', `${head}nftables: { syncPeriod: soon }`, /"soon" is no duration/],
    ['no YAML', 'a: [', /it is no YAML/],
  ];
  for (const [name, text, message] of wrong) test(`refuses ${name}`, () => assert.throws(() => readProxyConfig(text), message));
});
