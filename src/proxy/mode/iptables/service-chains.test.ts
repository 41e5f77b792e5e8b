import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { eventually } from '../../../clock/testing/eventually.ts';
import { FakeClock } from '../../../clock/testing/fake-clock.ts';
import { KnownError } from '../../../errors/known-error.ts';
import type { Section } from '../../../linux/iptables/section.ts';
import { FakeIptables } from '../../../linux/iptables/testing/fake-iptables.ts';
import { trace } from '../../../linux/iptables/trace.ts';
import type { NodeContext } from '../../plan/node-context.ts';
import type { EndpointAddress, Frontend, PortPlan, ServicePlan, Target } from '../../plan/service-plan.ts';
import { sampleNode } from '../../testing/sample-node.ts';
import type { CountedFlow } from '../least-connection.ts';
import { chainsOf } from './chain-names.ts';
import { ServiceChains, type ServiceChainsOptions } from './service-chains.ts';

const node: NodeContext = { ...sampleNode, serviceCidrs: [] };

function endpoints(ips: readonly string[]): EndpointAddress[] {
  return ips.map((ip) => ({ name: `${ip} . 8080`, ip, port: 8080, mayBeHere: true }));
}

function plan(n: number, ips: readonly string[], more: Partial<PortPlan> = {}): ServicePlan {
  const target: Target = ips.length > 0 ? 'cluster' : 'refuse';
  const frontends: Frontend[] = [
    { kind: 'cluster-ip', ip: `10.96.0.${n}`, port: 80, inside: target, outside: target, masquerade: 'outside-pods' },
  ];
  const port: PortPlan = { name: 'http', protocol: 'tcp', frontends, cluster: endpoints(ips), local: [], serving: new Set(), ...more };
  return { key: `n/s${n}`, rank: `${n}`, ports: [port] };
}

const names = (n: number): ReturnType<typeof chainsOf> => chainsOf(`n/s${n}:http`, 'tcp');
const two = ['10.244.1.2', '10.244.1.3'];

let iptables: FakeIptables;
let chains: ServiceChains;
/** Of the chains that were made last. */
let clock: FakeClock;

function kernel(): Pick<ServiceChainsOptions, 'iptables' | 'connections' | 'clock' | 'randomFully'> {
  clock = new FakeClock();
  return { iptables, connections: { flowsOf: async () => [] }, clock, randomFully: true };
}

function open(context: NodeContext = node, settings: string[] = []): ServiceChains {
  return new ServiceChains(context, { ...kernel(), rules: {}, allowLocalnet: () => settings.push('route_localnet') });
}

/** The lines of the last change that say something. */
const sent = (): string[] => (iptables.restored.at(-1) ?? '').split('\n').filter((line) => /^[:-]/.test(line));

/** Until nothing of a Service is still to come. */
async function filled(): Promise<void> {
  for (let turn = 0; turn < 100 && clock.pending > 0; turn++) {
    await clock.advance(0);
    await chains.sync();
  }
}

beforeEach(async () => {
  iptables = new FakeIptables();
  chains = open();
  for (let n = 1; n <= 20; n++) chains.put(`n/s${n}`, plan(n, two));
  await chains.sync();
});

