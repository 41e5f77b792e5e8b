import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import ip6addr from 'ip6addr';
import { FrontendArbiter } from './arbiter.ts';
import { nothingReserved } from './reserved.ts';
import { type Frontend, frontendName, type ServicePlan } from './service-plan.ts';

/** A Service with one TCP port: its cluster IP, and addresses that somebody wrote; '' for a node port. */
function plan(key: string, age: number, clusterIp: string, written: readonly string[] = [], port = 80): ServicePlan {
  const target = { inside: 'cluster', outside: 'cluster', masquerade: 'always' } as const;
  const frontends: Frontend[] = [{ kind: 'cluster-ip', ip: clusterIp, port, ...target }];
  for (const ip of written)
    frontends.push(ip === '' ? { kind: 'node-port', port: 30_080, ...target } : { kind: 'external-ip', ip, port, ...target });
  return {
    key,
    rank: `${age} ${key}`,
    clusterIp,
    ports: [{ name: '', protocol: 'tcp', frontends, cluster: [], local: [], serving: new Set() }],
  };
}

/** What each Service that changed has, but for its cluster IP. */
function taken(arbiter: FrontendArbiter): Record<string, string[]> {
  const names = (p: ServicePlan | undefined): string[] =>
    (p?.ports ?? []).flatMap((port) => port.frontends.filter((f) => f.kind !== 'cluster-ip').map((f) => frontendName(f, port)));
  return Object.fromEntries([...arbiter.take()].map(([key, granted]) => [key, names(granted)]));
}

const anyNode = { nodeName: 'node1', serviceCidrs: [], nodePortIps: 'all' } as const;
const ip = '198.51.100.1';
const name = `${ip} . tcp . 80`;

