import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mustCidr } from '../../ip/ip.ts';
import { jump, masqueradingRules } from './rules-iptables.ts';

test('what leaves the pod network is masqueraded, and what comes into it for pods of other nodes', () => {
  assert.deepEqual(masqueradingRules(mustCidr('10.244.0.0/16'), '10.244.1.0/24', true), [
    '-m mark --mark 0x4000/0x4000 -j RETURN',
    '-s 10.244.0.0/16 -d 10.244.0.0/16 -j RETURN',
    '-s 10.244.0.0/16 ! -d 224.0.0.0/4 -j MASQUERADE --random-fully',
    '-d 10.244.1.0/24 -j RETURN',
    '! -s 10.244.0.0/16 -d 10.244.0.0/16 -j MASQUERADE --random-fully',
  ]);
});

test('an iptables that knows no --random-fully is not given it, and IPv6 has another multicast', () => {
  const rules = masqueradingRules(mustCidr('fd00:244::/56'), 'fd00:244::/64', false);
  assert.deepEqual(
    rules.filter((rule) => rule.includes('MASQUERADE')),
    ['-s fd00:244::/56 ! -d ff00::/8 -j MASQUERADE', '! -s fd00:244::/56 -d fd00:244::/56 -j MASQUERADE'],
  );
});

test('the chain is called by a rule that says whose it is', () => {
  assert.equal(jump, '-m comment --comment "fairlead pod network" -j FAIRLEAD-POSTRTG');
});