describe('a partial sync', () => {
  test('sends the chains of the endpoints that changed, and nothing else', async () => {
    const { cluster, endpoint } = names(7);
    chains.put('n/s7', plan(7, ['10.244.1.2', '10.244.9.9']));
    assert.deepEqual(await chains.sync(), { full: false, steps: 9 });
    const [kept, came, went] = ['10.244.1.2:8080', '10.244.9.9:8080', '10.244.1.3:8080'].map(endpoint);
    assert.deepEqual(
      sent().map((line) =>
        line
          .split(' ')
          .slice(0, line.startsWith(':') ? 1 : 2)
          .join(' '),
      ),
      [
        `:${came}`,
        `:${cluster}`,
        `:${went}`,
        ...[`-A ${came}`, `-A ${came}`, `-A ${cluster}`, `-A ${cluster}`, `-A ${cluster}`],
        `-X ${went}`,
      ],
    );
    assert.ok(!sent().some((line) => line.startsWith(`:${kept}`)));
  });

  const changes: readonly [what: string, n: number, after: ServicePlan | undefined][] = [
    ['an endpoint that came', 7, plan(7, [...two, '10.244.9.9'])],
    ['the last endpoints that went', 7, plan(7, [])],
    ['a Service that came', 21, plan(21, two)],
    ['a Service that went', 7, undefined],
  ];
  for (const [what, n, after] of changes)
    test(`tells the kernel of ${what} by one program, which names no other Service`, async () => {
      const before = iptables.restored.length;
      chains.put(`n/s${n}`, after);
      assert.equal((await chains.sync()).full, false);
      assert.equal(iptables.restored.length, before + 1);
      const others = Array.from({ length: 20 }, (_, i) => i + 1).filter((other) => other !== n);
      assert.ok(!others.some((other) => sent().some((line) => line.includes(names(other).cluster) || line.includes(`n/s${other}:`))));
      assert.ok(sent().length < 20, `${sent().length} lines`);
    });

  test('names no chain of another Service when one comes or goes', async () => {
    chains.put('n/s21', plan(21, two));
    await chains.sync();
    assert.deepEqual(
      sent()
        .filter((line) => /KUBE-SERVICES/.test(line))
        .map((line) => line.slice(0, 16)),
      ['-I KUBE-SERVICES'],
    );
    chains.put('n/s21', undefined);
    await chains.sync();
    assert.deepEqual(
      sent()
        .filter((line) => /KUBE-SERVICES/.test(line))
        .map((line) => line.slice(0, 16)),
      ['-D KUBE-SERVICES'],
    );
    assert.ok(!iptables.dump('ip').includes(names(21).cluster));
  });

  test('writes a shared chain anew when many of its rules go', async () => {
    const before = iptables.dump('ip');
    for (let n = 1; n <= 10; n++) chains.put(`n/s${n}`, undefined);
    await chains.sync();
    assert.ok(!sent().some((line) => line.startsWith('-D')));
    for (let n = 1; n <= 10; n++) chains.put(`n/s${n}`, plan(n, two));
    await chains.sync();
    assert.deepEqual(iptables.dump('ip').split('\n').sort(), before.split('\n').sort());
  });

  test('starts no program when a Service changed back', async () => {
    const changes = iptables.restored.length;
    chains.put('n/s3', plan(3, []));
    chains.put('n/s3', plan(3, two));
    assert.deepEqual(await chains.sync(), { full: false, steps: 0 });
    assert.equal(iptables.restored.length, changes);
  });
});

test('after a refusal everything is compared again', async () => {
  iptables.failure = new KnownError('KERNEL_REFUSED', 'no');
  chains.put('n/s3', plan(3, ['10.244.1.2']));
  await assert.rejects(chains.sync(), { code: 'KERNEL_REFUSED' });
  iptables.failure = undefined;
  const { full, steps } = await chains.sync();
  assert.ok(full && steps > 0 && steps < 10, `${steps} lines`);
  chains.distrust();
  assert.deepEqual(await chains.sync(), { full: true, steps: 0 });
});

test('what kube-proxy left is taken over as it is, and what no Service has any more goes', async () => {
  const [old, here] = [names(30), names(1)];
  const endpoint = here.endpoint('10.244.1.2:8080');
  iptables = new FakeIptables();
  // In the words in which kube-proxy sends it.
  const text = `*nat
:KUBE-SERVICES - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-MARK-MASQ - [0:0]
:${here.cluster} - [0:0]
:${endpoint} - [0:0]
:${old.cluster} - [0:0]
-A KUBE-MARK-MASQ -j MARK --or-mark 0x00004000
-A KUBE-SERVICES -m comment --comment "n/s30:http cluster IP" -m tcp -p tcp -d 10.96.0.30 --dport 80 -j ${old.cluster}
-A KUBE-SERVICES -m comment --comment "n/s1:http cluster IP" -m tcp -p tcp -d 10.96.0.1 --dport 80 -j ${here.cluster}
-A ${here.cluster} -m comment --comment "n/s1:http cluster IP" -m tcp -p tcp -d 10.96.0.1 --dport 80 ! -s 10.244.0.0/16 -j KUBE-MARK-MASQ
-A ${here.cluster} -m comment --comment "n/s1:http -> 10.244.1.2:8080" -j ${endpoint}
-A ${endpoint} -m comment --comment n/s1:http -s 10.244.1.2 -j KUBE-MARK-MASQ
-A ${endpoint} -m comment --comment n/s1:http -m tcp -p tcp -j DNAT --to-destination 10.244.1.2:8080
COMMIT
`;
  iptables.restoreByOther('ip', text);
  chains = open();
  chains.put('n/s1', plan(1, ['10.244.1.2']));
  await chains.sync();
  assert.ok(!sent().some((line) => line.includes(here.cluster) && !line.includes('KUBE-SERVICES')));
  assert.ok(!iptables.dump('ip').includes(old.cluster));
});

