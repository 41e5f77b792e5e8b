import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeIptables } from '../../../linux/iptables/testing/fake-iptables.ts';
import { cleanUpSections } from './clean-up.ts';

/** What is left of these tables. */
async function left(text: string): Promise<string> {
  const iptables = new FakeIptables();
  iptables.restoreByOther('ip', text);
  await iptables.restore('ip', cleanUpSections(await iptables.save('ip')));
  return iptables.dump('ip');
}

async function dump(text: string): Promise<string> {
  const iptables = new FakeIptables();
  iptables.restoreByOther('ip', text);
  return iptables.dump('ip');
}

const others = `*nat
:DOCKER - [0:0]
:FLANNEL-POSTRTG - [0:0]
-A OUTPUT -j DOCKER
-A POSTROUTING -j FLANNEL-POSTRTG
COMMIT
*filter
-A FORWARD -j ACCEPT
COMMIT
*mangle
:KUBE-IPTABLES-HINT - [0:0]
:KUBE-KUBELET-CANARY - [0:0]
COMMIT
`;

test('cleanUpSections() takes away what kube-proxy made, and the rules that lead there, and nothing else', async () => {
  const ours = `*nat
:KUBE-SERVICES - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-PROXY-CANARY - [0:0]
:KUBE-SVC-A - [0:0]
:KUBE-SVL-A - [0:0]
:KUBE-EXT-A - [0:0]
:KUBE-FW-A - [0:0]
:KUBE-SEP-A - [0:0]
-I OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-I PREROUTING -j KUBE-SERVICES
-I POSTROUTING -j KUBE-POSTROUTING
-A KUBE-SERVICES -j KUBE-FW-A
-A KUBE-SERVICES -j KUBE-NODEPORTS
-A KUBE-FW-A -j KUBE-EXT-A
-A KUBE-EXT-A -j KUBE-SVC-A
-A KUBE-EXT-A -j KUBE-SVL-A
-A KUBE-SVC-A -j KUBE-SEP-A
-A KUBE-SVL-A -j KUBE-SEP-A
-A KUBE-SEP-A -j KUBE-MARK-MASQ
COMMIT
*filter
:KUBE-SERVICES - [0:0]
:KUBE-EXTERNAL-SERVICES - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-FORWARD - [0:0]
:KUBE-PROXY-FIREWALL - [0:0]
:KUBE-FIREWALL - [0:0]
:KUBE-PROXY-CANARY - [0:0]
-I INPUT -j KUBE-FIREWALL
-I INPUT -j KUBE-NODEPORTS
-I FORWARD -j KUBE-FORWARD
-I FORWARD -j KUBE-EXTERNAL-SERVICES
-A KUBE-FIREWALL -d 127.0.0.0/8 -j DROP
COMMIT
*mangle
:KUBE-PROXY-CANARY - [0:0]
COMMIT
`;
  assert.equal(await left(others + ours), await dump(others));
  assert.deepEqual([...cleanUpSections(new Map())], []);
});

test('cleanUpSections() leaves to mode ipvs what is its', async () => {
  const ipvs = `*nat
:KUBE-SERVICES - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-POSTROUTING - [0:0]
-I PREROUTING -j KUBE-SERVICES
-I POSTROUTING -j KUBE-POSTROUTING
-A KUBE-SERVICES -m set --match-set KUBE-CLUSTER-IP dst,dst -j ACCEPT
COMMIT
*filter
:KUBE-FORWARD - [0:0]
:KUBE-PROXY-FIREWALL - [0:0]
-I FORWARD -j KUBE-FORWARD
-I FORWARD -m comment --comment "kube-proxy firewall rules" -j KUBE-PROXY-FIREWALL
COMMIT
`;
  const stale = `*filter
-I OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL
COMMIT
*nat
:KUBE-SVC-A - [0:0]
:KUBE-SEP-A - [0:0]
-A KUBE-SVC-A -j KUBE-SEP-A
-A KUBE-SEP-A -j KUBE-MARK-MASQ
COMMIT
*filter
:KUBE-SERVICES - [0:0]
:KUBE-EXTERNAL-SERVICES - [0:0]
-I FORWARD -m conntrack --ctstate NEW -j KUBE-SERVICES
-I INPUT -m conntrack --ctstate NEW -j KUBE-EXTERNAL-SERVICES
COMMIT
`;
  assert.equal(await left(ipvs + stale), await dump(ipvs));
});

test('cleanUpSections() cuts many chains into transactions, each of which the kernel takes', async () => {
  const names = Array.from({ length: 700 }, (_, i) => i);
  const declared = names.flatMap((i) => [`:KUBE-SEP-${i} - [0:0]`, `:KUBE-SVC-${i} - [0:0]`]);
  const rules = names.map((i) => `-A KUBE-SVC-${i} -j KUBE-SEP-${i}`);
  const iptables = new FakeIptables();
  iptables.restoreByOther('ip', ['*nat', ...declared, ...rules, 'COMMIT', ''].join('\n'));
  const sections = [...cleanUpSections(await iptables.save('ip'))];
  assert.equal(sections.length, 3);
  for (const section of sections) await iptables.restore('ip', [section]);
  assert.ok(!iptables.dump('ip').includes('KUBE-'));
});
