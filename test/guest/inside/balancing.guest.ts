/** Mode ipvs with real connections: how they are spread, and what becomes of them when endpoints go. Runs in the guest. */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { eventually } from '../../../src/clock/testing/eventually.ts';
import { mustRun } from '../../../src/linux/exec.ts';
import { kernelIptablesIn } from '../../../src/linux/iptables/testing/kernel-in.ts';
import type { HeldRealServer, VirtualAddress } from '../../../src/linux/ipvs/ipvs.ts';
import { KernelIpvs } from '../../../src/linux/ipvs/kernel-ipvs.ts';
import { inNetns } from '../../../src/linux/netns.ts';
import { IptablesMode } from '../../../src/proxy/mode/iptables/iptables-mode.ts';
import type { IpvsMode } from '../../../src/proxy/mode/ipvs/ipvs-mode.ts';
import { execIn, ipvsModeIn } from '../../../src/proxy/mode/ipvs/testing/kernel-mode.ts';
import { sampleNode as node } from '../../../src/proxy/testing/sample-node.ts';
import { Connection, probe } from '../../rules/probe.ts';
import { ServedServices } from '../../rules/testing/served-services.ts';
import { buildTopology, echoPort, type Topology } from '../../rules/topology.ts';

const endpoints = ['10.244.1.2', '10.244.1.3', '10.244.2.2'];
const client = '10.244.1.100';
/** Only who hangs takes so long: on a busy machine the guest stands still for seconds. */
const answerMs = 60_000;
const answerSeconds = answerMs / 1000;

