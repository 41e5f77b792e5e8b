import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { printIpvs } from '../../../linux/ipvs/print.ts';
import type { EndpointAddress, Frontend, PortPlan, ServicePlan } from '../../plan/service-plan.ts';
import { defaultMasqueradeBit, type IpvsNode, nodePortIpsOf } from './ipvs-node.ts';
import { Render, type Wanted } from './render.ts';

const node: IpvsNode = {
  family: 'ip',
  nodeName: 'node1',
  local: { mode: 'ClusterCIDR', cidr: '10.244.0.0/16' },
  masqueradeAll: false,
  nodePortIps: ['192.168.120.11'],
  serviceCidrs: [],
  nodeIps: ['192.168.120.11'],
  hostIps: ['127.0.0.1', '192.168.120.11', '10.244.1.1', '::1', 'fe80::1', 'fd01::1'],
  masqueradeBit: defaultMasqueradeBit,
};

function endpoint(ip: string, mayBeHere = false): EndpointAddress {
  return { name: `${ip} . 8080`, ip, port: 8080, mayBeHere };
}

const [here, there] = [endpoint('10.244.1.2', true), endpoint('10.244.2.2')];
const clusterIp: Frontend = {
  kind: 'cluster-ip',
  ip: '10.96.0.1',
  port: 80,
  inside: 'cluster',
  outside: 'cluster',
  masquerade: 'outside-pods',
};
const external: Frontend = { ...clusterIp, kind: 'external-ip', ip: '198.51.100.1', masquerade: 'always' };
const balanced: Frontend = { ...external, kind: 'load-balancer-ip' };
const nodePort: Frontend = { kind: 'node-port', port: 30_080, inside: 'cluster', outside: 'cluster', masquerade: 'always' };
const local = { inside: 'cluster', outside: 'local', masquerade: 'node' } as const;

function render(
  frontends: readonly Frontend[],
  port: Partial<PortPlan> = {},
  plan: Partial<ServicePlan> = {},
  at: IpvsNode = node,
): Wanted {
  const whole: PortPlan = { name: '', protocol: 'tcp', frontends, cluster: [here, there], local: [here], serving: new Set(), ...port };
  return new Render(at).service({ key: 'n/a', rank: '', clusterIp: '10.96.0.1', ports: [whole], ...plan });
}

/** Virtual servers that lead somewhere, in ipvsadm's words. */
function servers({ servers: all }: Wanted): string {
  const serving = [...all.values()].filter(({ reals }) => reals.size > 0);
  return printIpvs(serving.map((server) => ({ ...server, realServers: [...server.reals.values()] })));
}

/** Entries of all sets but those that every Service has. */
function members({ members: all }: Wanted): string[] {
  return all
    .filter(({ set }) => set !== 'LOOP-BACK' && set !== 'IPVS-IPS')
    .map(({ set, entry }) => `${set} ${entry}`)
    .sort();
}

const to = (address: string, ...ips: string[]): string => ips.map((ip) => `-a ${address} -r ${ip}:8080 -m -w 1\n`).join('');