describe('FrontendArbiter', () => {
  test('gives a plan back as it is when nobody contests it', () => {
    const arbiter = new FrontendArbiter(anyNode);
    const wanted = plan('n/a', 1, '10.96.0.1', [ip, '']);
    arbiter.put('n/a', wanted);
    assert.equal(arbiter.take().get('n/a'), wanted);
    assert.equal(arbiter.take().size, 0);
  });

  test('gives a frontend to the oldest, and to the next when that lets go', () => {
    const arbiter = new FrontendArbiter(anyNode);
    arbiter.put('n/young', plan('n/young', 2, '10.96.0.2', [ip]));
    assert.deepEqual(taken(arbiter), { 'n/young': [name] });
    arbiter.put('n/old', plan('n/old', 1, '10.96.0.1', [ip]));
    assert.deepEqual(taken(arbiter), { 'n/old': [name], 'n/young': [] });
    assert.deepEqual(arbiter.refusals, [{ service: 'n/young', frontend: name, reason: 'FrontendTaken', why: 'Service "n/old" has it' }]);
    arbiter.put('n/old', undefined);
    assert.deepEqual(taken(arbiter), { 'n/old': [], 'n/young': [name] });
    assert.deepEqual(arbiter.refusals, []);
  });

  test('lets a Service that was made anew go behind those that are older now', () => {
    const arbiter = new FrontendArbiter(anyNode);
    arbiter.put('n/a', plan('n/a', 1, '10.96.0.1', [ip]));
    arbiter.put('n/b', plan('n/b', 2, '10.96.0.2', [ip]));
    assert.deepEqual(taken(arbiter), { 'n/a': [name], 'n/b': [] });
    arbiter.put('n/a', plan('n/a', 3, '10.96.0.1', [ip]));
    assert.deepEqual(taken(arbiter), { 'n/a': [], 'n/b': [name] });
  });

  test('keeps what one has when another comes and goes', () => {
    const arbiter = new FrontendArbiter(anyNode);
    arbiter.put('n/old', plan('n/old', 1, '10.96.0.1', [ip]));
    arbiter.take();
    arbiter.put('n/young', plan('n/young', 2, '10.96.0.2', [ip]));
    assert.deepEqual(taken(arbiter), { 'n/young': [] });
    arbiter.put('n/young', plan('n/young', 2, '10.96.0.2'));
    assert.deepEqual(taken(arbiter), { 'n/young': [] });
    assert.deepEqual(arbiter.refusals, []);
  });

  test('gives nobody the cluster IP of another Service, on any port, while that Service has it', () => {
    const arbiter = new FrontendArbiter(anyNode);
    arbiter.put('n/thief', plan('n/thief', 1, '10.96.0.1', ['10.96.0.2'], 81));
    assert.deepEqual(taken(arbiter), { 'n/thief': ['10.96.0.2 . tcp . 81'] });
    arbiter.put('n/victim', plan('n/victim', 2, '10.96.0.2'));
    assert.deepEqual(taken(arbiter), { 'n/victim': [], 'n/thief': [] });
    assert.deepEqual(
      arbiter.refusals.map(({ service, reason, why }) => [service, reason, why]),
      [['n/thief', 'FrontendReserved', 'it is the cluster IP of Service "n/victim"']],
    );
    arbiter.put('n/victim', undefined);
    assert.deepEqual(taken(arbiter), { 'n/victim': [], 'n/thief': ['10.96.0.2 . tcp . 81'] });
  });

  test('lets a Service name its own cluster IP', () => {
    const arbiter = new FrontendArbiter(anyNode);
    arbiter.put('n/a', plan('n/a', 1, '10.96.0.1', ['10.96.0.1']));
    arbiter.take();
    assert.deepEqual(arbiter.refusals, []);
  });

  test('leaves a node port to its Service at every address that serves it, however old who writes that address is', () => {
    const arbiter = new FrontendArbiter({ ...anyNode, nodePortIps: ['192.0.2.1'] });
    arbiter.put('n/thief', plan('n/thief', 1, '10.96.0.1', ['192.0.2.1', '192.0.2.9'], 30_080));
    assert.deepEqual(taken(arbiter), { 'n/thief': ['192.0.2.1 . tcp . 30080', '192.0.2.9 . tcp . 30080'] });
    arbiter.put('n/victim', plan('n/victim', 2, '10.96.0.2', ['']));
    assert.deepEqual(taken(arbiter), { 'n/victim': ['tcp . 30080'], 'n/thief': ['192.0.2.9 . tcp . 30080'] });
    const [refusal] = arbiter.refusals;
    assert.deepEqual([refusal?.reason, refusal?.why], ['FrontendReserved', 'it is the node port of Service "n/victim"']);
    arbiter.put('n/victim', undefined);
    assert.deepEqual(taken(arbiter), { 'n/victim': [], 'n/thief': ['192.0.2.1 . tcp . 30080', '192.0.2.9 . tcp . 30080'] });
  });

  test('follows the addresses of this node and of others that serve node ports', () => {
    const arbiter = new FrontendArbiter(anyNode);
    const thief = (): string[] | undefined => taken(arbiter)['n/thief'];
    arbiter.put('n/thief', plan('n/thief', 1, '10.96.0.1', ['192.0.2.1', '192.0.2.2'], 30_080));
    arbiter.put('n/victim', plan('n/victim', 2, '10.96.0.2', ['']));
    assert.deepEqual(thief(), ['192.0.2.1 . tcp . 30080', '192.0.2.2 . tcp . 30080']);
    const [hostIps, ownIps] = [new Set(['192.0.2.1', '192.0.2.2']), new Set(['192.0.2.1'])];
    arbiter.reserve({ ...nothingReserved, hostIps, ownIps });
    assert.deepEqual(thief(), ['192.0.2.2 . tcp . 30080'], 'of the address that floats');
    const node2 = { name: 'node2', kubeletPort: 10_250, controls: false };
    arbiter.reserve({ ...nothingReserved, hostIps: ownIps, ownIps, nodes: new Map([['192.0.2.2', node2]]) });
    assert.deepEqual(thief(), []);
    arbiter.reserve(nothingReserved);
    assert.deepEqual(thief(), ['192.0.2.1 . tcp . 30080', '192.0.2.2 . tcp . 30080']);
  });

  test('gives an address whose node port nobody may have to who wrote it', () => {
    const arbiter = new FrontendArbiter({ ...anyNode, nodePortIps: ['192.0.2.1'] });
    arbiter.put('n/a', plan('n/a', 1, '10.96.0.1', ['192.0.2.1'], 30_080));
    arbiter.put('n/b', plan('n/b', 2, '10.96.0.2', ['']));
    arbiter.reserve({ ...nothingReserved, listening: new Set(['tcp . 30080']) });
    assert.deepEqual(taken(arbiter), { 'n/a': ['192.0.2.1 . tcp . 30080'], 'n/b': [] });
  });

  test('lets a Service write the addresses at which its own node port is', () => {
    const arbiter = new FrontendArbiter({ ...anyNode, nodePortIps: ['192.0.2.1'] });
    arbiter.put('n/a', plan('n/a', 1, '10.96.0.1', ['192.0.2.1', ''], 30_080));
    arbiter.take();
    assert.deepEqual(arbiter.refusals, []);
  });

  test('takes a frontend away when it becomes reserved, and gives it back', () => {
    const arbiter = new FrontendArbiter(anyNode);
    arbiter.put('n/a', plan('n/a', 1, '10.96.0.1', ['192.0.2.1', '']));
    arbiter.take();
    arbiter.reserve({ ...nothingReserved, ownIps: new Set(['192.0.2.1']), listening: new Set(['tcp . 80', 'tcp . 30080']) });
    assert.deepEqual(taken(arbiter), { 'n/a': [] });
    assert.equal(arbiter.refusals.length, 2);
    arbiter.reserve({ ...nothingReserved, ownIps: new Set(['192.0.2.1']), listening: new Set(['tcp . 80']) });
    assert.deepEqual(taken(arbiter), { 'n/a': ['tcp . 30080'] });
    arbiter.reserve(nothingReserved);
    assert.deepEqual(taken(arbiter), { 'n/a': ['192.0.2.1 . tcp . 80', 'tcp . 30080'] });
    arbiter.reserve(nothingReserved);
    assert.deepEqual(taken(arbiter), {});
  });

  test('gives what is reserved to nobody, however many claim it', () => {
    const arbiter = new FrontendArbiter({ ...anyNode, serviceCidrs: ['10.96.0.0/16'] });
    arbiter.put('n/a', plan('n/a', 1, '10.96.0.1', ['10.96.7.7']));
    arbiter.put('n/b', plan('n/b', 2, '10.96.0.2', ['10.96.7.7']));
    assert.deepEqual(taken(arbiter), { 'n/a': [], 'n/b': [] });
    assert.deepEqual(
      arbiter.refusals.map((r) => r.reason),
      ['FrontendReserved', 'FrontendReserved'],
    );
  });

  test('says of which addresses nodes and parts of the cluster have other ports, as of now', () => {
    const arbiter = new FrontendArbiter(anyNode);
    const shared = (): (string | undefined)[] | undefined =>
      arbiter
        .take()
        .get('n/a')
        ?.ports.flatMap(({ frontends }) => frontends.filter((f) => f.isShared).map((f) => f.ip));
    arbiter.put('n/a', plan('n/a', 1, '10.96.0.1', [ip, '192.0.2.1', '192.0.2.2', '']));
    assert.deepEqual(shared(), []);
    const nodes = new Map([['192.0.2.1', { name: 'node1', kubeletPort: 10_250, controls: false }]]);
    arbiter.reserve({ ...nothingReserved, nodes, servers: new Map([['192.0.2.2 . tcp . 6443', 'the API server listens there']]) });
    assert.deepEqual(shared(), ['192.0.2.1', '192.0.2.2']);
    arbiter.reserve({ ...nothingReserved, nodes });
    assert.deepEqual(shared(), ['192.0.2.1']);
    arbiter.reserve({ ...nothingReserved, nodes });
    assert.equal(shared(), undefined);
    arbiter.reserve({ ...nothingReserved, nodes, servers: new Map([['10.96.0.1 . tcp . 6443', 'the API server listens there']]) });
    assert.deepEqual(shared(), ['10.96.0.1', '192.0.2.1']);
  });

  test('looks for the Service range of an address once, however many ports it is written with', (t) => {
    const arbiter = new FrontendArbiter({ ...anyNode, serviceCidrs: ['10.96.0.0/12', '172.16.0.0/12'] });
    const contains = t.mock.method(Object.getPrototypeOf(ip6addr.createCIDR('::', 0)) as { contains(): boolean }, 'contains');
    const looksFor = (key: string, address: string, ports: number): number => {
      const before = contains.mock.callCount();
      const one = plan(key, 1, `fd00::${key.length}`, [address]);
      const frontends = Array.from({ length: ports }, (_, i) => one.ports[0]?.frontends.map((f) => ({ ...f, port: i + 1 })) ?? []);
      arbiter.put(key, { ...one, ports: one.ports.map((port) => ({ ...port, frontends: frontends.flat() })) });
      return contains.mock.callCount() - before;
    };
    looksFor('n/first', '10.96.7.1', 1);
    const once = looksFor('n/one', '10.96.7.2', 1);
    assert.ok(once > 0);
    assert.equal(looksFor('n/many', '10.96.7.3', 100), once);
    assert.equal(arbiter.refusalsOf('n/many').length, 100);
    arbiter.put('n/many', undefined);
    assert.equal(looksFor('n/many', '10.96.7.3', 1), once, 'what nobody writes any more is not kept');
  });
});