test('ports of one name, of whoever lets them in, have one rule for health checks, which stays with them', async () => {
  const ports = [81, 82].flatMap((port) =>
    plan(30, two).ports.map((one) => ({ ...one, frontends: one.frontends.map((f) => ({ ...f, port })) })),
  );
  const health = { port: 32_000, localReady: 1 };
  chains.put('n/s30', { ...plan(30, two), ports, health });
  await chains.sync();
  chains.distrust();
  assert.deepEqual(await chains.sync(), { full: true, steps: 0 });
  assert.equal(iptables.dump('ip').match(/health check node port/g)?.length, 1);
});

test('of many endpoints no comment says where it leads', async () => {
  const last = (): string =>
    iptables
      .dump('ip')
      .split('\n')
      .find((line) => line.includes(`-j ${names(1).endpoint('10.244.1.3:8080')}`)) ?? '';
  assert.match(last(), /--comment "n\/s1:http -> 10\.244\.1\.3:8080"/);
  const many = Array.from({ length: 1001 }, (_, i) => `10.250.${i >> 8}.${i & 255}`);
  const changes = iptables.restored.length;
  chains.put('n/s20', plan(20, many));
  chains.distrust();
  await chains.sync();
  // What is there already may keep what it says of itself.
  assert.match(last(), /comment/);
  assert.ok(
    iptables.restored
      .slice(changes)
      .join('')
      .includes(`-I ${names(20).cluster} 2 -m statistic`),
  );
});

test('node ports at 127.0.0.1 are asked of the kernel, and kept from the neighbours', async () => {
  iptables = new FakeIptables();
  const settings: string[] = [];
  const everywhere: NodeContext = { ...node, nodePortIps: 'all' };
  await open(everywhere, settings).sync();
  assert.deepEqual(settings, ['route_localnet']);
  assert.match(iptables.dump('ip'), /-A KUBE-FIREWALL ! -s 127\.0\.0\.0\/8 -d 127\.0\.0\.0\/8 .* -j DROP/);
  assert.match(
    iptables.dump('ip'),
    /-A KUBE-SERVICES -m comment --comment "kubernetes service nodeports[^"]*" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS/,
  );
  await open({ ...everywhere, family: 'ip6' }, settings).sync();
  assert.match(iptables.dump('ip6'), /-A KUBE-SERVICES ! -d ::1\/128 /);
  assert.ok(!iptables.dump('ip6').includes('DROP\n-A KUBE-FIREWALL'));
  assert.equal(settings.length, 1);
});

test("the kubelet's rules in its chain stay", async () => {
  iptables.restoreByOther('ip', '*filter\n-A KUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP\nCOMMIT\n');
  chains.distrust();
  await chains.sync();
  assert.match(iptables.dump('ip'), /-A KUBE-FIREWALL -m mark --mark 0x8000\/0x8000 -j DROP/);
});

test('a Service of very many endpoints is written in parts, and never a chain before one to which it leads', async () => {
  const many = Array.from({ length: 1000 }, (_, i) => `10.250.${i >> 8}.${i & 255}`);
  chains.put('n/s1', plan(1, many));
  await chains.sync();
  // Each COMMIT is held against what is there by then.
  assert.equal(sent().filter((line) => line.startsWith(`-I ${names(1).cluster} `)).length, many.length - two.length);
  assert.equal((iptables.restored.at(-1) ?? '').split('COMMIT').length - 1, 4);
  chains.distrust();
  assert.deepEqual(await chains.sync(), { full: true, steps: 0 });
});

