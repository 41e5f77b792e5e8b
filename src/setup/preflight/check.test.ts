import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { check, withIgnored } from './check.ts';
import type { Facts, KnownNode } from './facts.ts';
import { portsOf } from './network-checks.ts';
import { refuseObstacles } from './preflight.ts';
import { healthyFacts as fine } from './testing/healthy-facts.ts';

const there: KnownNode = { name: 'two', machineId: 'other', addresses: ['192.168.56.11'], isReady: true };

function found(change: Partial<Facts>): string[] {
  return check({ ...fine, ...change }).map(({ severity, id }) => `${severity} ${id}`);
}

test('check() finds nothing on a machine that is as it should be', () => {
  assert.deepEqual(found({}), []);
  assert.deepEqual(found({ role: 'worker' }), []);
});

const cases: readonly (readonly [string, Partial<Facts>, readonly string[]])[] = [
  ['an ordinary user', { isRoot: false }, ['error IsPrivilegedUser']],
  ['a name in capitals', { nodeName: 'One' }, ['error Hostname']],
  ['a name with an underscore', { nodeName: 'node_1' }, ['error Hostname']],
  ['a name with dots', { nodeName: 'one.example.org' }, []],
  ['a name that is too long', { nodeName: `${'a.'.repeat(127)}a` }, ['error Hostname']],
  ['the name of every machine', { nodeName: 'localhost' }, ['error Hostname']],
  ['no address', { addresses: [] }, ['error NodeAddress']],
  ["the address behind VirtualBox's NAT", { addresses: ['10.0.2.15'] }, ['error NodeAddress']],
  ['another address of such a network', { addresses: ['10.0.2.16'] }, []],
  ['an address of each family that pods have', { addresses: ['192.168.56.10', 'fd00::10'], families: [6, 4] }, []],
  ['no address of a family that pods have', { families: [4, 6] }, ['error NodeAddress']],
  ['an address that no pod needs', { addresses: ['192.168.56.10', 'fd00::10'] }, []],
  ['a second address that another node has', { addresses: ['192.168.56.10', '192.168.56.11'], nodes: [there] }, ['error NodeAddressTaken']],
  [
    "somebody on 53 of the node's second address",
    { addresses: ['192.168.56.10', 'fd00::10'], listening: [{ protocol: 'udp', address: 'fd00::10', port: 53 }] },
    ['error Port-53'],
  ],
  ['an address that another node has', { addresses: ['192.168.56.11'], nodes: [there] }, ['error NodeAddressTaken']],
  [
    'its own name and address of a former life',
    { addresses: ['192.168.56.11'], ownAddresses: ['192.168.56.11'], nodeName: 'two', machineId: 'other', nodes: [there] },
    [],
  ],
  ['a name that another machine has', { nodeName: 'two', nodes: [there] }, ['error NodeNameTaken']],
  ['a name whose machine is gone', { nodeName: 'two', nodes: [{ ...there, isReady: false }] }, []],
  ['a name that its clone has', { nodeName: 'two', machineId: 'other', nodes: [there] }, ['error NodeNameTaken']],
  ['a name, where no machine has an id', { nodeName: 'two', machineId: '', nodes: [{ ...there, machineId: '' }] }, ['error NodeNameTaken']],
  ['its own name after its address has changed', { nodeName: 'two', machineId: 'other', isMember: true, nodes: [there] }, []],
  ['its name, when it was made anew', { nodeName: 'two', ownAddresses: ['192.168.56.11'], nodes: [there] }, ['error NodeNameTaken']],
  ['a store that answers and is empty', { store: { isEmpty: true } }, []],
  ['a store with a cluster in it', { store: { isEmpty: false } }, ['error StoreNotEmpty']],
  ['a store that refuses', { store: { refusal: { cause: 'Cannot open store', cure: 'See whether it runs' } } }, ['error Store']],
  ['699 MiB', { memoryBytes: 699 * 2 ** 20 }, ['warning Mem']],
  ['700 MiB', { memoryBytes: 700 * 2 ** 20 }, []],
  ['399 MiB on a worker', { role: 'worker', memoryBytes: 399 * 2 ** 20 }, ['warning Mem']],
  ['400 MiB on a worker', { role: 'worker', memoryBytes: 400 * 2 ** 20 }, []],
  ['swap', { swapDevices: ['/dev/sda2'] }, ['warning Swap']],
  ['a kernel without overlay', { kernel: { overlay: false } }, ['error KernelFeature-overlay']],
  ['a kernel that does not say what it has', { kernel: {} }, []],
  ['a kernel without IPVS in mode nftables', { kernel: { ip_vs: false, ip_tables: false } }, []],
  ['a kernel without IPVS in mode ipvs', { kernel: { ip_vs: false }, proxyMode: 'ipvs' }, ['error KernelFeature-ip_vs']],
  ['a kernel without nf_tables in another mode', { kernel: { nf_tables: false }, proxyMode: 'ipvs' }, ['warning HostPorts']],
  ['a kernel without nf_tables', { kernel: { nf_tables: false } }, ['error KernelFeature-nf_tables']],
  [
    'a kernel without br_netfilter',
    { kernel: { br_netfilter: false }, sysctls: { 'net/ipv4/ip_forward': '1' } },
    ['warning FileContent--proc-sys-net-bridge-bridge-nf-call-iptables'],
  ],
  ['a kernel that cannot forward', { sysctls: {} }, ['error FileContent--proc-sys-net-ipv4-ip_forward']],
  [
    'a strict reverse path filter',
    { sysctls: { 'net/ipv4/ip_forward': '1', 'net/ipv4/conf/all/rp_filter': '1' } },
    ['warning ReversePathFilter'],
  ],
  ['no cgroups', { cgroups: undefined }, ['error SystemVerification']],
  ['cgroups without memory', { cgroups: { version: 1, controllers: ['cpu', 'pids'] } }, ['error SystemVerification']],
  ['somebody on 6443', { listening: [{ protocol: 'tcp', address: '0.0.0.0', port: 6443 }] }, ['error Port-6443']],
  ['somebody on 6443 of a worker', { role: 'worker', listening: [{ protocol: 'tcp', address: '0.0.0.0', port: 6443 }] }, []],
  ['our own server on 6443', { running: ['server'], listening: [{ protocol: 'tcp', address: '0.0.0.0', port: 6443 }] }, []],
  [
    'a kubelet that our server is not',
    { running: ['server'], listening: [{ protocol: 'tcp', address: '::', port: 10_250 }] },
    ['error Port-10250'],
  ],
  ['a resolver on loopback', { listening: [{ protocol: 'udp', address: '127.0.0.53', port: 53 }] }, []],
  ["a resolver on the node's address", { listening: [{ protocol: 'udp', address: '192.168.56.10', port: 53 }] }, ['error Port-53']],
  ['UDP where TCP is wanted', { listening: [{ protocol: 'udp', address: '::', port: 6443 }] }, []],
  [
    'no container runtime at all',
    { programs: [], runtime: { ...fine.runtime, answers: false } },
    ['error FileExisting-containerd', 'error FileExisting-runc'],
  ],
  ['a runtime that is silent', { runtime: { ...fine.runtime, answers: false } }, ['error CRI']],
  ['a runtime of another kind', { programs: [] }, []],
  ['a containerd without CRI', { runtime: { ...fine.runtime, criDisabled: true } }, ['error CRI']],
  ['a runtime with the other cgroup driver', { runtime: { ...fine.runtime, cgroupDriver: 'systemd' } }, ['error CgroupDriver']],
  ['no iptables in mode iptables', { proxyMode: 'iptables', programs: ['containerd', 'runc'] }, ['error FileExisting-iptables-restore']],
  ['no iptables in mode nftables', { programs: ['containerd', 'runc'] }, []],
  [
    'another network that the runtime takes first',
    {
      runtime: {
        ...fine.runtime,
        otherNetworks: [{ path: '/etc/cni/net.d/05-cilium.conflist', members: ['cilium-cni'], leadsToOurs: false }],
      },
    },
    ['error CNIConfig'],
  ],
  [
    'a chain of plugins with ours in it',
    { runtime: { ...fine.runtime, otherNetworks: [{ path: '/a.conflist', members: ['fairlead', 'cilium-cni'], leadsToOurs: true }] } },
    ['warning CNIConfig'],
  ],
  [
    'Multus before the rest of another network, and without its default network',
    {
      runtime: {
        ...fine.runtime,
        otherNetworks: [
          { path: '/a.conf', members: ['multus-shim'], leadsToOurs: undefined },
          { path: '/b.conf', members: ['calico'], leadsToOurs: false },
        ],
      },
    },
    ['warning CNIConfig'],
  ],
  ['another Kubernetes', { others: ['k3s (/etc/rancher/k3s)'] }, ['error AnotherKubernetes']],
  ['a node of another cluster', { otherCluster: 'https://a:6443' }, ['error FileAvailable--etc-kubernetes-kubelet.conf']],
  ['a firewall', { firewalls: ['ufw'] }, ['warning Firewalld']],
  ['a clock 4 s off', { skewMs: 4_400 }, []],
  ['a clock 5 s off', { skewMs: -5_000 }, ['warning ClockSkew']],
  ['a clock 299 s off', { skewMs: 299_000 }, ['warning ClockSkew']],
  ['a clock 300 s off', { skewMs: -300_000 }, ['error ClockSkew']],
  ['an MTU of 1499', { mtu: 1499 }, ['warning MTU']],
  ['an MTU of 1330', { mtu: 1330 }, ['warning MTU']],
  ['an MTU of 1329', { mtu: 1329 }, ['error MTU']],
  ['jumbo frames', { mtu: 9000 }, []],
  ['an MTU of 1350 for pods of IPv6', { mtu: 1350, families: [4, 6], addresses: ['192.168.56.10', 'fd00::10'] }, ['warning MTU']],
  ['an MTU of 1349 for pods of IPv6', { mtu: 1349, families: [4, 6], addresses: ['192.168.56.10', 'fd00::10'] }, ['error MTU']],
  ['an MTU that cannot be told', { mtu: undefined }, []],
];