describe('mode ipvs with real connections', { concurrency: false }, () => {
  let topology: Topology;
  let ipvs: KernelIpvs;
  let mode: IpvsMode;
  let served: ServedServices;
  const opened: Connection[] = [];

  before(async () => {
    topology = await buildTopology(['10.244.1.2', '10.244.1.3', client], ['10.244.2.2'], 'b');
    ipvs = inNetns(topology.node, () => new KernelIpvs());
    mode = ipvsModeIn(topology.node);
    await mode.probe();
    served = new ServedServices(mode, await mode.open(node));
    await served.sync();
  });
  const closeAll = (): void => {
    for (const connection of opened.splice(0)) connection[Symbol.dispose]();
  };
  afterEach(closeAll);
  after(async () => {
    await mode?.cleanUp();
    mode?.close();
    ipvs?.close();
    await topology?.[Symbol.asyncDispose]();
  });

  const server = (ip: string, protocol: 'tcp' | 'udp' = 'tcp'): VirtualAddress => ({ kind: 'address', ip, port: 80, protocol });
  const realOf = async (ip: string, real: string): Promise<HeldRealServer | undefined> =>
    (await ipvs.realServers(server(ip))).find((one) => one.ip === real);
  /** Each test has an address of its own: connections that have ended are counted for two minutes. */
  let vip = '';
  let vips = 0;
  beforeEach(() => {
    vip = `10.96.1.${++vips}`;
  });

  /** The address of who answers a new connection. */
  async function answered(ip: string): Promise<string> {
    const result = await probe(topology.namespaceOf(client), ip, 80, 'tcp', answerMs);
    return result.kind === 'answered' ? (result.by.split(':')[0] ?? '') : result.kind;
  }

  /** A connection that stays open, and who has it. */
  async function open(ip: string): Promise<readonly [Connection, string]> {
    const was = new Map((await ipvs.realServers(server(ip))).map((real) => [real.ip, real.activeConnections]));
    const connection = await Connection.open(topology.namespaceOf(client), ip, 80, 'tcp', answerMs);
    assert.ok(connection instanceof Connection, String(connection));
    opened.push(connection);
    assert.equal(await connection.exchange('a', answerMs), 'a');
    const more = (await ipvs.realServers(server(ip))).filter((real) => real.activeConnections > (was.get(real.ip) ?? 0));
    assert.equal(more.length, 1);
    return [connection, more[0]?.ip ?? ''];
  }

  test('round robin alternates exactly, also between two Services', async () => {
    await served.serve(vip, endpoints);
    await served.serve('10.96.0.2', endpoints);
    const turns = new Map<string, string[]>([
      [vip, []],
      ['10.96.0.2', []],
    ]);
    for (let i = 0; i < 9; i++) for (const [ip, seen] of turns) seen.push(await answered(ip));
    for (const seen of turns.values()) {
      assert.deepEqual(seen.slice(0, 3).sort(), endpoints);
      assert.deepEqual(seen.slice(3), [...seen.slice(0, 3), ...seen.slice(0, 3)]);
    }
  });

  test('least connection sends new connections to the endpoint with the fewest open ones', async () => {
    await served.serve(vip, endpoints, { algorithm: 'least-connection', targetPort: echoPort });
    const held: (readonly [Connection, string])[] = [];
    for (let i = 0; i < 6; i++) held.push(await open(vip));
    for (const ip of endpoints) assert.equal(held.filter(([, by]) => by === ip).length, 2, ip);
    // Reset, since a connection that is being closed counts a little for two minutes.
    for (const [connection, by] of held)
      if (by === endpoints[1]) {
        connection.send('unread');
        connection[Symbol.dispose]();
        opened.splice(opened.indexOf(connection), 1);
      }
    await eventually('they are counted as ended', async () => (await realOf(vip, endpoints[1] ?? ''))?.activeConnections === 0);
    assert.deepEqual([(await open(vip))[1], (await open(vip))[1]], [endpoints[1], endpoints[1]]);
  });

  test('every algorithm that the mode offers serves, by the scheduler of that name', async () => {
    const schedulerOf = (algorithm: string): string => ({ 'source-hash': 'mh', 'sh-port': 'sh' })[algorithm] ?? algorithm;
    const placed = mode.algorithms.map((algorithm, i) => ({ algorithm, ip: `10.96.4.${i}` }));
    for (const { algorithm, ip } of placed) served.put(ip, endpoints, { algorithm });
    await served.sync();
    for (const { algorithm, ip } of placed) assert.ok(endpoints.includes(await answered(ip)), algorithm);
    const held = new Map((await ipvs.read()).map(({ address, scheduler }) => [address.kind === 'address' ? address.ip : '', scheduler]));
    assert.deepEqual(
      placed.map(({ ip }) => held.get(ip)),
      placed.map(({ algorithm }) => schedulerOf(algorithm)),
    );
  });

  for (const algorithm of ['sh', 'sh-port', 'mh', 'source-hash'])
    test(`a client of ${algorithm} has another endpoint at once when its own goes away, and keeps its connection`, async () => {
      await served.serve(vip, endpoints, { algorithm, targetPort: echoPort });
      const [connection, by] = await open(vip);
      const others = endpoints.filter((ip) => ip !== by);
      await served.serve(vip, others, { algorithm, targetPort: echoPort });
      assert.equal((await realOf(vip, by))?.weight, 0);
      for (let i = 0; i < 4; i++) assert.ok(others.includes((await open(vip))[1]));
      assert.equal(await connection.exchange('still', answerMs), 'still');
    });

  test('sh-port spreads one client by its ports, each of them to an endpoint of its own; sh does not', async () => {
    const ports = Array.from({ length: 24 }, (_, i) => 20_000 + i);
    const from = execIn(topology.namespaceOf(client));
    const placed = async (ip: string): Promise<string[]> => {
      const ask = `for p in ${ports.join(' ')}; do curl -s -m ${answerSeconds} --http0.9 --local-port $p http://${ip}/ || echo -; echo; done`;
      return (await mustRun(from, 'sh', ['-c', ask]))
        .trim()
        .split('\n')
        .map((line) => line.split(':')[0] ?? '');
    };
    // Of two Services with the same endpoints: a port that was used to one cannot be used again to that so soon.
    const twin = `10.96.2.${vips}`;
    for (const ip of [vip, twin]) await served.serve(ip, endpoints, { algorithm: 'sh-port' });
    const byPort = await placed(vip);
    assert.deepEqual([...new Set(byPort)].sort(), endpoints);
    assert.deepEqual(await placed(twin), byPort);
    const plain = `10.96.3.${vips}`;
    await served.serve(plain, endpoints, { algorithm: 'sh' });
    assert.equal(new Set(await placed(plain)).size, 1);
  });

  test('a Service that goes away keeps its connections and lets nobody new in; then it is gone', async () => {
    await served.serve(vip, endpoints, { targetPort: echoPort });
    const [connection] = await open(vip);
    await served.remove(vip);
    assert.deepEqual(await probe(topology.namespaceOf(client), vip, 80, 'tcp', answerMs), { kind: 'refused' });
    assert.equal(await connection.exchange('still', answerMs), 'still');
    connection.send('unread');
    closeAll();
    await eventually('nothing is left of it', async () =>
      (await ipvs.read()).every(({ address }) => address.kind === 'mark' || address.ip !== vip),
    );
  });

  test('an endpoint that goes away keeps its connections and gets no new ones; then it is gone', async () => {
    await served.serve(vip, endpoints, { targetPort: echoPort });
    const [connection, by] = await open(vip);
    const others = endpoints.filter((ip) => ip !== by);
    await served.serve(vip, others, { targetPort: echoPort });
    assert.equal((await realOf(vip, by))?.weight, 0);
    assert.equal(await connection.exchange('still', answerMs), 'still');
    for (let i = 0; i < 4; i++) assert.ok(others.includes((await open(vip))[1]));
    await served.serve(vip, endpoints, { targetPort: echoPort });
    assert.equal((await realOf(vip, by))?.weight, 1, 'it serves again when it comes back');
    await served.serve(vip, [], { targetPort: echoPort });
    assert.equal(await connection.exchange('alone', answerMs), 'alone');
    assert.deepEqual(await probe(topology.namespaceOf(client), vip, 80, 'tcp', answerMs), { kind: 'refused' });
    for (const one of opened.splice(0)) {
      one.send('unread');
      one[Symbol.dispose]();
    }
    await eventually('nothing is left of it', async () =>
      (await ipvs.read()).every(({ address }) => address.kind === 'mark' || address.ip !== vip),
    );
  });

  test('a client of a hash keeps its endpoint, and hardly any moves whose endpoint stays', async () => {
    const out = topology.namespaceOf('192.168.120.1');
    const clients = Array.from({ length: 32 }, (_, i) => `192.168.120.${100 + i}`);
    const shell = execIn(out);
    await mustRun(shell, 'sh', ['-c', clients.map((ip) => `ip addr add ${ip}/24 dev br0`).join(';')]);
    const ask = `for c in ${clients.join(' ')}; do curl -s -m ${answerSeconds} --http0.9 --interface $c http://${vip}/ || echo -; echo; done`;
    const answers = async (): Promise<string[]> => {
      const lines = (await mustRun(shell, 'sh', ['-c', ask])).trim().split('\n');
      assert.equal(lines.length, clients.length);
      return lines.map((line) => line.split(':')[0] ?? '');
    };
    await served.serve(vip, endpoints, { algorithm: 'source-hash' });
    const first = await answers();
    assert.deepEqual([...new Set(first)].sort(), endpoints);
    assert.deepEqual(await answers(), first);
    const gone = endpoints[0];
    await served.serve(vip, endpoints.slice(1), { algorithm: 'source-hash' });
    const second = await answers();
    assert.ok(
      second.every((by) => endpoints.slice(1).includes(by)),
      second.join(),
    );
    const moved = first.filter((by, i) => by !== gone && by !== second[i]).length;
    // Maglev's table is made anew, which moves a few: half of them with any other hash.
    assert.ok(moved <= clients.length / 6, `${moved} moved`);
  });

  test('a client with affinity keeps its endpoint until that goes', async () => {
    await served.serve(vip, endpoints, { affinity: true });
    const by = await answered(vip);
    for (let i = 0; i < 5; i++) assert.equal(await answered(vip), by);
    await served.serve(
      vip,
      endpoints.filter((ip) => ip !== by),
      { affinity: true },
    );
    await eventually('it has another', async () => endpoints.includes(await answered(vip)) && (await answered(vip)) !== by);
  });

  test('a flow of datagrams leaves an endpoint that is gone', async () => {
    await served.serve(vip, endpoints, { protocol: 'UDP' });
    const flow = await Connection.open(topology.namespaceOf(client), vip, 80, 'udp', answerMs);
    assert.ok(flow instanceof Connection);
    opened.push(flow);
    const by = (await flow.exchange('hello', answerMs)).split(':')[0] ?? '';
    assert.ok(endpoints.includes(by), by);
    assert.equal((await flow.exchange('hello', answerMs)).split(':')[0], by);
    const others = endpoints.filter((ip) => ip !== by);
    await served.serve(vip, others, { protocol: 'UDP' });
    await eventually('another answers', async () => others.includes((await flow.exchange('hello', 500)).split(':')[0] ?? ''));
  });

  test('opens no port of the node at an address that finds no room in a full set, and serves it as soon as there is some', async () => {
    const give = (room: string): Promise<string> => {
      const steps = [
        `ipset create fl-other hash:ip family inet hashsize 1024 maxelem ${room}`,
        "ipset save KUBE-IPVS-IPS | sed -n 's/^add KUBE-IPVS-IPS/add fl-other/p' | ipset restore",
        'ipset swap fl-other KUBE-IPVS-IPS',
        'ipset destroy fl-other',
      ];
      return mustRun(execIn(topology.node), 'sh', ['-c', steps.join(' && ')]);
    };
    await served.serve(vip, endpoints);
    await give("$(ipset list KUBE-IPVS-IPS | grep -c '^[0-9]')");
    const late = `10.96.5.${vips}`;
    // The node listens on 8443 at all of its addresses.
    const fates = (): Promise<string[]> =>
      Promise.all([80, 8443].map(async (port) => (await probe(topology.namespaceOf(client), late, port, 'tcp', answerMs)).kind));
    try {
      await served.serve(late, endpoints);
      assert.deepEqual(await fates(), ['refused', 'refused']);
      await served.remove(vip);
      assert.deepEqual(await fates(), ['answered', 'refused']);
    } finally {
      await give('65536');
    }
  });

  test('serves 5,000 Services, and changes one of them by few messages', async (t) => {
    for (let i = 0; i < 5000; i++) served.put(`10.96.${100 + (i >> 8)}.${i & 255}`, endpoints.slice(0, 2));
    const begun = performance.now();
    await served.sync();
    t.diagnostic(`5,000 Services × 2 endpoints in ${Math.round(performance.now() - begun)} ms`);
    assert.ok(endpoints.includes(await answered('10.96.100.0')));
    assert.ok(endpoints.includes(await answered('10.96.119.135')));
    const change = performance.now();
    await served.serve('10.96.119.135', endpoints);
    t.diagnostic(`one endpoint more in ${Math.round(performance.now() - change)} ms`);
    const look = performance.now();
    await mode.verify();
    t.diagnostic(`compared in ${Math.round(performance.now() - look)} ms`);
  });

  // The last: it ends the mode.
  test('a connection lives on when mode iptables takes over, and new ones go its way', async () => {
    await served.serve(vip, endpoints, { targetPort: echoPort });
    const [connection, endpoint] = await open(vip);
    const other = new IptablesMode({ iptables: kernelIptablesIn(topology.node, '-legacy'), closes: true });
    try {
      await other.probe();
      await new ServedServices(other, await other.open(node)).serve(vip, endpoints, { targetPort: echoPort });
      assert.equal(await mode.drain(), false);
      assert.equal(await connection.exchange('b', answerMs), 'b');
      const fresh = await Connection.open(topology.namespaceOf(client), vip, 80, 'tcp', answerMs);
      assert.ok(fresh instanceof Connection, String(fresh));
      opened.push(fresh);
      assert.equal(await fresh.exchange('c', answerMs), 'c');
      assert.equal(await connection.exchange('d', answerMs), 'd');
      const carried = (await ipvs.realServers(server(vip))).filter(({ activeConnections }) => activeConnections > 0);
      assert.deepEqual(
        carried.map(({ ip, activeConnections }) => [ip, activeConnections]),
        [[endpoint, 1]],
      );
    } finally {
      // Without its rules the other end would never hear of it.
      closeAll();
      await other.cleanUp();
      other.close();
    }
  });
});