describe('the chain of a Service of very many endpoints', () => {
  /** In the order in which they are chosen from at first. */
  const many = Array.from({ length: 3100 }, (_, i) => `10.245.${i >> 8}.${i & 255}`).sort((a, b) => (`${a}:` < `${b}:` ? -1 : 1));
  const commits = (): string[][] => (iptables.restored.at(-1) ?? '').split('COMMIT\n').map((part) => part.split('\n'));
  const cluster = names(21).cluster;

  /** Until all of it is there. */
  async function come(ips: readonly string[]): Promise<string[][]> {
    const before = iptables.restored.length;
    chains.put('n/s21', plan(21, ips));
    assert.equal((await chains.sync()).full, false);
    await filled();
    return iptables.restored.slice(before).flatMap((text) => text.split('COMMIT\n').map((part) => part.split('\n')));
  }

  test('is filled in parts while nothing leads to it, and then led to in one change', async () => {
    const parts = await come(many);
    for (const lines of parts) assert.ok(lines.filter((line) => line.startsWith(`-A ${cluster} `)).length <= 1001);
    assert.equal(parts.flat().filter((line) => line === `:${cluster} - [0:0]`).length, 1, 'only the first part empties it');
    const filled = parts.findLastIndex((lines) => lines.some((line) => line.startsWith(`-A ${cluster} `)));
    const led = parts.findIndex((lines) => lines.some((line) => line.endsWith(` -j ${cluster}`)));
    assert.ok(led > filled, 'the last part brings what leads to it');
    chains.distrust();
    assert.deepEqual(await chains.sync(), { full: true, steps: 0 });
  });

  test('is filled in parts by a proxy that starts, too', async () => {
    iptables = new FakeIptables();
    chains = open();
    chains.put('n/s21', plan(21, many));
    await chains.sync();
    assert.ok(commits().filter((lines) => lines.some((line) => line.startsWith(`-A ${cluster} `))).length > 3);
    chains.distrust();
    assert.deepEqual(await chains.sync(), { full: true, steps: 0 });
  });

  test('changes rule by rule where something leads to it', async () => {
    await come(many);
    const edits = (): string[] => sent().filter((line) => line.split(' ')[1] === cluster);
    const verbs = (): string[] => edits().map((line) => line.split(' ').slice(0, 3).join(' '));
    for (const [ips, expected] of [
      [['10.9.9.9', ...many.slice(1)], [`-R ${cluster} 2`]],
      [['10.9.9.8', '10.9.9.9', ...many.slice(1)], [`-I ${cluster} 2`]],
      [['10.9.9.9', ...many.slice(1)], [`-D ${cluster} 2`]],
      // The last is in front: it takes the place of the one that went.
      [
        ['10.9.9.9', ...many.slice(1, 50), ...many.slice(51)],
        [`-D ${cluster} 2`, `-R ${cluster} 51`],
      ],
    ] as const) {
      chains.put('n/s21', plan(21, ips));
      assert.equal((await chains.sync()).full, false);
      assert.deepEqual(verbs(), expected);
      assert.equal((iptables.restored.at(-1) ?? '').match(/^COMMIT$/gm)?.length, 1);
      chains.distrust();
      assert.deepEqual(await chains.sync(), { full: true, steps: 0 });
    }
  });

  test('keeps its order for a proxy that starts', async () => {
    await come(many);
    chains.put('n/s21', plan(21, ['10.9.9.9', ...many.slice(0, 50), ...many.slice(51)]));
    await chains.sync();
    const changes = iptables.restored.length;
    chains = open();
    for (let n = 1; n <= 20; n++) chains.put(`n/s${n}`, plan(n, two));
    chains.put('n/s21', plan(21, ['10.9.9.9', ...many.slice(0, 50), ...many.slice(51)]));
    assert.deepEqual(await chains.sync(), { full: true, steps: 0 });
    assert.equal(iptables.restored.length, changes);
    chains.put('n/s21', plan(21, ['10.9.9.8', '10.9.9.9', ...many.slice(0, 50), ...many.slice(52)]));
    assert.equal((await chains.sync()).steps, 6);
  });

  test('comes to thousands of others in parts', async () => {
    await come(many);
    const others = Array.from({ length: 2100 }, (_, i) => `10.246.${i >> 8}.${i & 255}`);
    for (const ips of [others, [...others, ...many], two]) {
      for (const lines of await come(ips)) assert.ok(lines.filter((line) => line.split(' ')[1] === cluster).length <= 1000);
      chains.distrust();
      assert.deepEqual(await chains.sync(), { full: true, steps: 0 });
    }
  });
});