describe('check() finds of', () => {
  for (const [name, change, wanted] of cases)
    test(`${name}: ${wanted.join(', ') || 'nothing'}`, () => assert.deepEqual(found(change), wanted));
});

test('check() says on which side the clock is', () => {
  const causes = [60_000, -60_000].map((skewMs) => check({ ...fine, skewMs })[0]?.cause);
  assert.deepEqual(causes, [
    'the clock of this machine is 60 s ahead of that of the control plane',
    'the clock of this machine is 60 s behind that of the control plane',
  ]);
});

test('every finding has a cause without a full stop, and a cure', () => {
  for (const [, change] of cases)
    for (const { cause, cure } of check({ ...fine, ...change })) {
      assert.match(cause, /[^.]$/);
      assert.ok(cure.length > 10, cure);
    }
});

test('withIgnored() makes warnings of errors by their id in any case, or of all', () => {
  const findings = check({ ...fine, isRoot: false, swapDevices: ['x'], others: ['k3s'] });
  const severities = (...ignored: string[]): string[] => withIgnored(findings, ignored).map(({ severity }) => severity);
  assert.deepEqual(severities(), ['error', 'warning', 'error']);
  assert.deepEqual(severities('isprivilegeduser'), ['warning', 'warning', 'error']);
  assert.deepEqual(severities('AnotherKubernetes', 'Swap'), ['error', 'warning', 'warning']);
  assert.deepEqual(severities('ALL'), ['warning', 'warning', 'warning']);
});