describe('Render', () => {
  test('has the real servers of a port once, however many frontends it has', () => {
    const all = [...render([clusterIp, external, { ...balanced, ip: '198.51.100.2' }]).servers.values()];
    assert.deepEqual([all.length, new Set(all.map(({ reals }) => reals)).size], [3, 1]);
  });

  test('gives a cluster IP a virtual server, its address, and entries for pods that reach themselves', () => {
    const wanted = render([clusterIp]);
    assert.equal(servers(wanted), `-A -t 10.96.0.1:80 -s rr\n${to('-t 10.96.0.1:80', '10.244.1.2', '10.244.2.2')}`);
    assert.deepEqual(wanted.addresses, ['10.96.0.1']);
    assert.deepEqual(
      wanted.members.map(({ set, entry }) => `${set} ${entry}`),
      ['LOOP-BACK 10.244.1.2,tcp:8080,10.244.1.2', 'CLUSTER-IP 10.96.0.1,tcp:80', 'IPVS-IPS 10.96.0.1'],
    );
    assert.deepEqual(wanted.detours, []);
  });

  const sets: readonly [what: string, frontend: Frontend, protocol: PortPlan['protocol'], entries: string[]][] = [
    ['an external address', external, 'tcp', ['EXTERNAL-IP 198.51.100.1,tcp:80']],
    ['one under a Local policy', { ...external, ...local }, 'tcp', ['EXTERNAL-IP-LOCAL 198.51.100.1,tcp:80']],
    ['a load balancer', balanced, 'udp', ['LOAD-BALANCER 198.51.100.1,udp:80']],
    [
      'one under a Local policy',
      { ...balanced, ...local },
      'tcp',
      ['LOAD-BALANCER 198.51.100.1,tcp:80', 'LOAD-BALANCER-LOCAL 198.51.100.1,tcp:80'],
    ],
    [
      'one with source ranges',
      { ...balanced, sources: ['10.0.0.0/8', '192.0.2.7/32', '198.51.100.1/32'] },
      'tcp',
      [
        'LOAD-BALANCER 198.51.100.1,tcp:80',
        'LOAD-BALANCER-FW 198.51.100.1,tcp:80',
        'LOAD-BALANCER-SOURCE-CIDR 198.51.100.1,tcp:80,10.0.0.0/8',
        'LOAD-BALANCER-SOURCE-CIDR 198.51.100.1,tcp:80,192.0.2.7',
        'LOAD-BALANCER-SOURCE-IP 198.51.100.1,tcp:80,198.51.100.1',
      ],
    ],
    [
      'one that nobody may use',
      { ...balanced, sources: [] },
      'tcp',
      ['LOAD-BALANCER 198.51.100.1,tcp:80', 'LOAD-BALANCER-FW 198.51.100.1,tcp:80'],
    ],
    ['a node port', nodePort, 'tcp', ['NODE-PORT-TCP 30080']],
    ['one of UDP under a Local policy', { ...nodePort, ...local }, 'udp', ['NODE-PORT-LOCAL-UDP 30080', 'NODE-PORT-UDP 30080']],
    [
      'one of SCTP under a Local policy',
      { ...nodePort, ...local },
      'sctp',
      ['NODE-PORT-LOCAL-SCTP-HASH 192.168.120.11,sctp:30080', 'NODE-PORT-SCTP-HASH 192.168.120.11,sctp:30080'],
    ],
    ['a refused frontend', { ...clusterIp, inside: 'refuse', outside: 'refuse' }, 'tcp', []],
    ['a dropped one', { ...clusterIp, inside: 'drop', outside: 'drop' }, 'tcp', ['NO-LOCAL 10.96.0.1,tcp:80']],
    [
      'one dropped outside',
      { ...external, ...local, outside: 'drop' },
      'tcp',
      ['EXTERNAL-IP-LOCAL 198.51.100.1,tcp:80', 'NO-LOCAL-OUTSIDE 198.51.100.1,tcp:80'],
    ],
  ];
  for (const [what, frontend, protocol, entries] of sets)
    test(`has in its sets, of ${what} (${protocol}): ${entries.join('; ') || 'nothing'}`, () => {
      assert.deepEqual(members(render([frontend], { protocol })), entries);
    });

  test('leaves no virtual server where nobody serves, but keeps its address', () => {
    const refused = render([{ ...clusterIp, inside: 'refuse', outside: 'refuse' }], { cluster: [], local: [] });
    assert.equal(servers(refused), '');
    assert.deepEqual(refused.addresses, ['10.96.0.1']);
  });

  test('serves outsiders under a Local policy here, and all where those are dropped', () => {
    assert.equal(servers(render([{ ...external, ...local }])), `-A -t 198.51.100.1:80 -s rr\n${to('-t 198.51.100.1:80', '10.244.1.2')}`);
    assert.equal(
      servers(render([{ ...external, ...local, outside: 'drop' }])),
      `-A -t 198.51.100.1:80 -s rr\n${to('-t 198.51.100.1:80', '10.244.1.2', '10.244.2.2')}`,
    );
  });

  const detour = '-d 198.51.100.1/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.96.0.1:80';
  const detours: readonly [what: string, frontends: readonly Frontend[], rules: string[]][] = [
    ['pods and the node to all endpoints', [clusterIp, { ...external, ...local }], [`KUBE-SHORT-CIRCUIT ${detour}`]],
    [
      'them from node ports',
      [clusterIp, { ...nodePort, ...local }],
      ['KUBE-SHORT-CIRCUIT -d 192.168.120.11/32 -p tcp -m tcp --dport 30080 -j DNAT --to-destination 10.96.0.1:80'],
    ],
    [
      'nobody where the cluster IP leads to fewer',
      [
        { ...clusterIp, inside: 'local', outside: 'local' },
        { ...external, ...local },
      ],
      [],
    ],
    ['nobody by source ranges', [clusterIp, { ...balanced, ...local, sources: [] }], []],
    ['nobody who gets all anyway', [clusterIp, external], []],
    [
      'everybody from an address of another node',
      [clusterIp, { ...external, isShared: true }],
      [`KUBE-SHARED-IP ${detour.replace(/-j .*/, '-j KUBE-MARK-MASQ')}`, `KUBE-SHARED-IP ${detour}`],
    ],
    ['nobody from one under a Local policy', [clusterIp, { ...external, ...local, isShared: true }], []],
    ['nobody from an address of this node', [clusterIp, { ...external, ip: '192.168.120.11', isShared: true }], []],
  ];
  for (const [what, frontends, rules] of detours)
    test(`sends on to the cluster IP ${what}`, () => {
      assert.deepEqual(
        render(frontends).detours.map(({ chain, rule }) => `${chain} ${rule}`),
        rules,
      );
    });

  test('writes addresses of IPv6 in brackets', () => {
    const [six, at] = ['fd00::1', { ...node, family: 'ip6' as const }];
    const [first] = render(
      [
        { ...clusterIp, ip: six },
        { ...external, ...local, ip: '2001:db8::5' },
      ],
      {},
      { clusterIp: six },
      at,
    ).detours;
    assert.equal(first?.rule, '-d 2001:db8::5/128 -p tcp -m tcp --dport 80 -j DNAT --to-destination [fd00::1]:80');
  });

  test('binds no address that a link of the node has, nor one that another node has', () => {
    const own = render([clusterIp, { ...external, ip: '10.244.1.1' }, { ...external, ip: '192.168.120.12', isShared: true }]);
    assert.deepEqual(own.addresses, ['10.96.0.1']);
    assert.match(servers(own), /^-A -t 10\.244\.1\.1:80/m);
    assert.doesNotMatch(servers(own), /192\.168\.120\.12/);
  });

  const ways: readonly [algorithm: ServicePlan['algorithm'], line: string][] = [
    [undefined, '-s rr -p 600'],
    ['lc', '-s lc -p 600'],
    ['sh', '-s sh -p 600 -b sh-fallback'],
    ['sh-port', '-s sh -p 600 -b sh-fallback,sh-port'],
    ['mh', '-s mh -p 600 -b mh-fallback,mh-port'],
    ['source-hash', '-s mh -p 600 -b mh-fallback'],
  ];
  for (const [algorithm, line] of ways)
    test(`spreads by ${algorithm ?? 'its own choice'} with affinity: ${line}`, () => {
      const text = servers(render([clusterIp], { affinitySeconds: 600 }, algorithm ? { algorithm } : {}));
      assert.equal(text.split('\n')[0], `-A -t 10.96.0.1:80 ${line}`);
    });

  test('opens the port at which a load balancer asks for health', () => {
    assert.deepEqual(members(render([], {}, { health: { port: 32_000, localReady: 1 } })), ['HEALTH-CHECK-NODE-PORT 32000']);
  });

  test('serves node ports at every address of the node, if so told, but not at those that every host has', () => {
    assert.deepEqual(nodePortIpsOf({ ...node, nodePortIps: 'all' }), ['192.168.120.11', '10.244.1.1']);
    assert.deepEqual(nodePortIpsOf({ ...node, family: 'ip6', nodePortIps: 'all' }), ['fd01::1']);
    assert.equal(render([nodePort], {}, {}, { ...node, nodePortIps: 'all' }).servers.size, 2);
  });
});