describe('a Service that comes to thousands of chains', () => {
  const many = Array.from({ length: 2100 }, (_, i) => `10.245.${i >> 8}.${i & 255}`);
  const others = Array.from({ length: 2100 }, (_, i) => `10.246.${i >> 8}.${i & 255}`);
  const { cluster } = names(21);

  /** How a client fares: `nobody` is refused, dropped, or goes on as it is. */
  async function fate(): Promise<'served' | 'refused' | 'dropped' | 'lost'> {
    const packet = { from: '10.244.1.7', sourcePort: 40_000, to: '10.96.0.21', port: 80, protocol: 'tcp', interface: 'eth0' } as const;
    const met = trace(await iptables.save('ip'), packet, { nodeIps: node.nodeIps });
    if (met.kind !== 'passed') return met.kind === 'dropped' ? 'dropped' : 'refused';
    return met.destinations.some(({ to }) => to === packet.to) ? 'lost' : 'served';
  }

  /** Calls `then` when so many parts are written, of those that come after the sync; gives how many there were. */
  async function at(part: number, then?: () => void | Promise<void>): Promise<number> {
    let count = 0;
    const restore = iptables.restore.bind(iptables);
    iptables.restore = async (...change) => {
      await restore(...change);
      if (count++ === part) await then?.();
    };
    try {
      await filled();
    } finally {
      iptables.restore = restore;
    }
    return count;
  }

  const inStep = async (): Promise<void> => {
    chains.distrust();
    assert.deepEqual(await chains.sync(), { full: true, steps: 0 });
  };

  test('lets changes of others come between its parts, and is served in the end', async () => {
    chains.put('n/s21', plan(21, many));
    assert.deepEqual(await chains.sync(), { full: false, steps: 1 });
    assert.equal(await fate(), 'dropped');
    let synced: Promise<unknown> | undefined;
    await at(2, () => {
      chains.put('n/s7', plan(7, ['10.244.9.9']));
      synced = chains.sync().then(async ({ full }) => {
        assert.equal(full, false);
        assert.match(iptables.dump('ip'), /--to-destination 10\.244\.9\.9:8080/);
        assert.equal(await fate(), 'dropped');
        assert.ok(!iptables.dump('ip').includes(`-A ${cluster} `), 'all of it came before');
      });
    });
    assert.ok(synced);
    await synced;
    assert.equal(await fate(), 'served');
    assert.equal(chains.count.total.nat, (iptables.dump('ip').split('*nat')[1] ?? '').split('COMMIT')[0]?.match(/^-A /gm)?.length);
    await inStep();
  });

  test('of UDP is written at once where endpoints are served: their flows are looked at when it is there', async () => {
    const udp = (ips: readonly string[]): ServicePlan => plan(21, ips, { protocol: 'udp' });
    chains.put('n/s21', udp(two));
    await chains.sync();
    chains.put('n/s21', udp(many));
    await chains.sync();
    assert.equal(clock.pending, 0);
    await inStep();
  });

  const starts: Readonly<Record<string, ServicePlan | undefined>> = {
    nothing: undefined,
    'no endpoints': plan(21, []),
    'two endpoints': plan(21, two),
    'as many others': plan(21, others),
  };
  const turns: Readonly<Record<string, () => void>> = {
    'nothing happens': () => {},
    'it goes': () => chains.put('n/s21', undefined),
    'it comes to two endpoints': () => chains.put('n/s21', plan(21, two)),
    'one endpoint moves': () => chains.put('n/s21', plan(21, ['10.9.9.9', ...many.slice(1)])),
    'all endpoints are others': () => chains.put('n/s21', plan(21, [...others.slice(7), ...two])),
    'others changed the rules': () => chains.distrust(),
    'many others go': () => {
      for (let n = 1; n <= 10; n++) chains.put(`n/s${n}`, undefined);
    },
    'the proxy is killed': () => {
      chains.close();
      chains = open();
      for (let n = 1; n <= 20; n++) chains.put(`n/s${n}`, plan(n, two));
      chains.put('n/s21', plan(21, many));
    },
  };
  const few = ['it goes', 'one endpoint moves', 'all endpoints are others', 'the proxy is killed'];
  const cases = Object.entries(starts).flatMap(([from, before]) =>
    Object.entries(turns).flatMap(([turn, happens]) => (from === 'nothing' || few.includes(turn) ? [{ from, before, turn, happens }] : [])),
  );
  for (const { from, before, turn, happens } of cases)
    test(`from ${from} comes to what is wanted, though ${turn} while it comes`, async () => {
      chains.put('n/s21', before);
      await chains.sync();
      await filled();
      const start = await fate();
      chains.put('n/s21', plan(21, many));
      await chains.sync();
      let synced: Promise<unknown> | undefined;
      await at([1, 6, 8, 9][Object.keys(turns).indexOf(turn) % 4] ?? 0, async () => {
        // Who was served is, and who was refused is told so.
        assert.equal(await fate(), from === 'nothing' ? 'dropped' : start);
        happens();
        synced = chains.sync();
      });
      assert.ok(synced, 'so many parts');
      await synced;
      await filled();
      assert.equal(await fate(), turn === 'it goes' ? 'lost' : 'served');
      await inStep();
      assert.ok(!/:KUBE-SEP-\S+ - \[0:0\]\n(?!:|-A)/.test(iptables.dump('ip')));
    });

  test('finds the rest by a comparison when the kernel refuses a part', async () => {
    chains.put('n/s21', plan(21, many));
    await chains.sync();
    const refused = at(3, () => {
      iptables.failure = new KnownError('KERNEL_REFUSED', 'no');
    });
    await assert.rejects(refused, { code: 'KERNEL_REFUSED' });
    assert.equal(chains.partialFailures, 1);
    assert.equal(await fate(), 'dropped');
    iptables.failure = undefined;
    await clock.advance(1000);
    await chains.sync();
    assert.equal(await fate(), 'served');
    await inStep();
  });
});

