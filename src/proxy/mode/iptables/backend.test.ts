import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KnownError } from '../../../errors/known-error.ts';
import type { Variant } from '../../../linux/iptables/kernel-iptables.ts';
import { FakeIptables } from '../../../linux/iptables/testing/fake-iptables.ts';
import { chooseTools } from './backend.ts';

const hint = '*mangle\n:KUBE-IPTABLES-HINT - [0:0]\nCOMMIT\n';
const canary = hint.replace('IPTABLES-HINT', 'KUBELET-CANARY');
const ours = '*nat\n:KUBE-SERVICES - [0:0]\nCOMMIT\n';

const cases: [why: string, nft: string, legacy: string, chosen: Variant][] = [
  ['those of the machine when nobody told', '', '', ''],
  ['those of the machine, whatever a proxy left', ours, ours, ''],
  ["those of the kubelet's hint", '', hint, '-legacy'],
  ["those of an older kubelet's canary", canary, ours, '-nft'],
];
for (const [why, nft, legacy, chosen] of cases)
  test(`chooseTools() takes ${why}`, async () => {
    const open = (variant: Variant): FakeIptables => {
      const iptables = new FakeIptables();
      iptables.restoreByOther('ip', variant === '-nft' ? nft : legacy);
      return iptables;
    };
    assert.equal(await chooseTools(open), chosen);
  });

test('chooseTools() passes over a backend whose tools are not there', async () => {
  const open = (variant: Variant): FakeIptables => {
    const iptables = new FakeIptables();
    iptables.restoreByOther('ip6', hint);
    if (variant === '-nft')
      iptables.hasChain = async () => {
        throw new KnownError('TOOL_MISSING', 'no');
      };
    return iptables;
  };
  assert.equal(await chooseTools(open), '-legacy');
});
