import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { KnownError } from '../../../errors/known-error.ts';
import { FakeIptables } from '../../../linux/iptables/testing/fake-iptables.ts';
import { TrackingHold } from './tracking-hold.ts';

const ofOther = '*nat\n:KUBE-SERVICES - [0:0]\n-A PREROUTING -j KUBE-SERVICES\nCOMMIT\n';

describe('TrackingHold', () => {
  test('has a rule in both families that asks for tracking, to which none leads, once', async () => {
    const iptables = new FakeIptables();
    iptables.restoreByOther('ip', ofOther);
    const hold = new TrackingHold(iptables);
    for (const _ of ['now', 'after a restart']) {
      await hold.hold();
      for (const family of ['ip', 'ip6'] as const) {
        const lines = iptables
          .dump(family)
          .split('\n')
          .filter((line) => line.includes('FAIRLEAD-HOLD'));
        assert.equal(lines.length, 2);
        assert.match(lines[1] ?? '', /^-A FAIRLEAD-HOLD -m conntrack --ctstate NEW (?!.*-j )/);
      }
    }
  });

  test('leaves alone tables in which no proxy had rules', async () => {
    const iptables = new FakeIptables();
    await new TrackingHold(iptables).hold();
    assert.ok(!iptables.dump('ip').includes('FAIRLEAD-HOLD'));
  });

  test('lets go of its own rule only', async () => {
    const iptables = new FakeIptables();
    iptables.restoreByOther('ip', ofOther);
    const before = iptables.dump('ip');
    const hold = new TrackingHold(iptables);
    await hold.release();
    assert.equal(iptables.dump('ip'), before);
    await hold.hold();
    await hold.release();
    assert.equal(iptables.dump('ip'), before);
    assert.ok(!iptables.dump('ip6').includes('FAIRLEAD-HOLD'));
  });

  test('holds in the family that has its tools where the other has none', async () => {
    for (const lacking of ['ip', 'ip6'] as const) {
      const other = lacking === 'ip' ? 'ip6' : 'ip';
      const iptables = new FakeIptables();
      iptables.restoreByOther(other, ofOther);
      iptables.lacking = lacking;
      await new TrackingHold(iptables).hold();
      assert.match(iptables.dump(other), /FAIRLEAD-HOLD/);
      assert.doesNotMatch(iptables.dump(lacking), /FAIRLEAD-HOLD/);
      await new TrackingHold(iptables).release();
      assert.doesNotMatch(iptables.dump(other), /FAIRLEAD-HOLD/);
    }
  });

  test('does without the tools and without the tables, and tells of any other failure', async () => {
    const failing = (code: 'TOOL_MISSING' | 'KERNEL_FEATURE_MISSING' | 'KERNEL_REFUSED'): TrackingHold => {
      const iptables = new FakeIptables();
      iptables.mayHold = async () => {
        throw new KnownError(code, code);
      };
      return new TrackingHold(iptables);
    };
    for (const code of ['TOOL_MISSING', 'KERNEL_FEATURE_MISSING'] as const) {
      await failing(code).hold();
      await failing(code).release();
    }
    await assert.rejects(failing('KERNEL_REFUSED').hold(), /KERNEL_REFUSED/);
    await assert.rejects(failing('KERNEL_REFUSED').release(), /KERNEL_REFUSED/);
  });
});