test('portsOf() has what a node listens on, and the port that was chosen for the API server', () => {
  const ports = portsOf({ role: 'control-plane', apiPort: 7443 }).map(({ protocol, port, of }) => `${of} ${protocol} ${port}`);
  const node = ['agent tcp 10250', 'agent tcp 10256', 'agent tcp 10249', 'agent udp 53', 'agent tcp 53'];
  assert.deepEqual(ports, ['server tcp 7443', ...node]);
  assert.equal(portsOf({ role: 'worker', apiPort: 7443 }).length, node.length);
});

test('check() has nobody delete a node that is this machine under another name', () => {
  const cure = (change: Partial<Facts>): string | undefined =>
    check({ ...fine, addresses: ['192.168.56.11'], nodes: [there], ...change }).find(({ id }) => id === 'NodeAddressTaken')?.cure;
  assert.match(cure({}) ?? '', /kubectl delete node two$/);
  assert.equal(cure({ machineId: 'other', ownAddresses: ['192.168.56.11'] }), 'It is this very machine: say --node-name two');
});

describe('refuseObstacles()', () => {
  const told: string[] = [];
  const steps = { warn: (line: string) => told.push(line) };

  test('tells every finding once, and refuses for the errors among them with all their cures', () => {
    const seen = new Set<string>();
    const bad: Facts = { ...fine, isRoot: false, others: ['k3s'], swapDevices: ['/dev/sda2'] };
    for (let i = 0; i < 2; i++)
      assert.throws(() => refuseObstacles(bad, [], steps, seen), {
        code: 'CHECK_FAILED',
        message: 'Cannot make a node of this machine: root is needed; another Kubernetes is on this machine: k3s',
        hint: /^Run it with sudo; .*--ignore-preflight-errors=IsPrivilegedUser,AnotherKubernetes$/,
      });
    assert.deepEqual(
      told.map((line) => line.replace(/\].*/, ']')),
      ['[ERROR IsPrivilegedUser]', '[WARNING Swap]', '[ERROR AnotherKubernetes]'],
    );
  });

  test('lets pass what is ignored, and warnings', () => {
    refuseObstacles({ ...fine, others: ['k3s'], swapDevices: ['x'] }, ['anotherkubernetes'], steps, new Set());
    assert.match(told.at(-1) ?? '', /^\[WARNING AnotherKubernetes\]/);
  });
});
