/** What the mode does step by step, over a kernel in memory. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../../../clock/testing/fake-clock.ts';
import { KnownError } from '../../../errors/known-error.ts';
import type { IpvsOp, VirtualAddress } from '../../../linux/ipvs/ipvs.ts';
import { FakeIpvs } from '../../../linux/testing/fake-ipvs.ts';
import { silentLog } from '../../../observability/log.ts';
import type { EndpointAddress, Frontend, ServicePlan } from '../../plan/service-plan.ts';
import { sampleNode as node } from '../../testing/sample-node.ts';
import type { ModeOptions, ModeRules } from '../mode.ts';
import { IpvsMode } from './ipvs-mode.ts';
import { kernelName, setNames } from './set-names.ts';
import { FakeIpvsKernel } from './testing/fake-kernel.ts';

function plan(
  name: string,
  clusterIp: string,
  ips: readonly string[],
  protocol: 'tcp' | 'udp' = 'tcp',
  extra: readonly string[] = [],
): ServicePlan {
  const list = ips.map((ip): EndpointAddress => ({ name: `${ip} . 8080`, ip, port: 8080, mayBeHere: false }));
  const target = ips.length > 0 ? 'cluster' : 'refuse';
  const frontends = [clusterIp, ...extra].map(
    (ip, i): Frontend => ({
      kind: i === 0 ? 'cluster-ip' : 'external-ip',
      ip,
      port: 80,
      inside: target,
      outside: target,
      masquerade: i === 0 ? 'outside-pods' : 'always',
    }),
  );
  const ports = [{ name: '', protocol, frontends, cluster: list, local: [], serving: new Set<string>() }];
  return { key: `n/${name}`, rank: name, clusterIp, ports };
}

const two = ['10.244.1.2', '10.244.2.2'];
const vip = (ip: string, protocol: 'tcp' | 'udp' = 'tcp'): VirtualAddress => ({ kind: 'address', ip, port: 80, protocol });
const real = (ip: string): { ip: string; port: number } => ({ ip, port: 8080 });

interface Bench {
  readonly kernel: FakeIpvsKernel;
  readonly clock: FakeClock;
  readonly mode: IpvsMode;
  readonly rules: ModeRules;
}

async function bench(options: ModeOptions = {}, kernel = new FakeIpvsKernel(), context = node): Promise<Bench> {
  const clock = new FakeClock();
  const mode = new IpvsMode(kernel, { clock, ...options });
  await mode.probe();
  return { kernel, clock, mode, rules: await mode.open(context) };
}

async function serving(ips: readonly string[], protocol: 'tcp' | 'udp' = 'tcp'): Promise<Bench> {
  const made = await bench();
  made.rules.put('n/web', plan('web', '10.96.0.1', ips, protocol));
  await made.rules.sync();
  return made;
}

describe('IpvsRules', () => {
  test('serves a Service of more addresses and endpoints than a call has room for as arguments', async () => {
    const { kernel, rules } = await serving(two);
    const addresses = Array.from({ length: 45_000 }, (_, i) => `198.18.${i >> 8}.${i & 255}`);
    rules.put('n/many', plan('many', '10.96.0.2', two, 'tcp', addresses));
    const { steps } = await rules.sync();
    assert.ok(steps > 3 * addresses.length);
    assert.equal((await kernel.ipvs.realServers(vip(addresses.at(-1) ?? ''))).length, 2);
  });

  describe('where a set is full', () => {
    const full = async (maxElements: number): Promise<Bench & { readonly warned: string[] }> => {
      const kernel = new FakeIpvsKernel();
      kernel.ipset.maxElements = maxElements;
      const warned: string[] = [];
      return { ...(await bench({ log: { ...silentLog, warn: (line) => void warned.push(line) } }, kernel)), warned };
    };
    const name = (i: number): string => `s${i}`;
    const ip = (i: number): string => `10.96.0.${i}`;
    const put = ({ rules }: Bench, ...numbers: readonly number[]): void => {
      for (const i of numbers) rules.put(`n/${name(i)}`, plan(name(i), ip(i), two));
    };
    const reached = ({ kernel }: Bench): number[] =>
      [1, 2, 3, 4, 5].filter((i) => kernel.ipset.dump().includes(`add KUBE-CLUSTER-IP ${ip(i)},tcp:80\n`));
    const bound = async ({ kernel }: Bench): Promise<string[]> => [...(await kernel.device.read()).bound].sort();

    test('serves all others, and says so once', async () => {
      const made = await full(3);
      const { kernel, rules, warned } = made;
      put(made, 1, 2, 3, 4, 5);
      await rules.sync();
      assert.deepEqual(reached(made), [1, 2, 3]);
      const said = [
        'Set "KUBE-CLUSTER-IP" is full, and has no room for 10.96.0.4,tcp:80 and 1 more: all else is served',
        'Set "KUBE-IPVS-IPS" is full, and has no room for 10.96.0.4 and 1 more: all else is served',
      ];
      assert.deepEqual(warned, said);
      rules.put('n/s3', plan('s3', ip(3), two.slice(1)));
      assert.deepEqual(await rules.sync(), { full: false, steps: 1 });
      assert.doesNotMatch(kernel.ipvs.dump(), /-t 10\.96\.0\.3:80 -r 10\.244\.1\.2:8080/);
      rules.distrust();
      await rules.sync();
      assert.deepEqual(warned, said);
      rules.put('n/s4', undefined);
      rules.put('n/s5', undefined);
      await rules.sync();
      put(made, 4);
      await rules.sync();
      assert.equal(warned.length, 4, 'it was not full between');
    });

    test('does not say so again because a look at the kernel failed', async () => {
      const made = await full(3);
      const { kernel, rules, warned } = made;
      put(made, 1, 2, 3, 4, 5);
      await rules.sync();
      assert.equal(warned.length, 2);
      for (const failing of ['ipset', 'device', 'ipvs'] as const) {
        const part: { read: (name: string) => Promise<unknown> } = kernel[failing];
        const { read } = part;
        part.read = () => Promise.reject(new Error('Cannot read: no buffer space'));
        rules.distrust();
        await assert.rejects(rules.sync());
        part.read = read;
        await rules.sync();
      }
      assert.deepEqual([warned.length, reached(made)], [2, [1, 2, 3]]);
    });

    test('says so again when it is full again after connections ended, which make room between two syncs', async () => {
      const made = await full(1);
      const { kernel, clock, rules, warned } = made;
      put(made, 1);
      await rules.sync();
      kernel.ipvs.connections(vip(ip(1)), real(two[0] ?? ''), 1);
      rules.put('n/s1', undefined);
      put(made, 2);
      await rules.sync();
      const said = (i: number): string => `Set "KUBE-IPVS-IPS" is full, and has no room for ${ip(i)}: all else is served`;
      assert.deepEqual(warned, [said(2)]);
      kernel.ipvs.connections(vip(ip(1)), real(two[0] ?? ''), 0);
      await clock.advance(5000);
      assert.deepEqual(await bound(made), [ip(2)]);
      rules.put('n/s2', undefined);
      kernel.ipvs.connections(vip(ip(2)), real(two[0] ?? ''), 1);
      put(made, 3);
      await rules.sync();
      assert.deepEqual(warned, [said(2), said(3)]);
    });

    test('gives the room of who goes in the same sync, whoever asks for no other one', async () => {
      const made = await full(3);
      put(made, 1, 2, 3, 4, 5);
      await made.rules.sync();
      made.rules.put('n/s1', undefined);
      assert.equal((await made.rules.sync()).full, false);
      assert.deepEqual(reached(made), [2, 3, 4]);
      assert.deepEqual(await bound(made), [2, 3, 4].map(ip));
      made.rules.put('n/s5', undefined);
      made.rules.put('n/s2', undefined);
      await made.rules.sync();
      assert.deepEqual(reached(made), [3, 4]);
      put(made, 1);
      await made.rules.sync();
      assert.deepEqual(reached(made), [1, 3, 4]);
      assert.equal(made.warned.length, 2);
    });

    for (const way of ['of changes', 'that compares everything'])
      test(`lets one Service take the place of another by a sync ${way}, tells nobody, and refuses no third one meanwhile`, async () => {
        const made = await full(3);
        const { kernel, rules } = made;
        put(made, 1, 2, 3);
        await rules.sync();
        const apply = kernel.ipset.apply.bind(kernel.ipset);
        kernel.ipset.apply = async (ops) => {
          const errors = await apply(ops);
          assert.deepEqual(reached(made).slice(0, 2), [1, 2]);
          return errors;
        };
        rules.put('n/s3', undefined);
        put(made, 4);
        if (way !== 'of changes') rules.distrust();
        await rules.sync();
        assert.deepEqual(reached(made), [1, 2, 4]);
        assert.deepEqual(await bound(made), [1, 2, 4].map(ip));
        assert.deepEqual(made.warned, []);
      });

    test('has a Service that goes from one set to a full one in one of both all the time', async () => {
      const made = await full(1);
      const { kernel, rules } = made;
      const external = (i: number, kind: 'external-ip' | 'load-balancer-ip'): ServicePlan => {
        const { ports, ...rest } = plan(name(i), ip(i), two);
        return { ...rest, ports: ports.map((port) => ({ ...port, frontends: port.frontends.map((frontend) => ({ ...frontend, kind })) })) };
      };
      rules.put('n/s1', external(1, 'load-balancer-ip'));
      await rules.sync();
      kernel.ipset.maxElements = 2;
      rules.put('n/s2', external(2, 'external-ip'));
      rules.put('n/s3', undefined);
      await rules.sync();
      kernel.ipset.maxElements = 1;
      const apply = kernel.ipset.apply.bind(kernel.ipset);
      kernel.ipset.apply = async (ops) => {
        const errors = await apply(ops);
        assert.match(kernel.ipset.dump(), /add KUBE-(?:LOAD-BALANCER|EXTERNAL-IP) 10\.96\.0\.1,tcp:80\n/);
        return errors;
      };
      rules.put('n/s1', external(1, 'external-ip'));
      rules.put('n/s2', undefined);
      await rules.sync();
      assert.match(kernel.ipset.dump(), /add KUBE-EXTERNAL-IP 10\.96\.0\.1,tcp:80\n/);
      assert.doesNotMatch(kernel.ipset.dump(), /add KUBE-LOAD-BALANCER /);
    });

    test('binds no address at which every port that the node listens on would be open', async () => {
      const made = await full(3);
      const { kernel, rules } = made;
      const { bind } = kernel.device;
      kernel.device.bind = (ips) => {
        for (const one of ips) assert.match(kernel.ipset.dump(), new RegExp(`add KUBE-IPVS-IPS ${one}\n`));
        return bind.call(kernel.device, ips);
      };
      put(made, 1, 2, 3, 4);
      await rules.sync();
      assert.deepEqual(await bound(made), [1, 2, 3].map(ip));
      rules.distrust();
      await rules.sync();
      assert.deepEqual(await bound(made), [1, 2, 3].map(ip));
      // As kube-proxy leaves it.
      await bind.call(kernel.device, [ip(4)]);
      rules.distrust();
      await rules.sync();
      assert.deepEqual(await bound(made), [1, 2, 3].map(ip));
    });

    test('compares everything again only when somebody else took something away', async () => {
      const made = await full(3);
      const { kernel, mode, rules } = made;
      put(made, 1, 2, 3, 4);
      await rules.sync();
      await mode.verify();
      assert.deepEqual(await rules.sync(), { full: false, steps: 0 });
      await kernel.ipset.apply([{ op: 'flush', name: 'KUBE-CLUSTER-IP' }]);
      await mode.verify();
      assert.equal((await rules.sync()).full, true);
      assert.deepEqual(reached(made), [1, 2, 3]);
    });

    test('fails a sync where whom rules drop would be let in, until there is room', async () => {
      const made = await full(1);
      const { kernel, rules } = made;
      const guarded = (i: number): ServicePlan => {
        const { ports, ...rest } = plan(name(i), ip(i), two);
        const change = (frontend: Frontend): Frontend => ({ ...frontend, kind: 'load-balancer-ip', sources: ['192.0.2.0/24'] });
        return { ...rest, ports: ports.map((port) => ({ ...port, frontends: port.frontends.map(change) })) };
      };
      rules.put('n/s1', guarded(1));
      await rules.sync();
      rules.put('n/s2', guarded(2));
      await assert.rejects(rules.sync(), { code: 'KERNEL_REFUSED', message: /no room|FULL/i });
      await assert.rejects(rules.sync(), { code: 'KERNEL_REFUSED' });
      rules.put('n/s1', undefined);
      await rules.sync();
      assert.match(kernel.ipset.dump(), /add KUBE-LOAD-BALANCER-FW 10\.96\.0\.2,tcp:80\n/);
    });
  });

  describe('with a Service of very many endpoints', () => {
    const many = Array.from({ length: 10_000 }, (_, i) => `10.245.${i >> 8}.${i & 255}`);
    const held = async ({ kernel }: Bench): Promise<number> => (await kernel.ipvs.realServers(vip('10.96.0.1'))).length;
    const begun = async (): Promise<Bench> => {
      const made = await bench();
      made.rules.put('n/many', plan('many', '10.96.0.1', many));
      made.rules.put('n/web', plan('web', '10.96.0.2', two));
      await made.rules.sync();
      assert.match(made.kernel.ipvs.dump(), /10\.96\.0\.2:80 -r 10\.244\.2\.2:8080 -m -w 1\n/);
      return made;
    };

    test('changes others between portions of these, and compares nothing because some are still to come', async () => {
      const made = await begun();
      assert.equal(await held(made), 1024);
      made.rules.put('n/web', plan('web', '10.96.0.2', two.slice(1)));
      assert.deepEqual(await made.rules.sync(), { full: false, steps: 1 });
      assert.equal(await held(made), 1024);
      await made.mode.verify();
      assert.equal((await made.rules.sync()).full, false);
      await made.clock.advance(0);
      assert.equal(await held(made), many.length);
      made.rules.distrust();
      assert.deepEqual(await made.rules.sync(), { full: true, steps: 0 });
    });

    test('comes to what is wanted, though that changes, or everything is compared, while they come', async () => {
      for (const [last, distrusts] of [
        [many.slice(0, 7000), false],
        [many.slice(3000), false],
        [many.slice(3000), true],
        [two, false],
      ] as const) {
        const made = await begun();
        made.rules.put('n/many', plan('many', '10.96.0.1', last));
        if (distrusts) made.rules.distrust();
        await made.rules.sync();
        // Those that are not wanted any more go when their connections have ended.
        await made.clock.advance(5000);
        const names = (await made.kernel.ipvs.realServers(vip('10.96.0.1'))).map(({ ip }) => ip);
        assert.deepEqual(names.sort(), [...last].sort());
        made.rules.distrust();
        assert.deepEqual(await made.rules.sync(), { full: true, steps: 0 });
      }
    });

    test('is gone at once, though they still come', async () => {
      const made = await begun();
      made.rules.put('n/many', undefined);
      await made.rules.sync();
      await made.clock.advance(0);
      assert.doesNotMatch(made.kernel.dump(), /10\.96\.0\.1/);
    });

    test('finds the others by a comparison when the kernel refuses some', async () => {
      const made = await begun();
      const { kernel, rules } = made;
      await kernel.ipvs.apply([{ op: 'delete-server', address: vip('10.96.0.1') }]);
      await made.clock.advance(0);
      assert.equal((await rules.sync()).full, true);
      await made.clock.advance(0);
      assert.equal(await held(made), many.length);
    });

    test('changes others between portions of these that go, first all of them without new connections', async () => {
      const made = await begun();
      const { kernel, clock, rules } = made;
      await clock.advance(0);
      kernel.ipvs.connections(vip('10.96.0.1'), real(many[9000] ?? ''), 1);
      const served = async (): Promise<number> =>
        (await kernel.ipvs.realServers(vip('10.96.0.1'))).filter(({ weight }) => weight > 0).length;
      rules.put('n/many', plan('many', '10.96.0.1', two));
      await rules.sync();
      assert.deepEqual([await served(), await held(made)], [2 + many.length - 1024, 2 + many.length]);
      rules.put('n/web', plan('web', '10.96.0.2', two.slice(1)));
      assert.deepEqual(await rules.sync(), { full: false, steps: 1 });
      const listings = kernel.ipvs.listings.one;
      await clock.advance(0);
      assert.deepEqual([await served(), await held(made)], [2, 3]);
      assert.equal(kernel.ipvs.listings.one - listings, 1 + 2, 'one for all portions, and those of this test');
      assert.equal((await rules.sync()).full, false);
      kernel.ipvs.connections(vip('10.96.0.1'), real(many[9000] ?? ''), 0);
      await clock.advance(5000);
      assert.equal(await held(made), 2);
      rules.distrust();
      assert.deepEqual(await rules.sync(), { full: true, steps: 0 });
    });

    test('comes to what is wanted, though that changes at whichever portion, and takes nobody away who has connections', async () => {
      const all = (await made()).steps;
      async function made(until = Number.POSITIVE_INFINITY, next?: readonly string[], distrusts = false): Promise<{ steps: number }> {
        const at = await begun();
        const { kernel, clock, rules } = at;
        await clock.advance(0);
        const busy = [many[5], many[5000], many[9999]].map((ip) => real(ip ?? ''));
        for (const one of busy) kernel.ipvs.connections(vip('10.96.0.1'), one, 1);
        rules.put('n/many', plan('many', '10.96.0.1', two));
        let steps = 0;
        const { apply } = kernel.ipvs;
        const ready = Promise.withResolvers<void>();
        kernel.ipvs.apply = async (ops) => {
          if (ops.length > 0 && steps++ === until) {
            rules.put('n/many', next && plan('many', '10.96.0.1', next));
            if (distrusts) rules.distrust();
            // In line behind this portion, and before the next one.
            void rules.sync().then(() => ready.resolve(), ready.reject);
          }
          return await apply.call(kernel.ipvs, ops);
        };
        await rules.sync();
        await clock.advance(0);
        if (steps > until) await ready.promise;
        await clock.advance(5000);
        const left = await kernel.ipvs.realServers(vip('10.96.0.1'));
        for (const one of busy)
          assert.ok(
            left.some(({ ip }) => ip === one.ip),
            `${one.ip} has a connection, change at ${until}`,
          );
        for (const one of busy) kernel.ipvs.connections(vip('10.96.0.1'), one, 0);
        await clock.advance(20_000);
        const names = (await kernel.ipvs.realServers(vip('10.96.0.1'))).map(({ ip, weight }) => `${ip} ${weight}`);
        const wanted = (until === Number.POSITIVE_INFINITY ? two : (next ?? [])).map((ip) => `${ip} 1`);
        assert.deepEqual(names.sort(), wanted.sort(), `change at ${until}`);
        assert.equal(kernel.ipvs.dump().includes('10.96.0.1:80'), wanted.length > 0);
        rules.distrust();
        assert.deepEqual(await rules.sync(), { full: true, steps: 0 });
        return { steps };
      }
      assert.ok(all > 15, String(all));
      const choices = [undefined, [], many, many.slice(4000)];
      for (let until = 1; until < all; until += 2) await made(until, choices[(until >> 1) % choices.length], until % 3 === 0);
    });

    test('is gone with all of them by one change when none has a connection', async () => {
      const made = await begun();
      const { kernel, clock, rules } = made;
      await clock.advance(0);
      rules.put('n/many', undefined);
      await rules.sync();
      assert.equal(await held(made), many.length);
      await clock.advance(0);
      assert.doesNotMatch(kernel.dump(), /10\.96\.0\.1/);
      assert.ok(kernel.ipvs.messagesSent < 2 * many.length + 100, String(kernel.ipvs.messagesSent));
    });

    test('takes endpoints of UDP away by portions, too, and the last one with its virtual server at once', async () => {
      const made = await serving([...two, ...many], 'udp');
      const { kernel, clock, rules } = made;
      const count = async (): Promise<number> => (await kernel.ipvs.realServers(vip('10.96.0.1', 'udp'))).length;
      await clock.advance(0);
      rules.put('n/web', plan('web', '10.96.0.1', two, 'udp'));
      await rules.sync();
      assert.equal(await count(), 2 + many.length - 1024);
      rules.put('n/web', plan('web', '10.96.0.1', [], 'udp'));
      await rules.sync();
      assert.doesNotMatch(kernel.ipvs.dump(), /10\.96\.0\.1/);
      await clock.advance(0);
      rules.distrust();
      assert.deepEqual(await rules.sync(), { full: true, steps: 0 });
    });

    test('adds no more after its end', async () => {
      const made = await begun();
      made.mode.close();
      await made.clock.advance(0);
      assert.equal(await held(made), 1024);
    });
  });

  test('drops no client of a source range while a Service that serves gets ranges, others, or none any more', async () => {
    const { kernel, rules } = await bench();
    const from = (sources: readonly string[] | undefined): ServicePlan => {
      const { ports, ...rest } = plan('web', '198.51.100.1', two);
      const change = (frontend: Frontend): Frontend => ({ ...frontend, kind: 'load-balancer-ip', ...(sources && { sources }) });
      return { ...rest, ports: ports.map((port) => ({ ...port, frontends: port.frontends.map(change) })) };
    };
    const client = '192.0.2.0/24';
    rules.put('n/web', from(undefined));
    await rules.sync();
    const apply = kernel.ipset.apply.bind(kernel.ipset);
    let looks = 0;
    kernel.ipset.apply = async (ops) => {
      const errors = [];
      for (const op of ops) {
        errors.push(...(await apply([op])));
        const held = kernel.ipset.dump();
        looks++;
        if (held.includes('add KUBE-LOAD-BALANCER-FW '))
          assert.match(held, /add KUBE-LOAD-BALANCER-SOURCE-CIDR 198\.51\.100\.1,tcp:80,192\.0\.2\.0\/24/);
      }
      return errors;
    };
    for (const sources of [[client], [client, '203.0.113.0/24'], ['198.18.0.0/15', client], undefined]) {
      rules.put('n/web', from(sources));
      await rules.sync();
    }
    assert.equal(looks, 8);
    assert.doesNotMatch(kernel.ipset.dump(), /add KUBE-LOAD-BALANCER-(?:FW|SOURCE)/);
  });

  test('binds an address only when its packets are let in and balanced, and lets it go when nobody is let in', async () => {
    const { kernel, rules } = await bench();
    const seen: boolean[] = [];
    const look = (): void => {
      const isLetIn = kernel.ipset.dump().includes('add KUBE-CLUSTER-IP 10.96.0.1,tcp:80');
      assert.equal(isLetIn, kernel.ipvs.dump().includes('-r 10.244.2.2:8080 -m -w 1'));
      seen.push(isLetIn);
    };
    const { bind, unbind } = kernel.device;
    kernel.device.bind = (ips) => {
      if (ips.length > 0) look();
      return bind.call(kernel.device, ips);
    };
    kernel.device.unbind = (ips) => {
      if (ips.length > 0) look();
      return unbind.call(kernel.device, ips);
    };
    await rules.sync();
    rules.put('n/web', plan('web', '10.96.0.1', two));
    await rules.sync();
    rules.put('n/web', undefined);
    await rules.sync();
    assert.deepEqual(seen, [true, false]);
    assert.deepEqual(kernel.device.log, ['bind 10.96.0.1', 'unbind 10.96.0.1']);
  });

  for (const [from, nat, order] of [
    ['where nobody serves, so that no connection is balanced and not masqueraded', '*nat\nCOMMIT\n', ['glue', 'servers', 'addresses']],
    [
      'where mode iptables serves, not before all else can',
      '*nat\n:KUBE-SERVICES - [0:0]\n-A PREROUTING -j KUBE-SERVICES\n-A KUBE-SERVICES -d 10.96.0.1/32 -j ACCEPT\nCOMMIT\n',
      ['servers', 'addresses', 'glue'],
    ],
  ] as const)
    test(`puts up its chains ${from}`, async () => {
      const { kernel, rules } = await bench();
      kernel.iptables.restoreByOther('ip', nat);
      const seen: string[] = [];
      const { ipvs, iptables, device } = kernel;
      const [apply, restore, bind] = [ipvs.apply.bind(ipvs), iptables.restore.bind(iptables), device.bind.bind(device)];
      ipvs.apply = (ops) => {
        if (ops.length > 0) seen.push('servers');
        return apply(ops);
      };
      iptables.restore = (...args) => {
        seen.push('glue');
        return restore(...args);
      };
      device.bind = (ips) => {
        seen.push('addresses');
        return bind(ips);
      };
      rules.put('n/web', plan('web', '10.96.0.1', two));
      await rules.sync();
      assert.deepEqual(seen, order);
    });

  test('keeps the address of a Service that is gone until its connections have ended, and lets nobody new in', async () => {
    for (const restarts of [false, true]) {
      const first = await serving(two);
      const { kernel } = first;
      kernel.ipvs.connections(vip('10.96.0.1'), real('10.244.1.2'), 1);
      let { clock, mode, rules } = first;
      if (restarts) ({ clock, mode, rules } = await bench({}, kernel));
      rules.put('n/web', undefined);
      await rules.sync();
      rules.distrust();
      assert.deepEqual(await rules.sync(), { full: true, steps: 0 });
      assert.equal(kernel.ipvs.dump(), '-A -t 10.96.0.1:80 -s rr\n-a -t 10.96.0.1:80 -r 10.244.1.2:8080 -m -w 0\n');
      assert.match(kernel.device.dump(), /10\.96\.0\.1/);
      assert.match(kernel.ipset.dump(), /add KUBE-IPVS-IPS 10\.96\.0\.1\n/);
      assert.doesNotMatch(kernel.ipset.dump(), /add KUBE-CLUSTER-IP/);
      kernel.ipvs.connections(vip('10.96.0.1'), real('10.244.1.2'), 0);
      await clock.advance(5000);
      assert.equal(kernel.ipvs.dump(), '');
      assert.deepEqual([...(await kernel.device.read()).bound], []);
      assert.doesNotMatch(kernel.ipset.dump(), /^add/m);
      first.mode.close();
      mode.close();
    }
  });

  test('gives the address of a Service that is gone to the next one at once, with the connections that it has', async () => {
    const { kernel, clock, rules, mode } = await serving(two);
    kernel.ipvs.connections(vip('10.96.0.1'), real('10.244.1.2'), 1);
    rules.put('n/web', undefined);
    await rules.sync();
    rules.put('n/next', plan('next', '10.96.0.1', two.slice(1)));
    await rules.sync();
    assert.match(kernel.ipvs.dump(), /10\.244\.1\.2:8080 -m -w 0\n.*10\.244\.2\.2:8080 -m -w 1\n/);
    kernel.ipvs.connections(vip('10.96.0.1'), real('10.244.1.2'), 0);
    await clock.advance(5000);
    assert.match(kernel.ipvs.dump(), /^-A .*\n-a .* -r 10\.244\.2\.2:8080 -m -w 1\n$/);
    assert.match(kernel.device.dump(), /10\.96\.0\.1/);
    mode.close();
  });

  test('leaves a virtual server at a floating address to who wrote that, and to a node port when that is gone', async () => {
    const [own, floating] = ['192.168.120.11', '192.0.2.50'];
    const kernel = new FakeIpvsKernel();
    kernel.device.others = [own, floating];
    const { rules } = await bench({}, kernel, { ...node, nodePortIps: 'all' });
    const nodePort: Frontend = { kind: 'node-port', port: 80, inside: 'refuse', outside: 'drop', masquerade: 'always' };
    const [vipPlan, door] = [plan('vip', '10.96.0.1', ['10.244.1.2'], 'tcp', [floating]), plan('door', '10.96.0.2', ['10.244.2.2'])];
    const [port] = door.ports;
    const closed: ServicePlan = { ...door, ports: [{ ...port!, frontends: [...port!.frontends, nodePort] }] };
    const open: ServicePlan = {
      ...door,
      ports: [{ ...port!, frontends: [...port!.frontends, { ...nodePort, inside: 'cluster', outside: 'cluster' }] }],
    };
    const at = (ip: string): string =>
      /-r (\S+):8080/.exec(
        kernel.ipvs
          .dump()
          .split('\n')
          .find((line) => line.startsWith(`-a -t ${ip}:80 `)) ?? '',
      )?.[1] ?? '';
    const served = async (of: Record<string, ServicePlan | undefined>): Promise<string[]> => {
      for (const [key, one] of Object.entries(of)) rules.put(key, one);
      await rules.sync();
      const found = [at(own), at(floating)];
      rules.distrust();
      assert.deepEqual(await rules.sync(), { full: true, steps: 0 });
      return found;
    };
    assert.deepEqual(await served({ 'n/vip': vipPlan }), ['', '10.244.1.2']);
    assert.deepEqual(await served({ 'n/door': open }), ['10.244.2.2', '10.244.1.2']);
    assert.deepEqual(await served({ 'n/door': closed }), ['', '10.244.1.2']);
    assert.doesNotMatch(kernel.ipset.dump(), new RegExp(`add KUBE-NO-LOCAL\\S* ${floating},`), 'where no node port is, none drops');
    assert.deepEqual(await served({ 'n/door': undefined }), ['', '10.244.1.2']);
    assert.deepEqual(await served({ 'n/door': open }), ['10.244.2.2', '10.244.1.2']);
    assert.deepEqual(await served({ 'n/vip': undefined }), ['10.244.2.2', '10.244.2.2']);
    assert.deepEqual(await served({ 'n/vip': vipPlan }), ['10.244.2.2', '10.244.1.2']);
  });

  test('forgets a Service that is gone whose virtual server somebody took away', async () => {
    const { kernel, rules, mode } = await serving(two);
    kernel.ipvs.connections(vip('10.96.0.1'), real('10.244.1.2'), 1);
    rules.put('n/web', undefined);
    await rules.sync();
    await kernel.ipvs.flush();
    rules.distrust();
    await rules.sync();
    assert.deepEqual([...(await kernel.device.read()).bound], []);
    mode.close();
  });

  test('changes one endpoint among a thousand Services by two messages, and starts no program', async () => {
    const { kernel, rules } = await bench();
    for (let i = 0; i < 1000; i++) rules.put(`n/${i}`, plan(String(i), `10.96.${i >> 8}.${i & 255}`, two));
    await rules.sync();
    const [restored, servers, sets] = [kernel.iptables.restored.length, kernel.ipvs.messagesSent, kernel.ipset.messagesSent];
    rules.put('n/7', plan('7', '10.96.0.7', [...two, '10.244.2.3']));
    assert.deepEqual(await rules.sync(), { full: false, steps: 1 });
    rules.put('n/7', plan('7', '10.96.0.7', two));
    await rules.sync();
    assert.equal(kernel.ipvs.messagesSent - servers, 3);
    assert.equal(kernel.ipset.messagesSent - sets, 0);
    assert.equal(kernel.iptables.restored.length - restored, 0);
    assert.deepEqual(kernel.ipvs.listings, { all: 1, reals: 0, one: 1 });
  });

  test('keeps an endpoint that has connections, without new ones, and looks at it alone until they have ended', async () => {
    const { kernel, clock, rules, mode } = await serving(two);
    kernel.ipvs.connections(vip('10.96.0.1'), real('10.244.1.2'), 1);
    rules.put('n/web', plan('web', '10.96.0.1', two.slice(1)));
    await rules.sync();
    assert.match(kernel.ipvs.dump(), /-r 10\.244\.1\.2:8080 -m -w 0/);
    const listings = kernel.ipvs.listings.one;
    kernel.ipvs.connections(vip('10.96.0.1'), real('10.244.1.2'), 0, 1);
    await clock.advance(5000);
    assert.match(kernel.ipvs.dump(), /-r 10\.244\.1\.2:8080 -m -w 0/);
    kernel.ipvs.connections(vip('10.96.0.1'), real('10.244.1.2'), 0);
    await clock.advance(5000);
    assert.doesNotMatch(kernel.ipvs.dump(), /10\.244\.1\.2/);
    assert.equal(kernel.ipvs.listings.one - listings, 2);
    await clock.advance(60_000);
    assert.equal(kernel.ipvs.listings.one - listings, 2, 'nothing is looked at when nothing is left');
    assert.equal(kernel.ipvs.listings.all, 1);
    mode.close();
  });

  test('lets one serve again that comes back while it ends', async () => {
    const { kernel, clock, rules, mode } = await serving(two);
    kernel.ipvs.connections(vip('10.96.0.1'), real('10.244.1.2'), 1);
    rules.put('n/web', plan('web', '10.96.0.1', two.slice(1)));
    await rules.sync();
    rules.put('n/web', plan('web', '10.96.0.1', two));
    await rules.sync();
    assert.match(kernel.ipvs.dump(), /-r 10\.244\.1\.2:8080 -m -w 1/);
    kernel.ipvs.connections(vip('10.96.0.1'), real('10.244.1.2'), 0);
    await clock.advance(60_000);
    assert.match(kernel.ipvs.dump(), /-r 10\.244\.1\.2:8080 -m -w 1/);
    mode.close();
  });

  test('refuses at once when the last endpoint goes, and keeps its connections', async () => {
    const { kernel, clock, rules, mode } = await serving(['10.244.1.2']);
    kernel.ipvs.connections(vip('10.96.0.1'), real('10.244.1.2'), 1);
    rules.put('n/web', plan('web', '10.96.0.1', []));
    await rules.sync();
    assert.doesNotMatch(kernel.ipset.dump(), /add KUBE-CLUSTER-IP/);
    assert.match(kernel.ipvs.dump(), /-A -t 10\.96\.0\.1:80 -s rr\n-a .* -w 0/);
    rules.distrust();
    assert.deepEqual(await rules.sync(), { full: true, steps: 0 });
    kernel.ipvs.connections(vip('10.96.0.1'), real('10.244.1.2'), 0);
    await clock.advance(5000);
    assert.equal(kernel.ipvs.dump(), '');
    mode.close();
  });

  test('takes over endpoints that an earlier proxy left to end', async () => {
    const { kernel, rules, mode } = await serving(two);
    kernel.ipvs.connections(vip('10.96.0.1'), real('10.244.1.2'), 1);
    rules.put('n/web', plan('web', '10.96.0.1', two.slice(1)));
    await rules.sync();
    mode.close();
    const next = await bench({}, kernel);
    next.rules.put('n/web', plan('web', '10.96.0.1', two.slice(1)));
    assert.deepEqual(await next.rules.sync(), { full: true, steps: 0 });
    kernel.ipvs.connections(vip('10.96.0.1'), real('10.244.1.2'), 0);
    await next.clock.advance(5000);
    assert.doesNotMatch(kernel.ipvs.dump(), /10\.244\.1\.2/);
    next.mode.close();
  });

  test('takes endpoints of UDP away at once', async () => {
    const { kernel, rules } = await serving(two, 'udp');
    kernel.ipvs.connections(vip('10.96.0.1', 'udp'), real('10.244.1.2'), 5);
    rules.put('n/web', plan('web', '10.96.0.1', two.slice(1), 'udp'));
    await rules.sync();
    assert.doesNotMatch(kernel.ipvs.dump(), /10\.244\.1\.2/);
    rules.put('n/web', plan('web', '10.96.0.1', [], 'udp'));
    await rules.sync();
    assert.equal(kernel.ipvs.dump(), '');
  });

  test('makes everything else when the kernel refuses something, says so, and tries again', async () => {
    const { kernel, rules } = await bench();
    const apply = kernel.ipvs.apply.bind(kernel.ipvs);
    const isBad = (op: IpvsOp): boolean => 'real' in op && op.real.ip === '10.244.6.6';
    kernel.ipvs.apply = async (ops) => {
      const errors = [...(await apply(ops.map((op) => (isBad(op) ? { ...op, address: vip('192.0.2.9') } : op) as IpvsOp)))];
      return errors;
    };
    rules.put('n/bad', plan('bad', '10.96.0.1', ['10.244.6.6', ...two]));
    rules.put('n/good', plan('good', '10.96.0.2', two));
    await assert.rejects(rules.sync(), { code: 'KERNEL_REFUSED' });
    for (const ip of ['10.96.0.1', '10.96.0.2']) assert.match(kernel.device.dump(), new RegExp(`kube-ipvs0 ${ip}`));
    assert.match(kernel.ipvs.dump(), /-a -t 10\.96\.0\.1:80 -r 10\.244\.2\.2:8080/);
    kernel.ipvs.apply = apply;
    const again = await rules.sync();
    assert.equal(again.full, true);
    assert.match(kernel.ipvs.dump(), /10\.244\.6\.6/);
  });

  test('leaves virtual servers of others in excluded ranges, and of firewall marks, alone', async () => {
    const kernel = new FakeIpvsKernel();
    kernel.ipvs.load('-A -t 203.0.113.1:80 -s rr\n-A -t 203.0.114.1:80 -s rr\n-A -f 7 -s rr\n');
    const { rules } = await bench({ ipvs: { excludeCidrs: ['203.0.113.0/24'] } }, kernel);
    await rules.sync();
    assert.equal(kernel.ipvs.dump(), '-A -f 7 -s rr\n-A -t 203.0.113.1:80 -s rr\n');
  });

  test('gives an address back to the link that gets it, and binds it again when that loses it', async () => {
    const { kernel, mode, rules } = await bench();
    let touched = 0;
    using _ = { [Symbol.dispose]: mode.watch(() => touched++).close };
    rules.put('n/web', plan('web', '10.96.0.1', two, 'tcp', ['198.51.100.1']));
    await rules.sync();
    assert.match(kernel.device.dump(), /198\.51\.100\.1/);
    kernel.device.move([...kernel.device.others, '198.51.100.1']);
    assert.equal(touched, 1);
    await mode.verify();
    await rules.sync();
    assert.doesNotMatch(kernel.device.dump(), /198\.51\.100\.1/);
    assert.match(kernel.ipvs.dump(), /-A -t 198\.51\.100\.1:80/);
    kernel.device.move(['192.168.120.11']);
    await mode.verify();
    await rules.sync();
    assert.match(kernel.device.dump(), /198\.51\.100\.1/);
  });

  test('puts back each part that somebody took away, when it looks', async () => {
    const damages: readonly (readonly [string, (kernel: FakeIpvsKernel) => unknown])[] = [
      ['the device', (kernel) => kernel.device.remove()],
      ['an address', (kernel) => kernel.device.unbind(['10.96.0.1'])],
      ['an entry', (kernel) => kernel.ipset.apply([{ op: 'flush', name: 'KUBE-CLUSTER-IP' }])],
      [
        'a weight',
        (kernel) => kernel.ipvs.apply([{ op: 'set-real', address: vip('10.96.0.1'), real: { ...real('10.244.1.2'), weight: 9 } }]),
      ],
      ['a scheduler', (kernel) => kernel.ipvs.apply([{ op: 'set-server', server: { address: vip('10.96.0.1'), scheduler: 'lc' } }])],
      ['a rule', (kernel) => kernel.iptables.restoreByOther('ip', '*nat\n:KUBE-MARK-MASQ - [0:0]\nCOMMIT\n')],
    ];
    for (const [what, damage] of damages) {
      const { kernel, mode, rules } = await serving(two);
      const before = kernel.dump();
      await damage(kernel);
      assert.notEqual(kernel.dump(), before, what);
      await mode.verify();
      assert.ok((await rules.sync()).steps > 0, what);
      assert.equal(kernel.dump(), before, what);
    }
  });

  test('looks by one listing of each kind and one program, and asks the kernel nothing in the minutes between', async () => {
    const { kernel, clock, mode } = await bench();
    const rules = await mode.open(node);
    for (let i = 0; i < 1000; i++) rules.put(`n/${i}`, plan(String(i), `10.96.${i >> 8}.${i & 255}`, two));
    await rules.sync();
    const [save, read] = [kernel.iptables.save.bind(kernel.iptables), kernel.device.read.bind(kernel.device)];
    const seen = { saves: 0, addresses: 0 };
    kernel.iptables.save = (family) => {
      seen.saves++;
      return save(family);
    };
    kernel.device.read = () => {
      seen.addresses++;
      return read();
    };
    const messages = (): number => kernel.ipvs.messagesSent + kernel.ipset.messagesSent;
    const [sent, listed, reads] = [messages(), { ...kernel.ipvs.listings }, kernel.ipset.reads];
    assert.equal(await mode.verify(), true);
    assert.deepEqual(kernel.ipvs.listings, { ...listed, all: listed.all + 1 });
    assert.deepEqual([kernel.ipset.reads - reads, seen], [setNames.length, { saves: 1, addresses: 1 }]);
    assert.equal(await mode.verify(), true);
    assert.deepEqual(seen, { saves: 1, addresses: 2 }, 'rules that nobody has changed are not read again');
    using _ = { [Symbol.dispose]: mode.watch(() => {}).close };
    for (let look = 0; look < 3; look++) await mode.verify();
    assert.deepEqual(seen, { saves: 1, addresses: 3 }, 'nor are addresses, of which the kernel tells');
    kernel.device.move([...kernel.device.others]);
    await mode.verify();
    assert.equal(seen.addresses, 4);
    kernel.ipvs.read = kernel.ipset.read = kernel.iptables.save = kernel.device.read = () => assert.fail('nobody asks');
    await clock.advance(60_000);
    assert.deepEqual([messages() - sent, kernel.iptables.restored.length], [0, 1]);
  });

  for (const backend of ['nft', 'legacy'] as const)
    test(`reads the rules of the ${backend} backend again once they may be others, and puts them right`, async () => {
      const { kernel, mode, rules } = await serving(two);
      kernel.iptables.found = { backend, randomFully: true };
      const before = kernel.dump();
      for (const other of [':KUBE-OTHER - [0:0]', ':KUBE-MARK-MASQ - [0:0]', ':KUBE-MARK-MASQ - [0:0]']) {
        await mode.verify();
        await rules.sync();
        kernel.iptables.restoreByOther('ip', `*nat\n${other}\nCOMMIT\n`);
      }
      assert.notEqual(kernel.dump().replace(':KUBE-OTHER - [0:0]\n', ''), before);
      await mode.verify();
      await rules.sync();
      assert.equal(kernel.dump().replace(':KUBE-OTHER - [0:0]\n', ''), before);
    });

  test('looks at a part and lets a change go first, and at the others afterwards', async () => {
    const { kernel, mode, rules } = await serving(two);
    await kernel.ipset.apply([{ op: 'flush', name: 'KUBE-IPVS-IPS' }]);
    let calls = 0;
    for (let n = 1; !(await mode.verify(() => true)); n++) {
      assert.ok(n < 100, 'it ends');
      calls = n;
      const before = kernel.ipvs.messagesSent;
      rules.put('n/web', plan('web', '10.96.0.1', [...two, `10.244.3.${n}`]));
      const { full } = await rules.sync();
      // What was found amiss is put right before the next part.
      if (!full) assert.ok(kernel.ipvs.messagesSent - before <= 3);
    }
    assert.ok(calls > 3, String(calls));
    assert.match(kernel.ipset.dump(), /add KUBE-IPVS-IPS 10\.96\.0\.1/);
  });

  test('looks at the addresses alone when one of another link came, and at the rules alone when somebody changed those', async () => {
    const { kernel, clock, mode } = await serving(two);
    using _ = { [Symbol.dispose]: mode.watch(() => {}).close };
    const read = kernel.ipvs.read.bind(kernel.ipvs);
    kernel.ipvs.read = async () => {
      await clock.advance(1000);
      return read();
    };
    assert.equal(await mode.verify(), true);
    const [listings, reads] = [kernel.ipvs.listings.all, kernel.ipset.reads];
    kernel.device.move([...kernel.device.others]);
    kernel.iptables.restoreByOther('ip', '*nat\n:KUBE-OTHER - [0:0]\nCOMMIT\n');
    assert.equal(await mode.verify(), true);
    assert.deepEqual([kernel.ipvs.listings.all - listings, kernel.ipset.reads - reads], [0, 0]);
  });

  test('asks only for the endpoints of a Service that changes, however many others wait for connections to end', async () => {
    const { kernel, clock, mode, rules } = await bench();
    const ip = (i: number): string => `10.96.1.${i}`;
    for (let i = 0; i < 100; i++) rules.put(`n/${i}`, plan(String(i), ip(i), two));
    await rules.sync();
    for (let i = 0; i < 100; i++) kernel.ipvs.connections(vip(ip(i)), real('10.244.1.2'), 1);
    for (let i = 0; i < 99; i++) rules.put(`n/${i}`, plan(String(i), ip(i), two.slice(1)));
    await rules.sync();
    const before = { ...kernel.ipvs.listings };
    rules.put('n/99', plan('99', ip(99), two.slice(1)));
    await rules.sync();
    assert.deepEqual(kernel.ipvs.listings, { ...before, one: before.one + 1 });
    // All together by one listing, which takes at most a two-hundredth of the time.
    const read = kernel.ipvs.allRealServers.bind(kernel.ipvs);
    kernel.ipvs.allRealServers = async () => {
      await clock.advance(1000);
      return read();
    };
    const looks = async (ms: number): Promise<number> => {
      await clock.advance(ms);
      // A second passes while it looks.
      for (let i = 0; i < 10; i++) await clock.advance(0);
      return kernel.ipvs.listings.reals - before.reals;
    };
    assert.deepEqual([await looks(5000), await looks(199_999), await looks(1)], [1, 1, 2]);
    mode.close();
  });

  test('lists no endpoints with a change where many wait for connections to end, and lets all go when these have', async () => {
    const { kernel, clock, mode, rules } = await serving(two);
    const change = async (n: number): Promise<void> => {
      rules.put('n/web', plan('web', '10.96.0.1', [`10.244.3.${n}`]));
      await rules.sync();
    };
    for (let n = 1; n <= 30; n++) {
      await change(n);
      kernel.ipvs.connections(vip('10.96.0.1'), real(`10.244.3.${n}`), 1);
    }
    const { one } = kernel.ipvs.listings;
    await change(31);
    assert.equal(kernel.ipvs.listings.one, one);
    for (let n = 1; n <= 30; n++) kernel.ipvs.connections(vip('10.96.0.1'), real(`10.244.3.${n}`), 0);
    await clock.advance(5000);
    for (const ms of [5000, 0, 0, 0]) await clock.advance(ms);
    assert.equal(kernel.ipvs.dump(), '-A -t 10.96.0.1:80 -s rr\n-a -t 10.96.0.1:80 -r 10.244.3.31:8080 -m -w 1\n');
    mode.close();
  });

  test('looks by itself only so often that it takes a two-hundredth of the time', async () => {
    const { kernel, clock, mode, rules } = await serving(two);
    const read = kernel.ipvs.read.bind(kernel.ipvs);
    kernel.ipvs.read = async () => {
      await clock.advance(1000);
      return read();
    };
    await mode.verify();
    const looks = kernel.ipvs.listings.all;
    await clock.advance(30_000);
    await mode.verify();
    assert.equal(kernel.ipvs.listings.all, looks);
    await clock.advance(169_000);
    await mode.verify();
    assert.equal(kernel.ipvs.listings.all, looks);
    await clock.advance(1000);
    await mode.verify();
    assert.equal(kernel.ipvs.listings.all, looks + 1);
    assert.equal((await rules.sync()).full, false);
  });

  test('looks at one part after the other where each takes long, and in time at all of them', async () => {
    const { kernel, clock, mode, rules } = await serving(two);
    const before = kernel.dump();
    const [readServers, readSet] = [kernel.ipvs.read.bind(kernel.ipvs), kernel.ipset.read.bind(kernel.ipset)];
    const slow = async <T>(read: Promise<T>): Promise<T> => {
      await clock.advance(1000);
      return read;
    };
    kernel.ipvs.read = () => slow(readServers());
    kernel.ipset.read = (name) => slow(readSet(name));
    await kernel.ipset.apply([{ op: 'flush', name: 'KUBE-IPVS-IPS' }]);
    let taken = 0;
    for (let minute = 0; kernel.dump() !== before; minute++) {
      assert.ok(minute < 200, 'it is found');
      const begun = clock.monotonic();
      assert.equal(await mode.verify(), true);
      const looked = clock.monotonic() - begun;
      assert.ok(looked <= 1000, `${looked} ms in one go`);
      taken += looked;
      // What is amiss is put right by comparing everything.
      await rules.sync();
      await clock.advance(60_000);
    }
    assert.ok(taken > 1000);
  });
});

describe('IpvsMode', () => {
  test('sets sysctls and timeouts once, those of ARP only if strict', async () => {
    const { kernel, mode } = await bench({ ipvs: { strictArp: true, tcpTimeoutMs: 600_000, udpTimeoutMs: 1500 } });
    await mode.open({ ...node, family: 'ip6' });
    assert.deepEqual(Object.fromEntries(kernel.sysctls), {
      'net/ipv4/vs/conntrack': '1',
      'net/ipv4/vs/conn_reuse_mode': '0',
      'net/ipv4/vs/expire_nodest_conn': '1',
      'net/ipv4/vs/expire_quiescent_template': '1',
      'net/ipv4/ip_forward': '1',
      'net/ipv4/conf/all/arp_ignore': '1',
      'net/ipv4/conf/all/arp_announce': '2',
    });
    assert.deepEqual(await kernel.ipvs.timeouts(), { tcp: 600, tcpFin: 120, udp: 2 });
    const usual = await bench();
    assert.equal(usual.kernel.sysctls.has('net/ipv4/conf/all/arp_ignore'), false);
  });

  test('tells each sysctl that it had to change, and each that the kernel does not have', async () => {
    const kernel = new FakeIpvsKernel();
    kernel.sysctls.set('net/ipv4/ip_forward', '1');
    const set = kernel.setSysctl.bind(kernel);
    kernel.setSysctl = (name, value) => (name.endsWith('conn_reuse_mode') ? undefined : set(name, value)) as boolean;
    const said: string[] = [];
    const say = (text: string, fields?: object): void => void said.push(`${text}: ${Object.values(fields ?? {}).join('=')}`);
    await bench({ log: { ...silentLog, info: say, warn: say } }, kernel);
    const changed = ['conntrack', 'expire_nodest_conn', 'expire_quiescent_template'];
    assert.deepEqual(said.toSorted(), [
      ...changed.map((name) => `Set a sysctl for proxy mode ipvs: net/ipv4/vs/${name}=1`),
      'The kernel does not have a sysctl that proxy mode ipvs sets: net/ipv4/vs/conn_reuse_mode=0',
    ]);
  });

  test('offers the schedulers that the kernel has, and leaves no trace of having tried them', async () => {
    const kernel = new FakeIpvsKernel(new FakeIpvs({ schedulers: ['rr', 'lc', 'mh'] }));
    const { mode } = await bench({}, kernel);
    assert.deepEqual(mode.algorithms, ['rr', 'lc', 'mh', 'source-hash']);
    assert.equal(kernel.ipvs.dump(), '');
    const without = await bench({}, new FakeIpvsKernel(new FakeIpvs({ schedulers: ['rr', 'sh'] })));
    assert.deepEqual(without.mode.algorithms, ['rr', 'sh', 'sh-port']);
  });

  test('says which part the kernel lacks, and what would work', async () => {
    const lacking = async (): Promise<never> => {
      throw new KnownError('KERNEL_FEATURE_MISSING', 'Cannot', { hint: 'Load it' });
    };
    const parts: readonly (readonly [part: RegExp, breaks: (kernel: FakeIpvsKernel) => unknown])[] = [
      [/IPVS \(module ip_vs\)/, ({ ipvs }) => Object.assign(ipvs, { version: lacking })],
      [/ip_set/, ({ ipset }) => Object.assign(ipset, { protocol: lacking })],
      [/dummy/, ({ device }) => Object.assign(device, { probe: lacking })],
      [/iptables/, ({ iptables }) => Object.assign(iptables, { features: lacking })],
    ];
    const hint = /Load it/;
    for (const [message, breaks] of parts) {
      const kernel = new FakeIpvsKernel();
      breaks(kernel);
      await assert.rejects(bench({}, kernel), { code: 'KERNEL_FEATURE_MISSING', message, hint });
    }
    const noRoundRobin = new FakeIpvsKernel(new FakeIpvs({ schedulers: ['lc'] }));
    await assert.rejects(bench({}, noRoundRobin), { code: 'KERNEL_FEATURE_MISSING', message: /ip_vs_rr/ });
  });

  for (const lacking of ['ip', 'ip6'] as const)
    test(`works on a machine that lacks the tools of "${lacking}"`, async () => {
      const other = lacking === 'ip' ? 'ip6' : 'ip';
      const kernel = new FakeIpvsKernel();
      kernel.iptables.lacking = lacking;
      const mode = new IpvsMode(kernel);
      await mode.probe();
      await (await mode.open({ ...node, family: other })).sync();
      assert.match(kernel.iptables.dump(other), /KUBE-SERVICES/);
      await assert.rejects(mode.open({ ...node, family: lacking }), { code: 'TOOL_MISSING' });
      await mode.cleanUp();
      assert.equal(kernel.dump().replaceAll(/[*:].*\n|COMMIT\n|\n/g, ''), '');
    });

  test('takes away the sets and chains of both families, of kube-proxy too', async () => {
    const kernel = new FakeIpvsKernel();
    for (const family of ['ip', 'ip6'] as const) {
      kernel.ipset.load(setNames.map((name) => `create ${kernelName(name, family)} hash:ip family inet hashsize 1 maxelem 1\n`).join(''));
      kernel.iptables.restoreByOther(
        family,
        '*nat\n:KUBE-SERVICES - [0:0]\n:KUBE-FIRE-WALL - [0:0]\n-A KUBE-SERVICES -m set --match-set KUBE-CLUSTER-IP dst,dst -j KUBE-FIRE-WALL\n-I OUTPUT -j KUBE-SERVICES\nCOMMIT\n',
      );
    }
    await new IpvsMode(kernel).cleanUp();
    assert.equal(kernel.dump().replaceAll(/[*:].*\n|COMMIT\n|\n/g, ''), '');
    assert.doesNotMatch(kernel.dump(), /KUBE/);
  });

  test("takes away the chains in the backend that this machine's tools do not use, and the sets that they ask", async () => {
    const leftBehind = (): FakeIpvsKernel => {
      const kernel = new FakeIpvsKernel();
      kernel.ipset.load('create KUBE-CLUSTER-IP hash:ip,port family inet hashsize 1024 maxelem 65536\n');
      const rule = '-A KUBE-SERVICES -m set --match-set KUBE-CLUSTER-IP dst,dst -j KUBE-MARK-MASQ';
      kernel.other.restoreByOther(
        'ip',
        `*nat\n:KUBE-SERVICES - [0:0]\n:KUBE-MARK-MASQ - [0:0]\n${rule}\n-I OUTPUT -j KUBE-SERVICES\nCOMMIT\n`,
      );
      return kernel;
    };
    for (const work of ['cleanUp', 'drain'] as const) {
      const kernel = leftBehind();
      await new IpvsMode(kernel)[work]();
      assert.doesNotMatch(`${kernel.other.dump('ip')}${kernel.ipset.dump()}`, /KUBE/, work);
    }
    const kernel = leftBehind();
    await new IpvsMode(kernel).cleanUpElsewhere();
    assert.doesNotMatch(kernel.other.dump('ip'), /KUBE/);
    assert.match(kernel.ipset.dump(), /KUBE-CLUSTER-IP/, 'which the rules of this backend may ask');
  });

  test('lets connections end when another mode has taken over, and then leaves nothing', async () => {
    const kernel = new FakeIpvsKernel();
    kernel.ipvs.load(
      '-A -t 10.96.0.1:80 -s dh -p 600\n-a -t 10.96.0.1:80 -r 10.244.1.2:80 -m -w 1\n-A -t 10.96.0.2:80 -s rr\n-a -t 10.96.0.2:80 -r 10.244.1.2:80 -m -w 1\n',
    );
    kernel.ipset.load('create KUBE-CLUSTER-IP hash:ip,port family inet hashsize 1024 maxelem 65536\n');
    await kernel.device.ensure();
    await kernel.device.bind(['10.96.0.1', '10.96.0.2']);
    const address = { kind: 'address', ip: '10.96.0.1', port: 80, protocol: 'tcp' } as const;
    const real = { ip: '10.244.1.2', port: 80 };
    const mode = new IpvsMode(kernel);
    for (const [active, inactive] of [
      [1, 0],
      [0, 1],
    ] as const) {
      kernel.ipvs.connections(address, real, active, inactive);
      assert.equal(await mode.drain(), false);
      // What is new goes to whoever listens at the address.
      assert.equal(
        kernel.ipvs.dump(),
        '-A -t 10.96.0.1:80 -s rr\n-a -t 10.96.0.1:80 -r 10.244.1.2:80 -m -w 0\n-a -t 10.96.0.1:80 -r 10.96.0.1:80 -m -w 1\n',
      );
      assert.deepEqual([...(await kernel.device.read()).bound], ['10.96.0.1']);
      assert.doesNotMatch(kernel.ipset.dump(), /KUBE/);
    }
    kernel.ipvs.connections(address, real, 0);
    kernel.ipvs.connections(address, { ip: '10.96.0.1', port: 80 }, 3);
    assert.equal(await mode.drain(), true);
    assert.deepEqual([kernel.ipvs.dump(), (await kernel.device.read()).hasDevice], ['', false]);
    assert.equal(await mode.drain(), true);
  });

  test('finds the virtual servers at addresses of other links when the other family went before', async () => {
    const kernel = new FakeIpvsKernel();
    kernel.ipvs.load('-A -t 192.168.120.11:30001 -s rr\n-a -t 192.168.120.11:30001 -r 10.244.1.2:80 -m -w 1\n');
    await kernel.device.ensure();
    const mode = new IpvsMode(kernel);
    assert.equal(await mode.drain(['ip6']), true);
    assert.equal(await mode.drain(['ip']), true);
    assert.deepEqual([kernel.ipvs.dump(), (await kernel.device.read()).hasDevice], ['', false]);
  });

  test('lets a relay serve again at a virtual server that it served before this mode came back', async () => {
    const kernel = new FakeIpvsKernel();
    kernel.ipvs.load('-A -t 10.96.0.1:80 -s rr\n-a -t 10.96.0.1:80 -r 10.244.1.2:80 -m -w 1\n-a -t 10.96.0.1:80 -r 10.96.0.1:80 -m -w 0\n');
    await kernel.device.ensure();
    kernel.ipvs.connections(vip('10.96.0.1'), { ip: '10.244.1.2', port: 80 }, 1);
    assert.equal(await new IpvsMode(kernel).drain(), false);
    assert.match(kernel.ipvs.dump(), /-r 10\.244\.1\.2:80 -m -w 0\n.* -r 10\.96\.0\.1:80 -m -w 1\n/);
    assert.equal(await new IpvsMode(kernel).drain(), false);
    assert.match(kernel.ipvs.dump(), /-r 10\.96\.0\.1:80 -m -w 1\n/);
  });

  test('takes nothing from others: their virtual servers where it never was, their chains where mode iptables is', async () => {
    const kernel = new FakeIpvsKernel();
    kernel.ipvs.load('-A -t 203.0.113.1:80 -s rr\n');
    await new IpvsMode(kernel).cleanUp();
    assert.equal(kernel.ipvs.dump(), '-A -t 203.0.113.1:80 -s rr\n');
    await kernel.device.ensure();
    const rules =
      '*nat\n:KUBE-SERVICES - [0:0]\n:KUBE-NODE-PORT - [0:0]\n-A KUBE-SERVICES -d 10.96.0.1/32 -j ACCEPT\n-I OUTPUT -j KUBE-SERVICES\nCOMMIT\n';
    kernel.iptables.restoreByOther('ip', rules);
    await new IpvsMode(kernel).cleanUp();
    assert.equal(kernel.ipvs.dump(), '');
    assert.match(kernel.iptables.dump('ip'), /-A OUTPUT -j KUBE-SERVICES[\s\S]*-A KUBE-SERVICES -d 10\.96\.0\.1\/32/);
    assert.doesNotMatch(kernel.iptables.dump('ip'), /KUBE-NODE-PORT/);
  });
});
