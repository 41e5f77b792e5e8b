/** Services carry traffic: from outside, from nodes, from pods. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { before, describe, test } from 'node:test';
import { eventually } from '../../../src/clock/testing/eventually.ts';
import type { Cluster } from '../testing/cluster.ts';
import { all, boxDaemonSet, boxPod, quickReadiness, service } from '../testing/manifests.ts';
import { allAnswer, httpText, podOf, refusedTwentyTimes, tcpEcho, udpEcho } from '../testing/network.ts';

const space = 'traffic';

/** One pod on every node, whatever its taints, so that each path between nodes can be asked for by name. */
const everywhere = boxDaemonSet('probe', { spec: 'tolerations: [{ operator: Exists }]' });

/** Twelve requests in one run; a process per request would cost more than the request. */
function loop(url: string): string {
  return `for i in 1 2 3 4 5 6 7 8 9 10 11 12; do timeout 5 wget -q -O - ${url} || exit 1; done`;
}

/** The address that the box saw its client come from; busybox writes IPv4 as IPv6 knows it. */
function seenClient(page: string): string {
  return page.trim().replace(/^\[::ffff:(.*)\]$/, '$1');
}

/** Twenty connections with the shell's own networking; prints the reason once for each. */
function knock(address: string, port: number, wget = 'wget'): string {
  return `for i in $(seq 20); do timeout 5 ${wget} -q -O - http://${address}:${port}/ 2>&1 | grep -o 'refused\\|timed out\\|unreachable'; done`;
}

