/** The glue of all scenarios as `rules/` has it, and what those do not show; `test/rules` sends packets through it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseSave } from '../../../linux/iptables/ruleset.ts';
import { restoreText } from '../../../linux/iptables/section.ts';
import { FakeIptables } from '../../../linux/iptables/testing/fake-iptables.ts';
import type { LocalDetector } from '../../plan/node-context.ts';
import { testGoldenFiles } from '../testing/golden-files.ts';
import { chainsToRemove } from './clean-up.ts';
import { glueOf } from './glue.ts';
import { glueSections, removeGlue } from './glue-sections.ts';
import { defaultMasqueradeBit, type IpvsNode } from './ipvs-node.ts';
import { declarationOf, kernelName, setNames } from './set-names.ts';
import { ipvsFace } from './testing/face.ts';

testGoldenFiles(ipvsFace);

const node: IpvsNode = {
  family: 'ip',
  nodeName: 'node1',
  local: { mode: 'ClusterCIDR', cidr: '10.244.0.0/16' },
  masqueradeAll: false,
  nodePortIps: [],
  serviceCidrs: ['10.96.0.0/16'],
  nodeIps: [],
  hostIps: [],
  masqueradeBit: defaultMasqueradeBit,
};

const services = (given: Partial<IpvsNode>): readonly string[] =>
  glueOf({ ...node, ...given }, new Map())
    .chains.get('nat')
    ?.get('KUBE-SERVICES') ?? [];

describe('glueOf', () => {
  const inCluster = '-m set --match-set KUBE-CLUSTER-IP';
  const detectors: readonly [local: LocalDetector, masquerading: string, inside: string | undefined, outside: string][] = [
    [{ mode: 'NodeCIDR', cidr: '10.244.1.0/24' }, `! -s 10.244.1.0/24 ${inCluster} dst,dst`, '-s 10.244.1.0/24', '! -s 10.244.1.0/24 '],
    [{ mode: 'BridgeInterface', interface: 'cbr0' }, `! -i cbr0 ${inCluster} dst,dst`, '-i cbr0', '! -i cbr0 '],
    [{ mode: 'InterfaceNamePrefix', prefix: 'veth' }, `! -i veth+ ${inCluster} dst,dst`, '-i veth+', '! -i veth+ '],
    [{ mode: 'None' }, `${inCluster} src,dst`, undefined, ''],
  ];
  for (const [local, masquerading, inside, outside] of detectors)
    test(`tells pods by ${local.mode}`, () => {
      const rules = services({ local });
      assert.ok(rules.includes(`${masquerading} -j KUBE-MARK-MASQ`), rules.join('\n'));
      assert.equal(
        rules.some((rule) => rule === `${inside} -j KUBE-SHORT-CIRCUIT`),
        inside !== undefined,
      );
      const filter = glueOf({ ...node, local }, new Map())
        .chains.get('filter')
        ?.get('KUBE-IPVS-FILTER');
      assert.equal(filter?.[1], `${outside}-m addrtype ! --src-type LOCAL -m set --match-set KUBE-NO-LOCAL-OUTSIDE dst,dst -j DROP`);
    });

  test('masquerades all, if so told', () =>
    assert.ok(services({ masqueradeAll: true }).includes(`${inCluster} dst,dst -j KUBE-MARK-MASQ`)));

  test('marks with the bit that it is told, and masquerades by random ports where iptables can', () => {
    const nat = glueOf({ ...node, masqueradeBit: 20 }, new Map(), false).chains.get('nat');
    assert.deepEqual(nat?.get('KUBE-MARK-MASQ'), ['-j MARK --set-xmark 0x100000/0x100000']);
    assert.deepEqual(nat?.get('KUBE-POSTROUTING')?.slice(1), [
      '-m mark ! --mark 0x100000/0x100000 -j RETURN',
      '-j MARK --set-xmark 0x100000/0x0',
      '-m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE',
    ]);
    assert.match(glueOf(node, new Map()).chains.get('nat')?.get('KUBE-POSTROUTING')?.at(-1) ?? '', /MASQUERADE --random-fully$/);
  });

  test('speaks of IPv6 in its words', () => {
    const six = glueOf({ ...node, family: 'ip6', serviceCidrs: ['fd00::/112'] }, new Map()).chains;
    assert.equal(six.get('nat')?.get('KUBE-SERVICES')?.[0], '-s ::1/128 -j RETURN');
    assert.equal(six.get('filter')?.get('KUBE-REFUSE')?.[1], '-j REJECT --reject-with icmp6-port-unreachable');
    assert.equal(six.get('filter')?.get('KUBE-FORWARD')?.at(-1), '-d fd00::/112 -m conntrack --ctstate NEW -j KUBE-REFUSE');
    assert.ok([...six.values()].every((chains) => ![...chains.values()].flat().some((rule) => /KUBE-(?!6-)\S+ (?:dst|src)/.test(rule))));
  });
});

describe('glueSections', () => {
  const detours = new Map([
    ['KUBE-SHORT-CIRCUIT' as const, ['-d 192.0.2.1/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.96.0.1:80']],
  ]);

  test('makes all of it at first, puts back what is missing, and nothing when all is there', async () => {
    const iptables = new FakeIptables();
    const others = '*filter\n-A INPUT -j ACCEPT\nCOMMIT\n';
    iptables.restoreByOther('ip', others);
    const glue = glueOf(node, detours);
    await iptables.restore('ip', glueSections(await iptables.save('ip'), glue));
    const whole = iptables.dump('ip');
    assert.deepEqual(glueSections(await iptables.save('ip'), glue), []);
    // The last jump of a chain is the first that a packet meets.
    assert.match(
      whole,
      /-A INPUT .* -j KUBE-IPVS-FILTER\n-A INPUT .* -j KUBE-PROXY-FIREWALL\n-A INPUT .* -j KUBE-NODE-PORT\n-A INPUT -j ACCEPT\n/,
    );
    iptables.restoreByOther(
      'ip',
      '*nat\n:KUBE-SERVICES - [0:0]\n-D OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES\nCOMMIT\n',
    );
    const [section, ...more] = glueSections(await iptables.save('ip'), glue);
    assert.deepEqual(
      [section?.table, [...(section?.fill?.keys() ?? [])], [...(section?.insert?.keys() ?? [])]],
      ['nat', ['KUBE-SERVICES'], ['OUTPUT']],
    );
    assert.deepEqual(more, []);
    await iptables.restore('ip', section ? [section] : []);
    assert.equal(iptables.dump('ip'), whole);
  });

  test('goes without touching what others have', async () => {
    const iptables = new FakeIptables();
    iptables.restoreByOther('ip', '*nat\n:MINE - [0:0]\n-A OUTPUT -j MINE\nCOMMIT\n*filter\nCOMMIT\n*mangle\nCOMMIT\n');
    const before = iptables.dump('ip');
    await iptables.restore('ip', glueSections(await iptables.save('ip'), glueOf(node, detours)));
    const held = await iptables.save('ip');
    await iptables.restore('ip', removeGlue(held, chainsToRemove(held)));
    assert.equal(iptables.dump('ip'), before);
    const none = await iptables.save('ip');
    assert.deepEqual(removeGlue(none, chainsToRemove(none)), []);
  });

  test('goes with its own jumps to a chain that mode iptables keeps', () => {
    const services = ':KUBE-SERVICES - [0:0]\n-A KUBE-SERVICES -d 10.96.0.1/32 -j ACCEPT\n';
    const ours = '-m comment --comment "kube-proxy firewall rules" -j KUBE-PROXY-FIREWALL';
    const theirs = '-m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL';
    const jumps = ['FORWARD', 'INPUT'].map((chain) => `-A ${chain} ${ours}\n-A ${chain} ${theirs}\n`).join('');
    const held = parseSave(
      `*nat\n${services}COMMIT\n*filter\n:FORWARD ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:KUBE-PROXY-FIREWALL - [0:0]\n${jumps}COMMIT\n`,
    );
    const text = [...restoreText(removeGlue(held, chainsToRemove(held)), true)].join('');
    assert.deepEqual(text.match(/^-.*/gm), [`-D FORWARD ${ours}`, `-D INPUT ${ours}`]);
  });

  test('goes with rules that jump there by goto', () => {
    const held = parseSave('*filter\n:INPUT ACCEPT [0:0]\n:KUBE-IPVS-FILTER - [0:0]\n-A INPUT -g KUBE-IPVS-FILTER\nCOMMIT\n');
    const text = [...restoreText(removeGlue(held, chainsToRemove(held)), true)].join('');
    assert.match(text, /-D INPUT -g KUBE-IPVS-FILTER\n-X KUBE-IPVS-FILTER\n/);
  });
});

describe('sets', () => {
  test('have names that the kernel takes, each its own in both families', () => {
    const names = setNames.flatMap((set) => [kernelName(set, 'ip'), kernelName(set, 'ip6')]);
    assert.equal(new Set(names).size, names.length);
    assert.ok(names.every((name) => name.length <= 31));
    assert.equal(kernelName('LOAD-BALANCER-SOURCE-CIDR', 'ip6'), 'KUBE-6-LOAD-BALANCER-SOURCE-CID');
  });

  test('are of the family of their addresses, and of none when they have ports alone', () => {
    assert.deepEqual(declarationOf('CLUSTER-IP', 'ip'), { name: 'KUBE-CLUSTER-IP', type: 'hash:ip,port', family: 4 });
    assert.deepEqual(declarationOf('CLUSTER-IP', 'ip6'), { name: 'KUBE-6-CLUSTER-IP', type: 'hash:ip,port', family: 6 });
    assert.deepEqual(declarationOf('NODE-PORT-TCP', 'ip6'), { name: 'KUBE-6-NODE-PORT-TCP', type: 'bitmap:port' });
  });
});
