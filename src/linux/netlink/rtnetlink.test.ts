import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { cannotMakeNamespaces, Namespaces } from '../testing/namespaces.ts';
import { addAddress, deleteAddress } from './address.ts';
import { addLink, changeLink, deleteLink, getLink, parseLink } from './link.ts';
import type { NetlinkRequest } from './message.ts';
import { deleteNeighbour, getNeighbour, isResolved, replaceNeighbour, solicitNeighbour } from './neighbour.ts';
import { isErrno } from './netlink-error.ts';
import { addRoute, deleteRoute, replaceRoute } from './route.ts';
import { Rtnetlink } from './rtnetlink.ts';

/** What is asked of the kernel is seen by `ip`, and what `ip` asks is seen here: neither believes itself. */
describe('Rtnetlink and ip', { skip: cannotMakeNamespaces }, () => {
  let net: Namespaces;
  let socket: Rtnetlink;

  before(async () => {
    net = new Namespaces();
    await net.add('n', 'pod');
    socket = Rtnetlink.openIn(net.path('n'));
    await must(addLink('br0', { kind: 'bridge' }, { up: true, mtu: 1400, mac: '02:00:00:00:00:0b' }));
    await must(addAddress({ index: await index('br0'), ip: '10.0.0.1', prefix: 24 }));
    await net.ip('n', 'addr add fd00::1/64 dev br0 nodad');
  });
  after(async () => {
    socket?.close();
    await net?.[Symbol.asyncDispose]();
  });

  async function must(...requests: NetlinkRequest[]): Promise<void> {
    await socket.must(requests, 'do what the test asks');
  }
  async function index(name: string): Promise<number> {
    return (await socket.link(name))?.index ?? 0;
  }
  /** All of `words` are in what `ip` shows. */
  async function shows(command: string, ...words: RegExp[]): Promise<void> {
    const text = await net.ip('n', command);
    for (const word of words) assert.match(text, word);
  }

  test('a bridge', async () => {
    await shows('-d link show br0', /<[^>]*\bUP\b/, /mtu 1400/, /link\/ether 02:00:00:00:00:0b/, /\bbridge\b/);
    const link = await socket.link('br0');
    assert.deepEqual(
      [link?.kind, link?.mac, link?.mtu, link?.up, link?.master, link?.alias],
      ['bridge', '02:00:00:00:00:0b', 1400, true, 0, ''],
    );
    assert.deepEqual(await socket.link(link?.index ?? 0), link);
  });

  test('a pair of veth, one end in another namespace, the other a hairpin port with an alias', async () => {
    const netnsFd = openSync(net.path('pod'), 'r');
    const peer = { name: 'eth0', netnsFd, mac: '02:00:00:00:00:02', mtu: 1380 };
    await must(addLink('veth0', { kind: 'veth', peer }, { master: await index('br0'), up: true, mtu: 1390 }));
    closeSync(netnsFd);
    await must(changeLink('veth0', { alias: 'it is näher', hairpin: true }));
    await shows('-d link show veth0', /mtu 1390/, /master br0/, /hairpin on/, /alias it is näher/, /<[^>]*\bUP\b/);
    assert.match(await net.ip('pod', 'link show eth0'), /mtu 1380 .*state DOWN.*\n.*link\/ether 02:00:00:00:00:02/);
    const link = await socket.link('veth0');
    assert.deepEqual([link?.hairpin, link?.alias, link?.master, link?.kind], [true, 'it is näher', await index('br0'), 'veth']);
    using pod = Rtnetlink.openIn(net.path('pod'));
    assert.equal((await pod.link('eth0'))?.parent, link?.index);
    await must(changeLink(link?.index ?? 0, { hairpin: false, master: 0, up: false }));
    await shows('-d link show veth0', /state DOWN/, /^(?!.*master)/);
    await must(deleteLink('veth0'));
    assert.equal(await socket.link('veth0'), undefined);
  });

  test('VXLANs over both families, which learn or do not', async () => {
    const parent = await index('br0');
    const four = { kind: 'vxlan', vni: 5, port: 8472, local: '10.0.0.1', learning: false } as const;
    const six = { ...four, vni: 70_000, port: 4789, local: 'fd00::1', learning: true };
    await must(addLink('vx4', four, { up: true, parent }), addLink('vx6', six, { parent }));
    await shows('-d link show vx4', /vxlan id 5 local 10\.0\.0\.1 dev br0 .*dstport 8472 .*nolearning/);
    await shows('-d link show vx6', /vxlan id 70000 local fd00::1 dev br0 .*dstport 4789/);
    for (const [name, kind] of [
      ['vx4', four],
      ['vx6', six],
    ] as const) {
      const link = await socket.link(name);
      assert.deepEqual([link?.details, link?.parent], [kind, parent]);
    }
    await must(
      changeLink('vx4', { kind: { kind: 'vxlan', learning: true } }),
      changeLink('vx6', { kind: { kind: 'vxlan', learning: false } }),
    );
    assert.deepEqual((await socket.link('vx4'))?.details, { ...four, learning: true });
    assert.deepEqual((await socket.link('vx6'))?.details, { ...six, learning: false });
    await shows('-d link show vx6', /nolearning/);
    await must(deleteLink(await index('vx6')));
    await assert.rejects(socket.get(getLink('vx6'), 'x'), (err) => isErrno(err, 'ENODEV'));
    const [message] = await socket.get(getLink(await index('vx4')), 'x');
    assert.equal(message && parseLink(message)?.name, 'vx4');
  });

  test('addresses of both families, with and without the route to their range', async () => {
    const br0 = await index('br0');
    const four = { index: br0, ip: '10.1.0.1', prefix: 16 };
    await must(addAddress(four, { prefixRoute: false }), addAddress({ index: br0, ip: 'fd01::1', prefix: 64 }));
    await shows('addr show dev br0', /inet 10\.1\.0\.1\/16 .*noprefixroute/, /inet6 fd01::1\/64/);
    const own = (await socket.addresses()).filter((a) => a.index === br0 && !a.ip.startsWith('fe80'));
    assert.deepEqual(own.map((a) => `${a.ip}/${a.prefix}`).toSorted(), ['10.0.0.1/24', '10.1.0.1/16', 'fd00::1/64', 'fd01::1/64']);
    assert.ok(!(await socket.routes()).some((r) => r.dst === '10.1.0.0/16'));
    await must(deleteAddress(four));
    assert.ok(!(await net.ip('n', 'addr')).includes('10.1.0.1'));
  });

  test('routes of both families, of which those of other tables and kinds are not listed', async () => {
    const br0 = await index('br0');
    const routes = [
      { dst: '10.2.0.0/16', index: br0, gateway: '10.0.0.2', metric: 7, protocol: 70 },
      { dst: '10.3.0.0/24', index: br0, gateway: '10.9.9.9', onlink: true, protocol: 4 },
      { dst: '10.4.0.0/24', index: br0, source: '10.0.0.1', protocol: 4 },
      { dst: '0.0.0.0/0', index: br0, gateway: '10.0.0.2', protocol: 4 },
      { dst: 'fd02::/64', index: br0, gateway: 'fd00::2', metric: 1024, protocol: 70 },
    ];
    await must(...routes.map((r) => addRoute(r)));
    for (const line of ['route add 10.5.0.0/24 dev br0 table 100', 'route add unreachable 10.6.0.0/24', 'route add blackhole fd06::/64'])
      await net.ip('n', line);
    await shows(
      'route',
      /^10\.2\.0\.0\/16 via 10\.0\.0\.2 dev br0 proto 70 metric 7 (linkdown )?$/m,
      /^10\.3\.0\.0\/24 via 10\.9\.9\.9 dev br0 proto static onlink (linkdown )?$/m,
      /^10\.4\.0\.0\/24 dev br0 proto static scope link src 10\.0\.0\.1 (linkdown )?$/m,
      /^default via 10\.0\.0\.2 dev br0 proto static (linkdown )?$/m,
    );
    await shows('-6 route', /^fd02::\/64 via fd00::2 dev br0 proto 70 metric 1024/m);
    const listed = await socket.routes();
    for (const route of routes)
      assert.deepEqual(
        listed.find((r) => r.dst === route.dst),
        route,
      );
    for (const other of ['10.5.0.0/24', '10.6.0.0/24', 'fd06::/64']) assert.ok(!listed.some((r) => r.dst === other), other);
    await assert.rejects(must(addRoute({ dst: '10.2.0.0/16', index: br0, metric: 7 })), (err) => isErrno(err, 'EEXIST'));
    await must(replaceRoute({ dst: '10.2.0.0/16', index: br0, gateway: '10.0.0.3', metric: 7, protocol: 70 }));
    await shows('route', /^10\.2\.0\.0\/16 via 10\.0\.0\.3 /m);
    await must(...routes.map((r) => deleteRoute(r.metric === 7 ? { ...r, gateway: '10.0.0.3' } : r)));
    assert.deepEqual(
      (await socket.routes()).filter((r) => routes.some(({ dst }) => dst === r.dst)),
      [],
    );
  });

  test('permanent neighbours and forwarding entries, beside those that the kernel has learnt', async () => {
    const [br0, vx4] = [await index('br0'), await index('vx4')];
    const mac = '02:00:00:00:00:77';
    const entries = [
      { kind: 'neighbour', index: br0, ip: '10.0.0.7', mac },
      { kind: 'neighbour', index: br0, ip: 'fd00::7', mac },
    ] as const;
    const fdb = { kind: 'fdb', index: vx4, ip: '192.0.2.7', mac } as const;
    await must(...entries.map(replaceNeighbour), replaceNeighbour(fdb));
    await net.ip('n', 'neigh add 10.0.0.8 lladdr 02:00:00:00:00:08 dev br0 nud reachable');
    await shows(
      'neigh',
      /^10\.0\.0\.7 dev br0 lladdr 02:00:00:00:00:77 PERMANENT/m,
      /^fd00::7 dev br0 lladdr 02:00:00:00:00:77 PERMANENT/m,
    );
    assert.match((await net.run('n', 'bridge', ['fdb', 'show', 'dev', 'vx4'])).stdout, /02:00:00:00:00:77 dst 192\.0\.2\.7 self permanent/);
    assert.deepEqual(
      (await socket.neighbours()).filter((n) => n.index === br0).toSorted((a, b) => a.ip.localeCompare(b.ip)),
      entries,
    );
    assert.deepEqual(await socket.fdb(), [fdb]);
    await must(...entries.map(deleteNeighbour), deleteNeighbour(fdb));
    assert.deepEqual([await socket.fdb(), (await socket.neighbours()).filter((n) => n.index === br0)], [[], []]);
  });

  test('whether somebody has answered to an address', async () => {
    const br0 = await index('br0');
    const state = async (ip: string): Promise<boolean> => {
      const [message] = await socket.get(getNeighbour({ index: br0, ip }), 'look');
      return message !== undefined && isResolved(message);
    };
    await must(solicitNeighbour({ index: br0, ip: '10.0.0.9' }));
    await shows('neigh show 10.0.0.9', /INCOMPLETE|FAILED/);
    assert.deepEqual([await state('10.0.0.8'), await state('10.0.0.9')], [true, false]);
    await assert.rejects(state('10.0.0.10'), (err) => isErrno(err, 'ENOENT'));
  });
});