test('the rule of node ports comes last again when somebody put another behind it', async () => {
  const before = iptables.dump('ip');
  const [last = ''] = before.split('\n').filter((line) => line.includes('NOTE: this must be the last rule'));
  const rule = last.replace('-A KUBE-SERVICES ', '');
  iptables.restoreByOther('ip', `*nat\n-D KUBE-SERVICES ${rule}\n-I KUBE-SERVICES ${rule}\nCOMMIT\n`);
  assert.notEqual(iptables.dump('ip'), before);
  chains.distrust();
  await chains.sync();
  const services = iptables
    .dump('ip')
    .split('\n')
    .filter((line) => line.startsWith('-A KUBE-SERVICES'));
  assert.equal(services.at(-1), last);
  assert.deepEqual(iptables.dump('ip').split('\n').sort(), before.split('\n').sort());
});

test('where pods cannot be told, none has a way of its own to external addresses', async () => {
  const external: Frontend = { kind: 'node-port', port: 30_080, inside: 'cluster', outside: 'local', masquerade: 'node' };
  const rules = async (local: NodeContext['local']): Promise<string> => {
    iptables = new FakeIptables();
    const fresh = open({ ...node, local });
    fresh.put('n/s1', plan(1, two, { frontends: [external], local: endpoints(two) }));
    await fresh.sync();
    return iptables.dump('ip');
  };
  assert.match(await rules(node.local), /-s 10\.244\.0\.0\/16 -m comment --comment "pod traffic for n\/s1:http external destinations"/);
  assert.match(await rules({ mode: 'InterfaceNamePrefix', prefix: 'veth' }), /-i veth\+ -m comment --comment "pod traffic for/);
  assert.doesNotMatch(await rules({ mode: 'None' }), /pod traffic/);
});

test('clients keep their endpoints by source-hash when the node changes', async () => {
  const hashed = (...ips: string[]): ServicePlan => ({ ...plan(1, ips), algorithm: 'source-hash' });
  const parts = (): string[] =>
    iptables
      .dump('ip')
      .split('\n')
      .filter((line) => line.startsWith(`-A ${names(1).cluster} `) && line.includes('KUBE-SEP-'));
  for (const ips of [
    ['10.244.1.2', '10.244.1.4'],
    ['10.244.1.2', '10.244.1.3', '10.244.1.4'],
    ['10.244.1.3', '10.244.1.4'],
  ]) {
    chains.put('n/s1', hashed(...ips));
    await chains.sync();
  }
  const before = parts();
  chains.reset({ ...node, nodePortIps: ['192.168.120.12'] });
  chains.put('n/s1', hashed('10.244.1.3', '10.244.1.4'));
  await chains.sync();
  assert.deepEqual(parts(), before);
});

describe('by least-connection', () => {
  const three = ['10.244.1.2', '10.244.1.3', '10.244.1.4'];
  /** Connections to Service 1, by endpoint. */
  let held: Map<string, number>;
  let id: number;

  const flow = (dst: string): CountedFlow => ({
    protocol: 6,
    orig: { src: '10.244.9.9', dst: '10.96.0.1', srcPort: 1, dstPort: 80 },
    reply: { src: dst, dst: '10.244.9.9', srcPort: 8080, dstPort: 1 },
    id: id++,
    isClosing: false,
  });
  const flowsOf = async (): Promise<CountedFlow[]> => [...held].flatMap(([dst, count]) => Array.from({ length: count }, () => flow(dst)));
  const counted = (): Promise<true> => eventually(() => clock.pending === 1 || assert.fail('it still counts'));

  beforeEach(async () => {
    held = new Map();
    id = 0;
    iptables = new FakeIptables();
    chains = new ServiceChains(node, { ...kernel(), connections: { flowsOf }, rules: {}, allowLocalnet: () => {} });
    for (const n of [1, 2]) chains.put(`n/s${n}`, { ...plan(n, three), algorithm: 'least-connection' });
    for (let n = 3; n <= 20; n++) chains.put(`n/s${n}`, plan(n, three));
    await chains.sync();
  });
  afterEach(() => chains.close());

  test('chances follow what is counted, each second', async () => {
    /** Of each endpoint the chance that its rule has, once the next count is due. */
    const chances = async (): Promise<string[]> => {
      await counted();
      const rules = iptables
        .dump('ip')
        .split('\n')
        .filter((line) => line.startsWith(`-A ${names(1).cluster} `) && line.includes('KUBE-SEP-'));
      return rules.map((line) => `${/-> 10\.244\.1\.(\d)/.exec(line)?.[1]} ${/--probability (\S+)/.exec(line)?.[1] ?? 'rest'}`);
    };
    assert.deepEqual(await chances(), ['2 0.33333333349', '3 0.50000000000', '4 rest']);
    held.set('10.244.1.2', 2).set('10.244.1.3', 1);
    await clock.advance(1000);
    assert.deepEqual(await chances(), ['4 rest']);
    // All four are new, and the three of before have ended: so four more are expected, and those of 2 and 3 to end.
    // They would fill each to one and two thirds.
    held.set('10.244.1.4', 1);
    await clock.advance(1000);
    assert.deepEqual(await chances(), ['2 0.41666666651', '3 0.71428571409', '4 rest']);
    chains.close();
    assert.equal(clock.pending, 0);
  });

  test('each second sends the one chain whose chances moved in one go, and nothing while none did', async () => {
    const restores = async (): Promise<number> => {
      await clock.advance(1000);
      await counted();
      return iptables.restored.length - before;
    };
    await clock.advance(1000);
    await counted();
    const before = iptables.restored.length;
    assert.equal(await restores(), 0);
    held.set('10.244.1.2', 2).set('10.244.1.3', 1);
    assert.equal(await restores(), 1);
    const { cluster, endpoint } = names(1);
    assert.deepEqual(
      sent().map((line) => line.replace(/ -m comment .*(?= -j )/, '')),
      [
        `:${cluster} - [0:0]`,
        `-A ${cluster} ! -s 10.244.0.0/16 -d 10.96.0.1/32 -p tcp -j KUBE-MARK-MASQ`,
        // Three are to come, and none of them to the endpoint that has two.
        ...['10.244.1.3:8080', '10.244.1.4:8080'].map((address) => `-A ${cluster} -j ${endpoint(address)}`),
      ],
    );
    assert.equal(iptables.restored.at(-1)?.match(/^COMMIT$/gm)?.length, 1);
  });

  test('what changes while chances go to the kernel goes there with the next sync', async () => {
    const { promise: isHeld, resolve: go } = Promise.withResolvers<void>();
    const { promise: hasBegun, resolve: begin } = Promise.withResolvers<void>();
    const restore = iptables.restore.bind(iptables);
    iptables.restore = async (...change) => {
      begin();
      await isHeld;
      await restore(...change);
    };
    held.set('10.244.1.2', 2);
    await clock.advance(1000);
    await hasBegun;
    chains.put('n/s7', plan(7, ['10.244.9.9']));
    const synced = chains.sync();
    go();
    assert.equal((await synced).full, false);
    assert.ok(iptables.dump('ip').includes('--to-destination 10.244.9.9:8080'));
    chains.distrust();
    assert.deepEqual(await chains.sync(), { full: true, steps: 0 });
  });
});

describe('others have their turn', () => {
  /** How often, while it syncs. */
  const turns = async (): Promise<number> => {
    let count = 0;
    let isDone = false;
    const others = (async () => {
      for (; !isDone; count++) await setImmediate();
    })();
    await chains.sync();
    isDone = true;
    await others;
    return count;
  };
  const put = (services: number, ips: readonly string[]): void => {
    for (let n = 0; n < services; n++) chains.put(`m/s${n}`, { ...plan(1, ips), key: `m/s${n}` });
  };
  const fifty = Array.from({ length: 50 }, (_, i) => `10.250.0.${i}`);

  for (const [what, services, ips, least] of [
    ['very many Services', 1000, [], 5],
    ['Services with many endpoints', 40, fifty, 10],
  ] as const) {
    test(`while ${what} are compared`, async () => {
      put(services, ips);
      chains.distrust();
      const count = await turns();
      assert.ok(count >= least, `only ${count} turns`);
    });

    test(`while ${what} change`, async () => {
      put(services, ips);
      const count = await turns();
      assert.ok(count >= least, `only ${count} turns`);
    });
  }
});

describe('on the way from one plan to another no packet that is served before and after is lost', () => {
  const external = (inside: Target, outside: Target, sources?: readonly string[]): Partial<PortPlan> => ({
    frontends: [
      { kind: 'load-balancer-ip', ip: '198.51.100.1', port: 80, inside, outside, masquerade: 'node', ...(sources ? { sources } : {}) },
      { kind: 'node-port', port: 30_080, inside, outside, masquerade: 'node' },
    ],
    local: outside === 'local' ? endpoints(['10.244.1.2']) : [],
  });
  const states: Readonly<Record<string, ServicePlan | undefined>> = {
    nothing: undefined,
    'no endpoints': plan(1, []),
    'two endpoints': plan(1, two),
    'another endpoint': plan(1, ['10.244.1.9']),
    'an external address': plan(1, two, external('cluster', 'local')),
    'an external address without local endpoints': plan(1, two, external('cluster', 'drop')),
    'an external address without endpoints': plan(1, [], external('refuse', 'refuse')),
    'source ranges': plan(1, two, external('cluster', 'local', ['192.168.7.0/24'])),
    affinity: plan(1, two, { affinitySeconds: 60 }),
  };
  for (const [from, before] of Object.entries(states))
    for (const [to, after] of Object.entries(states))
      test(`from ${from} to ${to}`, async () => {
        const fates = async (): Promise<string[]> => {
          const rules = await iptables.save('ip');
          const fateOf = (from: string, to: string, port = 80): string => {
            const fate = trace(
              rules,
              { from, sourcePort: 40_000, to, port, protocol: 'tcp', interface: 'eth0' },
              { nodeIps: node.nodeIps },
            );
            // Whether it is dropped or goes on as it is: nobody answers.
            const isLost = fate.kind === 'dropped' || (fate.kind === 'passed' && fate.destinations.every((d) => d.to === to));
            return isLost ? 'nobody' : JSON.stringify(fate);
          };
          const sources = ['10.244.1.7', '192.168.120.1', '192.168.7.7'];
          return sources.flatMap((from) => [
            fateOf(from, '10.96.0.1'),
            fateOf(from, '198.51.100.1'),
            fateOf(from, '192.168.120.11', 30_080),
          ]);
        };
        iptables = new FakeIptables();
        const way: string[][] = [];
        const slow = {
          save: iptables.save.bind(iptables),
          counted: iptables.counted.bind(iptables),
          async restore(family: 'ip' | 'ip6', sections: Iterable<Section>): Promise<void> {
            for (const section of sections) {
              await iptables.restore(family, [section]);
              way.push(await fates());
            }
          },
        };
        chains = new ServiceChains(node, { ...kernel(), iptables: slow, rules: {}, allowLocalnet: () => {} });
        chains.put('n/s1', before);
        await chains.sync();
        const start = await fates();
        way.length = 0;
        chains.put('n/s1', after);
        await chains.sync();
        const end = await fates();
        const isServed = (fate: string | undefined): boolean => fate?.includes('"passed"') === true;
        for (const there of way)
          for (const [i, fate] of there.entries()) {
            const mayBeNobody = !isServed(start[i]) || !isServed(end[i]);
            const isFine = fate === start[i] || fate === end[i] || (fate === 'nobody' && mayBeNobody);
            assert.ok(isFine, `${fate} between ${start[i]} and ${end[i]}`);
          }
        chains.distrust();
        assert.equal((await chains.sync()).steps, 0);
      });
});
