import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isKnownError } from '../errors/known-error.ts';
import { parseCidr } from '../ip/ip.ts';
import { parseHierarchies } from './cgroups.ts';
import { changeOptions } from './change-options.ts';
import { defaultLabOptions, type LabOptions } from './lab-options.ts';
import { findOverlap, routedRanges } from './net/host.ts';
import { labRoutes } from './net/underlay.ts';
import { lacksSysResource } from './node/containerd-config.ts';
import { nodeServices } from './node/services.ts';
import { planLab } from './plan.ts';
import { usualRanges } from './ranges.ts';
import type { Tools } from './tools.ts';
import { changedOptions } from './up.ts';

describe('planLab()', () => {
  test('gives the addresses of DESIGN to the default lab', () => {
    const plan = planLab(defaultLabOptions);
    assert.equal(plan.server, 'https://192.168.120.10:6443');
    assert.equal(plan.kubernetesAddress, '10.96.0.1');
    assert.equal(plan.dnsAddress, '10.96.0.10');
    assert.deepEqual(
      plan.nodes.map((n) => `${n.name} ${n.address}`),
      ['control-plane 192.168.120.10', 'worker-1 192.168.120.11', 'worker-2 192.168.120.12'],
    );
  });

  test('has ranges and addresses of each family, in the order in which they were asked for', () => {
    const plan = planLab({ ...defaultLabOptions, workers: 1, ...usualRanges({ podCidr: 'fd00:1::/56,10.9.0.0/16' }) });
    assert.deepEqual(
      plan.families.map(({ underlay, pods, services }) => [underlay.text, pods.text, services.text]),
      [
        ['fd00:192:168:120::/64', 'fd00:1::/56', 'fd00:10:96::/112'],
        ['192.168.120.0/24', '10.9.0.0/16', '10.96.0.0/16'],
      ],
    );
    assert.deepEqual(plan.nodes[1]?.addresses, ['fd00:192:168:120::b', '192.168.120.11']);
    assert.deepEqual([plan.server, plan.dnsAddress], ['https://[fd00:192:168:120::a]:6443', 'fd00:10:96::a']);
    assert.deepEqual(
      plan.families.map(({ balancerRange }) => balancerRange),
      ['fd00:192:168:120::64-fd00:192:168:120::78', '192.168.120.100-192.168.120.120'],
    );
  });

  for (const [what, change, said] of [
    ['ranges of different families', { podCidr: 'fd00:1::/56' }, /it is of IPv6, Services are of IPv4, and nodes of IPv4/],
    ['two ranges of one family', { podCidr: '10.1.0.0/16,10.2.0.0/16' }, /it is not one range, or one of each family/],
    ['a range of IPv6 without room for its nodes', { ...usualRanges({ podCidr: 'fd00:1::/62' }), workers: 4 }, /room for 4 nodes, and 5/],
    ['a range of Services that is too large', usualRanges({ serviceCidr: 'fd00:1::/96' }), /a prefix of \/108 to \/120 is needed/],
  ] as const)
    test(`refuses ${what}`, () => assert.throws(() => planLab({ ...defaultLabOptions, ...change }), said));

  test('follows from the options alone, addresses, links and paths alike', () => {
    const { options, families, underlay, pods, services, controlPlane, controlPlanes, gateway, nodes, ...rest } = planLab({
      ...defaultLabOptions,
      workers: 1,
    });
    assert.deepEqual([underlay.text, pods.text, services.text], [options.underlay, options.podCidr, options.serviceCidr]);
    assert.deepEqual([controlPlane, gateway, ...controlPlanes], [nodes[0], nodes[0], nodes[0]]);
    const dir = '/var/lib/fairlead/lab';
    const common = { without: [] };
    assert.deepEqual(nodes, [
      {
        ...common,
        name: 'control-plane',
        role: 'control-plane',
        address: '192.168.120.10',
        addresses: ['192.168.120.10'],
        mac: '0a:58:c0:a8:78:0a',
        port: 'control',
        dir: `${dir}/nodes/control-plane`,
      },
      {
        ...common,
        name: 'worker-1',
        role: 'worker',
        address: '192.168.120.11',
        addresses: ['192.168.120.11'],
        mac: '0a:58:c0:a8:78:0b',
        port: 'worker-1',
        dir: `${dir}/nodes/worker-1`,
      },
    ]);
    assert.deepEqual(rest, {
      dir,
      cacheDir: '/var/lib/fairlead/.cache',
      kubeconfig: `${dir}/kubeconfig`,
      pkiDir: `${dir}/pki`,
      server: 'https://192.168.120.10:6443',
      apiAddress: '192.168.120.10',
      store: 'sqlite',
      kubernetesAddress: '10.96.0.1',
      dnsAddress: '10.96.0.10',
      hostAddress: '192.168.120.1',
      clientAddress: '192.168.120.2',
      relayAddress: '192.168.120.126',
      underlayNetns: `${dir}/netns/underlay`,
      clientNetns: `${dir}/netns/client`,
      hostLink: 'fl-lab',
      cgroup: 'fairlead.lab',
      nftTable: 'fairlead-lab',
    });
  });

  test('puts several control planes before the workers, and an address of no node before them', () => {
    const plan = planLab({ ...defaultLabOptions, workers: 1, controlPlanes: 3 });
    assert.deepEqual(
      plan.nodes.map((n) => `${n.name} ${n.role} ${n.address} ${n.port}`),
      [
        'control-plane control-plane 192.168.120.10 control',
        'control-plane-2 control-plane 192.168.120.11 control-2',
        'control-plane-3 control-plane 192.168.120.12 control-3',
        'worker-1 worker 192.168.120.13 worker-1',
      ],
    );
    assert.deepEqual([plan.server, plan.store, plan.gateway.name], ['https://192.168.120.9:6443', 'etcd', 'worker-1']);
  });

  test('leads to the cluster through a control plane where there is no worker, and to bare machines through none', () => {
    assert.equal(planLab({ ...defaultLabOptions, workers: 0, controlPlanes: 3 }).gateway.name, 'control-plane');
    const bare = planLab({ ...defaultLabOptions, controlPlanes: 3, bare: true });
    assert.deepEqual([bare.apiAddress, bare.gateway.name], ['192.168.120.10', 'control-plane']);
  });

  const bad: [string, Partial<LabOptions>, string][] = [
    ['a name that is no label', { name: 'My Lab' }, 'BAD_CONFIG'],
    ['a name too long for a link', { name: 'abcdefghijk' }, 'BAD_CONFIG'],
    ['a range that is none', { podCidr: '10.244.0.0/33' }, 'BAD_CONFIG'],
    ['more nodes than its pods have room for', { podCidr: '10.244.0.0/20', workers: 16 }, 'BAD_CONFIG'],
    ['a range too small', { serviceCidr: '10.96.0.0/28' }, 'BAD_CONFIG'],
    ['IPv6 pods', { podCidr: 'fd00::/56' }, 'BAD_CONFIG'],
    ['too many workers', { workers: 51 }, 'BAD_CONFIG'],
    ['half a worker', { workers: 0.5 }, 'BAD_CONFIG'],
    ['fewer workers than none', { workers: -1 }, 'BAD_CONFIG'],
    ['a range too large', { podCidr: '0.0.0.0/7' }, 'BAD_CONFIG'],
    ['an underlay that reaches into the pods', { underlay: '10.244.0.0/24' }, 'RANGE_OVERLAPS'],
    ['an underlay that reaches into the Services', { underlay: '10.96.0.0/24' }, 'RANGE_OVERLAPS'],
    ['two control planes, of which none may die', { controlPlanes: 2 }, 'BAD_CONFIG'],
    ['no control plane', { controlPlanes: 0 }, 'BAD_CONFIG'],
    ['one and a half control planes', { controlPlanes: 1.5 }, 'BAD_CONFIG'],
    ['nine control planes', { controlPlanes: 9 }, 'BAD_CONFIG'],
    ['a file for three control planes', { controlPlanes: 3, store: 'sqlite' }, 'BAD_CONFIG'],
    ['a store for nodes that run nothing', { bare: true, store: 'etcd' }, 'BAD_CONFIG'],
    [
      'nodes, with control planes more than its pods have room for',
      { podCidr: '10.244.0.0/20', workers: 14, controlPlanes: 3 },
      'BAD_CONFIG',
    ],
    ['a part that there is not, to be left out', { without: 'prox' }, 'BAD_CONFIG'],
    ['a part of the server left out on a worker', { without: 'worker-1/scheduler' }, 'BAD_CONFIG'],
    ['a part left out on a node that there is not', { without: 'worker1/proxy' }, 'BAD_CONFIG'],
    ['ranges that overlap each other', { podCidr: '10.96.0.0/16' }, 'RANGE_OVERLAPS'],
  ];
  for (const [name, change, code] of bad)
    test(`refuses ${name}`, () => {
      assert.throws(
        () => planLab({ ...defaultLabOptions, ...change }),
        (err) => isKnownError(err) && err.code === code && err.hint !== undefined,
      );
    });

  test('takes as many nodes as it says', () => {
    const { nodes } = planLab({ ...defaultLabOptions, workers: 50, controlPlanes: 7 });
    assert.deepEqual([nodes.length, nodes.at(-1)?.name, nodes.at(-1)?.address], [57, 'worker-50', '192.168.120.66']);
    assert.equal(planLab({ ...defaultLabOptions, podCidr: '10.244.0.0/20', workers: 15 }).nodes.length, 16);
  });

  test('names everything outside its directory after the lab', () => {
    const plan = planLab({ ...defaultLabOptions, name: 'two' });
    for (const name of [plan.hostLink, plan.cgroup, plan.nftTable]) assert.match(name, /two$/);
    assert.ok(plan.hostLink.length <= 15);
  });
});