export function trafficSuite(cluster: () => Cluster): void {
  describe('traffic', { concurrency: 3 }, () => {
    const web: string[] = [];
    /** Node name → the probe pod there. */
    const probes = new Map<string, { readonly name: string; readonly ip: string }>();
    let nodeAddresses = new Map<string, string>();

    const anyProbe = (): string => probes.get('worker-1')?.name ?? '';

    before(async () => {
      const c = cluster();
      await c.namespace(space);
      const solo = boxPod('solo', { container: quickReadiness });
      const sticky = service('sticky', '80:8080', 'sessionAffinity: ClientIP', 'web');
      await c.apply(
        all(everywhere, solo, service('solo', '80:8080 7:7/TCP 7:7/UDP'), service('nobody', '80:8080', 'type: NodePort')),
        space,
      );
      await c.apply(sticky, 'default');
      for (const pod of await c.readyPods(space, 'app=probe', 3))
        probes.set(pod.spec?.nodeName ?? '', { name: pod.metadata?.name ?? '', ip: pod.status?.podIP ?? '' });
      await c.readyPod(space, 'solo');
      // The rules of a node follow a moment after the pods; what is asked for below is asked for once.
      const soloIp = await c.clusterIp(space, 'solo');
      for (const [node, { name }] of probes)
        await eventually(`"solo" to answer ${node}`, () => c.sh(space, name, `timeout 5 wget -q -O - http://${soloIp}/`));
      web.push(...(await c.readyPods('default', 'app=web', 3)).map((p) => p.metadata?.name ?? ''));
      nodeAddresses = new Map(c.lab.plan.nodes.map((n) => [n.name, n.address]));
    });

    test('a ClusterIP answers a client outside from all three pods', async () => {
      const ip = await cluster().clusterIp('default', 'web');
      await allAnswer(() => httpText(ip), web, 'to the client');
    });

    test('a ClusterIP answers every node from all three pods', async () => {
      const ip = await cluster().clusterIp('default', 'web');
      for (const node of nodeAddresses.keys())
        await allAnswer(() => cluster().lab.must(node, 'busybox', 'sh', '-c', loop(`http://${ip}/`)), web, `to ${node}`);
    });

    test('a ClusterIP answers a pod on each node from all three pods', async () => {
      const ip = await cluster().clusterIp('default', 'web');
      for (const [node, pod] of probes)
        await allAnswer(() => cluster().sh(space, pod.name, loop(`http://${ip}/`)), web, `to a pod on ${node}`);
    });

    test('a NodePort answers on every node from all three pods, also on one without a pod of the Service', async () => {
      const pods = await cluster().pods('default', 'app=web');
      assert.ok(!pods.some((p) => p.spec?.nodeName === 'control-plane'));
      for (const [node, address] of nodeAddresses) await allAnswer(() => httpText(address, 30080), web, `through ${node}`);
    });

    test('a NodePort answers the node itself and a pod', async () => {
      for (const [node, address] of nodeAddresses) {
        const other = [...nodeAddresses.values()].find((a) => a !== address);
        await allAnswer(() => cluster().lab.must(node, 'busybox', 'sh', '-c', loop(`http://${address}:30080/`)), web, `to ${node} itself`);
        await allAnswer(
          () => cluster().sh(space, probes.get(node)?.name ?? '', loop(`http://${other}:30080/`)),
          web,
          `to a pod on ${node}`,
        );
      }
    });

    test('pods of different nodes reach each other, and keep their addresses', async () => {
      for (const [, from] of probes)
        for (const [, to] of probes)
          assert.equal(seenClient(await cluster().sh(space, from.name, `wget -q -O - http://${to.ip}:8080/cgi-bin/client`)), from.ip);
    });

    test('a Service without endpoints refuses a client twenty times in a row', async () => {
      const nobody = await cluster().service(space, 'nobody');
      await refusedTwentyTimes(nobody.spec?.clusterIP ?? '', 80);
      for (const address of nodeAddresses.values()) await refusedTwentyTimes(address, nobody.spec?.ports?.[0]?.nodePort ?? 0);
    });

    test('a Service without endpoints refuses nodes and pods twenty times in a row', async () => {
      const ip = await cluster().clusterIp(space, 'nobody');
      const refused = `${'refused\n'.repeat(20)}`;
      for (const node of nodeAddresses.keys())
        assert.equal((await cluster().lab.run(node, ['busybox', 'sh', '-c', knock(ip, 80, 'busybox wget')])).stdout, refused);
      for (const { name } of probes.values())
        assert.equal((await cluster().exec(space, name, ['sh', '-c', knock(ip, 80)])).stdout, refused);
    });

    test('a port that a Service does not have, and an address that none has, are refused', async () => {
      await refusedTwentyTimes(await cluster().clusterIp('default', 'web'), 81);
      await refusedTwentyTimes('10.96.255.254', 80);
    });

    test('session affinity keeps a client with one pod', async () => {
      const ip = await cluster().clusterIp('default', 'sticky');
      const first = await eventually('the Service to be programmed', () => httpText(ip));
      for (let i = 0; i < 20; i++) assert.equal(await httpText(ip), first);
      const [, ...rest] = (await cluster().sh(space, anyProbe(), loop(`http://${ip}/`))).trim().split('\n');
      assert.equal(new Set(rest.map(podOf)).size, 1);
    });

    test('a pod reaches itself through its own Service', async () => {
      const ip = await cluster().clusterIp(space, 'solo');
      assert.equal(podOf(await cluster().sh(space, 'solo', `timeout 5 wget -q -O - http://${ip}/`)), 'solo');
    });

    test('a Service echoes TCP and UDP on the same port number', async () => {
      const ip = await cluster().clusterIp(space, 'solo');
      const long = 'x'.repeat(100_000);
      assert.equal(await tcpEcho(ip, 7, long), long);
      for (const text of ['one', 'two', 'y'.repeat(1400)]) assert.equal(await udpEcho(ip, 7, text), text);
      assert.equal(await cluster().sh(space, anyProbe(), `echo hello | timeout 5 nc ${ip} 7`), 'hello\n');
    });

    test('a pod that asks a ClusterIP keeps its address; a client outside gets that of a node', async () => {
      const ip = await cluster().clusterIp(space, 'solo');
      const probe = probes.get('worker-2');
      assert.equal(seenClient(await cluster().sh(space, probe?.name ?? '', `wget -q -O - http://${ip}/cgi-bin/client`)), probe?.ip);
      const seen = seenClient(await httpText(ip, 80, '/cgi-bin/client'));
      assert.notEqual(seen, cluster().lab.plan.clientAddress);
      assert.match(seen, /^(10\.244\.|192\.168\.)/);
    });

    test('a pod that leaves the cluster has the address of its node', async () => {
      const server = createServer((request, response) => response.end(request.socket.remoteAddress)).listen(
        0,
        cluster().lab.plan.clientAddress,
      );
      try {
        await new Promise((resolve) => server.once('listening', resolve));
        const { address, port } = server.address() as AddressInfo;
        for (const [node, { name }] of probes)
          assert.equal(await cluster().sh(space, name, `timeout 5 wget -q -O - http://${address}:${port}/`), nodeAddresses.get(node));
      } finally {
        server.close();
      }
    });

    test('externalTrafficPolicy Local keeps the address of the client and refuses where there is no pod', async () => {
      await cluster().apply(service('local', '80:8080', 'type: NodePort\nexternalTrafficPolicy: Local', 'solo'), space);
      const port = (await cluster().service(space, 'local')).spec?.ports?.[0]?.nodePort ?? 0;
      const home = (await cluster().readyPod(space, 'solo')).spec?.nodeName ?? '';
      const seen = await eventually('the NodePort to answer', () => httpText(nodeAddresses.get(home) ?? '', port, '/cgi-bin/client'));
      assert.equal(seenClient(seen), cluster().lab.plan.clientAddress);
      // Upstream drops here instead of refusing, so that a load balancer tries another node.
      for (const [node, address] of nodeAddresses) if (node !== home) await assert.rejects(httpText(address, port, '/', 300));
    });
  });
}
