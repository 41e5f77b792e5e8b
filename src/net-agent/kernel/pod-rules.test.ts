import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { KnownError } from '../../errors/known-error.ts';
import { mustCidr } from '../../ip/ip.ts';
import { FakeIptables } from '../../linux/iptables/testing/fake-iptables.ts';
import type { Nftables } from '../../linux/nftables/table.ts';
import { FakeNftables } from '../../linux/testing/fake-nftables.ts';
import { PodRules, removePodRules } from './pod-rules.ts';

const input = { network: mustCidr('10.244.0.0/16'), podCidr: '10.244.1.0/24', masquerade: true, chains: [] };
const missing = new KnownError('KERNEL_FEATURE_MISSING', 'add table failed with ENOTSUP');

/** A kernel without nf_tables. */
function without(error: Error = missing): Nftables {
  return Object.assign(new FakeNftables(), { commit: () => Promise.reject(error) });
}

const chain = `*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:FAIRLEAD-POSTRTG - [0:0]
-A POSTROUTING -m comment --comment "fairlead pod network" -j FAIRLEAD-POSTRTG
-A FAIRLEAD-POSTRTG -m mark --mark 0x4000/0x4000 -j RETURN
-A FAIRLEAD-POSTRTG -s 10.244.0.0/16 -d 10.244.0.0/16 -j RETURN
-A FAIRLEAD-POSTRTG -s 10.244.0.0/16 ! -d 224.0.0.0/4 -j MASQUERADE --random-fully
-A FAIRLEAD-POSTRTG -d 10.244.1.0/24 -j RETURN
-A FAIRLEAD-POSTRTG ! -s 10.244.0.0/16 -d 10.244.0.0/16 -j MASQUERADE --random-fully
COMMIT
`;

describe('PodRules', () => {
  test('are a table of nftables where the kernel has it, and no iptables is opened', async () => {
    const nft = new FakeNftables();
    const openIptables = (): never => assert.fail();
    const rules = new PodRules({ nft, openIptables, clock: new FakeClock() });
    assert.equal(await rules.sync(input), true);
    assert.equal(await rules.sync(input), false);
    assert.match(nft.dump('ip', 'fairlead-net'), /masquerade/);
  });

  test('are a chain of iptables where the kernel has no nf_tables', async () => {
    const [iptables, clock] = [new FakeIptables(), new FakeClock()];
    const rules = new PodRules({ nft: without(), openIptables: () => iptables, clock });
    assert.equal(await rules.sync(input), true);
    assert.equal(iptables.dump('ip'), chain);
    assert.equal(await rules.sync(input), false);
    assert.equal(iptables.restored.length, 1);
  });

  test('come back within a minute when somebody takes them away, and at once when the range is another', async () => {
    const [iptables, clock] = [new FakeIptables(), new FakeClock()];
    const rules = new PodRules({ nft: without(), openIptables: () => iptables, clock });
    await rules.sync(input);
    for (const taken of [
      '*nat\n-D POSTROUTING -m comment --comment "fairlead pod network" -j FAIRLEAD-POSTRTG\nCOMMIT\n',
      '*nat\n:FAIRLEAD-POSTRTG - [0:0]\nCOMMIT\n',
    ]) {
      iptables.restoreByOther('ip', taken);
      await clock.advance(59_000);
      assert.equal(await rules.sync(input), false);
      await clock.advance(1000);
      assert.equal(await rules.sync(input), true);
      assert.equal(iptables.dump('ip'), chain);
    }
    assert.equal(await rules.sync({ ...input, podCidr: '10.244.2.0/24' }), true);
    assert.match(iptables.dump('ip'), /-d 10\.244\.2\.0\/24 -j RETURN/);
    assert.equal(iptables.dump('ip').match(/-j FAIRLEAD-POSTRTG/g)?.length, 1);
  });

  test('go when nothing is to be masqueraded, or when the node leaves', async () => {
    for (const leave of [
      (rules: PodRules) => rules.sync({ ...input, masquerade: false }),
      (_: PodRules, iptables: FakeIptables) => removePodRules(iptables),
    ]) {
      const iptables = new FakeIptables();
      const rules = new PodRules({ nft: without(), openIptables: () => iptables, clock: new FakeClock() });
      await rules.sync(input);
      await leave(rules, iptables);
      assert.doesNotMatch(iptables.dump('ip'), /FAIRLEAD/);
      await removePodRules(iptables);
      assert.equal(iptables.restored.length, 2);
    }
  });

  test('of a kernel that has neither: what nftables lacks is told', async () => {
    const iptables = new FakeIptables();
    iptables.failure = new KnownError('KERNEL_FEATURE_MISSING', 'Cannot use "iptables"');
    const rules = new PodRules({ nft: without(), openIptables: () => iptables, clock: new FakeClock() });
    await assert.rejects(rules.sync(input), missing);
    iptables.failure = new KnownError('KERNEL_REFUSED', 'line 2');
    await assert.rejects(rules.sync(input), { message: 'line 2' });
  });

  test('are not tried elsewhere when nftables is there and refuses', async () => {
    const refused = new KnownError('KERNEL_REFUSED', 'EPERM');
    const rules = new PodRules({ nft: without(refused), openIptables: () => assert.fail(), clock: new FakeClock() });
    await assert.rejects(rules.sync(input), refused);
  });
});