test('routes of IPv6 may be missing, routes of IPv4 may not', async () => {
  const ranges = (without: string): ReturnType<typeof routedRanges> => {
    const run = async (_: string, args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> =>
      args.includes(without)
        ? { code: 1, stdout: '', stderr: 'no such family' }
        : { code: 0, stdout: JSON.stringify([{ dst: args.includes('-4') ? '10.1.0.0/16' : 'fd00::/64' }]), stderr: '' };
    return routedRanges({ run }, { ip: 'ip' } as Tools);
  };
  assert.deepEqual(
    (await ranges('-6')).map(({ text }) => text),
    ['10.1.0.0/16'],
  );
  await assert.rejects(ranges('-4'), /no such family/);
});

describe('the flags of lab up', () => {
  test('leave a lab as it is when nothing is given', () => {
    const running = { ...defaultLabOptions, workers: 5, attach: false };
    assert.deepEqual(changeOptions(running, {}), running);
  });

  test('change what is given', () => {
    const options = changeOptions(defaultLabOptions, { workers: '3', attach: false, 'pod-cidr': '10.1.0.0/16' });
    assert.deepEqual([options.workers, options.attach, options.podCidr], [3, false, '10.1.0.0/16']);
  });

  test('leave the other ranges of a lab as they are', () => {
    const running = { ...defaultLabOptions, podCidr: '10.1.0.0/16', serviceCidr: '10.2.0.0/16' };
    assert.deepEqual(changeOptions(running, { 'service-cidr': '10.3.0.0/16' }), { ...running, serviceCidr: '10.3.0.0/16' });
  });

  test('take control planes and a store', () => {
    const options = changeOptions(defaultLabOptions, { 'control-planes': '3', store: 'redis' });
    assert.deepEqual([options.controlPlanes, options.store], [3, 'redis']);
    assert.throws(() => changeOptions(defaultLabOptions, { 'control-planes': 'three' }), /--control-planes="three": it is no number/);
  });

  test('refuse a command of several lines, which the init of a node would read as several services', () => {
    assert.throws(
      () => changeOptions(defaultLabOptions, { 'server-command': 'cd /\nexec a' }),
      /--server-command: it has more than one line/,
    );
    assert.equal(changeOptions(defaultLabOptions, { 'server-command': 'cd /; exec a' }).serverCommand, 'cd /; exec a');
  });

  for (const [flag, value, why] of [
    ['upstream-dns', 'resolver', /--upstream-dns="resolver": it is no address/],
    ['relay-allow', '10.0.0.0/8,a b', /--relay-allow: "a b" is neither a range nor a host's name/],
    ['workers', '-1', /--workers="-1": it is no number/],
  ] as const)
    test(`refuse ${value} as --${flag}`, () => assert.throws(() => changeOptions(defaultLabOptions, { [flag]: value }), why));

  test('refuse a way out without an attached machine', () => {
    assert.throws(() => changeOptions(defaultLabOptions, { egress: 'nat', attach: false }), /--egress=nat with --no-attach/);
  });

  test('let only the number of workers change while the lab runs', () => {
    assert.deepEqual(changedOptions(defaultLabOptions, { ...defaultLabOptions, workers: 4 }, true), []);
    assert.deepEqual(changedOptions(defaultLabOptions, { ...defaultLabOptions, client: true }, true), ['client']);
  });

  test('let nothing change that kept objects depend on', () => {
    const wanted = { ...defaultLabOptions, client: true, podCidr: '10.1.0.0/16' };
    assert.deepEqual(changedOptions(defaultLabOptions, wanted, false), ['podCidr']);
    assert.deepEqual(changedOptions(defaultLabOptions, { ...defaultLabOptions, controlPlanes: 3, store: 'redis' }, false), [
      'controlPlanes',
      'store',
    ]);
  });
});

describe('the way into a lab', () => {
  const plan = planLab(defaultLabOptions);
  const ranges = [plan.underlay, plan.pods, plan.services];
  const routes: [string, Parameters<typeof findOverlap>[0], string | undefined][] = [
    ['a default route is no reason to refuse', [{ dst: 'default', gateway: '10.0.0.1', dev: 'eth0' }], undefined],
    ['a route elsewhere is no reason to refuse', [{ dst: '172.17.0.0/16', dev: 'docker0' }], undefined],
    ['a wider route is one', [{ dst: '10.0.0.0/8', gateway: '172.16.0.1', dev: 'tun0' }], '10.0.0.0/8 via 172.16.0.1 dev tun0'],
    ['an address inside is one', [{ dst: '10.244.3.1', type: 'local', dev: 'cni0' }], 'local 10.244.3.1 dev cni0'],
    ['a broadcast address is not', [{ dst: '10.244.255.255', type: 'broadcast', dev: 'x' }], undefined],
  ];
  for (const [name, table, want] of routes)
    test(name, () => {
      assert.equal(findOverlap(table, ranges)?.route, want);
    });

  test('every range has an unreachable route behind it', () => {
    const lines = labRoutes(plan, 'fl-lab');
    for (const cidr of ranges)
      assert.ok(lines.some((line) => line.startsWith(`route add unreachable ${parseCidr(cidr.text)?.text} metric`)));
  });
});

describe('a node', () => {
  const servicesOf = (change: Partial<LabOptions>): string[][] => {
    const plan = planLab({ ...defaultLabOptions, workers: 1, ...change });
    return plan.nodes.map((node) =>
      nodeServices(plan, node)
        .trim()
        .split('\n')
        .map((line) => line.split(' ')[0] ?? ''),
    );
  };

  test('of several control planes runs a member of the store before its server', () => {
    const [agent, three] = [['containerd', 'agent'], { controlPlanes: 3 }];
    assert.deepEqual(servicesOf(three), [...Array(3).fill(['etcd', 'server', ...agent]), agent]);
    assert.deepEqual(servicesOf({ ...three, store: 'redis' }), [...Array(3).fill(['redis', 'sentinel', 'server', ...agent]), agent]);
    assert.deepEqual(servicesOf({ store: 'etcd' }), [['etcd', 'server', ...agent], agent]);
  });

  test('of the control plane runs the server too', () => {
    const plan = planLab(defaultLabOptions);
    const names = plan.nodes.map((node) =>
      nodeServices(plan, node)
        .trim()
        .split('\n')
        .map((line) => line.split(' ')[0]),
    );
    assert.deepEqual(names, [
      ['server', 'containerd', 'agent'],
      ['containerd', 'agent'],
      ['containerd', 'agent'],
    ]);
  });

  test('leaves out what somebody else brings', () => {
    const plan = planLab({ ...defaultLabOptions, without: 'scheduler,dns,worker-1/proxy' });
    const given = plan.nodes.map((node) => nodeServices(plan, node).match(/--parts '[^']*'/g));
    assert.deepEqual(given, [[`--parts '*,-scheduler'`, `--parts '*,-dns'`], [`--parts '*,-dns,-proxy'`], [`--parts '*,-dns'`]]);
  });

  test('without a relay has no proxy for its images', () => {
    const plan = planLab({ ...defaultLabOptions, relay: false });
    assert.doesNotMatch(nodeServices(plan, plan.controlPlane, undefined), /HTTPS_PROXY/);
  });

  test('knows whether it may lower oom_score_adj', () => {
    assert.equal(lacksSysResource('CapEff:\t000001fffeffffff\n'), true);
    assert.equal(lacksSysResource('CapEff:\t000001ffffffffff\n'), false);
  });
});

describe('parseHierarchies()', () => {
  const line = (path: string, type: string, options: string): string => `36 35 0:31 / ${path} rw,nosuid - ${type} ${type} ${options}`;

  test('reads joined v1 controllers, named ones and the unified one', () => {
    const text = [
      line('/sys/fs/cgroup/cpu,cpuacct', 'cgroup', 'rw,cpu,cpuacct'),
      line('/sys/fs/cgroup/systemd', 'cgroup', 'rw,xattr,release_agent=/x,name=systemd'),
      line('/sys/fs/cgroup/unified', 'cgroup2', 'rw,nsdelegate'),
    ].join('\n');
    assert.deepEqual(parseHierarchies(text), [
      { version: 1, path: '/sys/fs/cgroup/cpu,cpuacct', controllers: 'cpu,cpuacct' },
      { version: 1, path: '/sys/fs/cgroup/systemd', controllers: 'name=systemd' },
      { version: 2, path: '/sys/fs/cgroup/unified', controllers: '' },
    ]);
  });

  test('reads a pure v2 machine and skips what a container binds', () => {
    const text = [line('/sys/fs/cgroup', 'cgroup2', 'rw'), '37 35 0:31 /x /sys/fs/cgroup/y rw - cgroup2 c rw'].join('\n');
    assert.deepEqual(parseHierarchies(text), [{ version: 2, path: '/sys/fs/cgroup', controllers: '' }]);
  });
});
