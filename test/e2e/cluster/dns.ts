/** Names of the cluster, and of the world through a resolver that the test brings. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { eventually } from '../../../src/clock/testing/eventually.ts';
import { systemExec } from '../../../src/linux/exec.ts';
import type { Cluster } from '../testing/cluster.ts';
import { askDns, askDnsOverTcp } from '../testing/dns-query.ts';
import { output } from '../testing/lab.ts';
import { all, boxDeployment, boxPod, service } from '../testing/manifests.ts';

const space = 'names';
const externalName = `apiVersion: v1
kind: Service
metadata: { name: elsewhere }
spec: { type: ExternalName, externalName: outside.example }
`;

const withoutDig: string | false = await systemExec.run('dig', ['-v']).then(
  () => false,
  () => 'dig is not installed',
);

export function dnsSuite(cluster: () => Cluster): void {
  describe('dns', { concurrency: 3 }, () => {
    let dns = '';
    let podIps: string[] = [];
    const zone = 'svc.cluster.local';

    before(async () => {
      const c = cluster();
      dns = c.lab.plan.dnsAddress;
      await c.namespace(space);
      const named = boxPod('named', { app: 'named', spec: 'hostname: first\nsubdomain: group' });
      const group = service('group', '8080:8080', 'clusterIP: None', 'named');
      await c.apply(all(boxDeployment('many', 3), service('many', '8080:8080', 'clusterIP: None'), named, group, externalName), space);
      podIps = (await c.readyPods('default', 'app=web', 3)).map((p) => p.status?.podIP ?? '').toSorted();
      await c.readyPods(space, 'app=many', 3);
      const { status } = await c.readyPod(space, 'named');
      // Every node has a DNS of its own, which learns of the pods a moment later; what is asked for below is asked for once.
      for (const { address } of c.lab.plan.nodes) {
        await answersBecome(
          `web-headless.default.${zone}`,
          podIps.map((ip) => `A ${ip}`),
          address,
        );
        await answersBecome(`first.group.${space}.${zone}`, [`A ${status?.podIP}`], address);
        await answersBecome(`elsewhere.${space}.${zone}`, ['A 203.0.113.7', 'CNAME outside.example'], address);
      }
    });

    async function answersBecome(name: string, expected: readonly string[], server: string = dns): Promise<void> {
      await eventually(`${name} at ${server}`, async () => assert.deepEqual((await askDns(server, name)).answers, expected.toSorted()));
    }

    test('A of a Service is its ClusterIP', async () => {
      assert.deepEqual((await askDns(dns, `web.default.${zone}`)).answers, [`A ${await cluster().clusterIp('default', 'web')}`]);
      assert.deepEqual((await askDns(dns, `kubernetes.default.${zone}`)).answers, ['A 10.96.0.1']);
    });

    test('names do not mind upper case, and TCP answers the same', async () => {
      const expected = [`A ${await cluster().clusterIp('default', 'web')}`];
      assert.deepEqual((await askDns(dns, 'WEB.Default.svc.Cluster.Local')).answers, expected);
      assert.deepEqual((await askDnsOverTcp(dns, `web.default.${zone}`)).answers, expected);
    });

    test('SRV of a named port gives port and target', async () => {
      assert.deepEqual((await askDns(dns, `_http._tcp.web.default.${zone}`, 'SRV')).answers, [`SRV 0 100 80 web.default.${zone}`]);
    });

    test('PTR of a ClusterIP is the Service', async () => {
      const reversed = (await cluster().clusterIp('default', 'web')).split('.').toReversed().join('.');
      assert.deepEqual((await askDns(dns, `${reversed}.in-addr.arpa`, 'PTR')).answers, [`PTR web.default.${zone}`]);
    });

    test('A of a headless Service is the address of each of its pods', async () => {
      const { answers } = await askDns(dns, `web-headless.default.${zone}`);
      assert.deepEqual(
        answers,
        podIps.map((ip) => `A ${ip}`),
      );
    });

    test('SRV of a headless Service names each pod, and those names resolve', async () => {
      const reply = await askDns(dns, `_http._tcp.web-headless.default.${zone}`, 'SRV');
      assert.equal(reply.answers.length, 3);
      const targets = reply.answers.map((a) => a.split(' ')[4] ?? '');
      const addresses = await Promise.all(targets.map(async (t) => (await askDns(dns, t)).answers[0]));
      assert.deepEqual(
        addresses.toSorted(),
        podIps.map((ip) => `A ${ip}`),
      );
    });

    test('a pod with hostname and subdomain has a name of its own, forwards and back', async () => {
      const ip = (await cluster().readyPod(space, 'named')).status?.podIP ?? '';
      const name = `first.group.${space}.${zone}`;
      assert.deepEqual((await askDns(dns, name)).answers, [`A ${ip}`]);
      const reversed = ip.split('.').toReversed().join('.');
      assert.deepEqual((await askDns(dns, `${reversed}.in-addr.arpa`, 'PTR')).answers, [`PTR ${name}`]);
    });

    test('a headless Service follows its pods', async () => {
      await cluster().apps.patchNamespacedDeploymentScale({
        name: 'many',
        namespace: space,
        body: [{ op: 'replace', path: '/spec/replicas', value: 1 }],
      });
      const [pod] = await cluster().readyPods(space, 'app=many', 1);
      await answersBecome(`many.${space}.${zone}`, [`A ${pod?.status?.podIP}`]);
    });

    test('ExternalName is an alias, with the address from the resolver outside', async () => {
      const { answers } = await askDns(dns, `elsewhere.${space}.${zone}`);
      assert.deepEqual(answers, ['A 203.0.113.7', 'CNAME outside.example']);
    });

    test('a name outside goes to the resolver of the lab, on every node', async () => {
      for (const node of cluster().lab.plan.nodes) {
        const reply = await askDns(node.address, 'outside.example');
        assert.deepEqual([reply.rcode, reply.answers], ['NOERROR', ['A 203.0.113.7']], node.name);
      }
      assert.equal((await askDns(dns, 'no-such-name.example')).rcode, 'NXDOMAIN');
    });

    test('a name that the cluster does not have is NXDOMAIN; a type that a name does not have is an empty answer', async () => {
      assert.equal((await askDns(dns, `nobody.default.${zone}`)).rcode, 'NXDOMAIN');
      assert.equal((await askDns(dns, `web.no-such-namespace.${zone}`)).rcode, 'NXDOMAIN');
      const none = await askDns(dns, `web.default.${zone}`, 'AAAA');
      assert.deepEqual([none.rcode, none.answers], ['NOERROR', []]);
    });

    test('a pod resolves short names by its search list, and reaches a Service by name', async () => {
      const conf = await cluster().sh(space, 'named', 'cat /etc/resolv.conf');
      assert.match(conf, new RegExp(`^nameserver ${dns}$`, 'm'));
      assert.match(conf, new RegExp(`^search ${space}\\.svc\\.cluster\\.local svc\\.cluster\\.local cluster\\.local`, 'm'));
      assert.match(conf, /^options ndots:5$/m);
      const script = 'timeout 5 wget -q -O - http://web.default/ && timeout 5 wget -q -O - http://web.default.svc.cluster.local/';
      assert.match(await cluster().sh(space, 'named', script), /^pod=web-\S+ node=\S+\npod=web-/);
    });

    test('a node resolves Services too', async () => {
      assert.match(await cluster().lab.must('worker-1', 'curl', '-sS', '--max-time', '30', `http://web.default.${zone}/`), /^pod=web-/);
    });

    test('the DNS publishes one ready endpoint per node behind kube-dns', async () => {
      const slices = await cluster().discovery.listNamespacedEndpointSlice({
        namespace: 'kube-system',
        labelSelector: 'kubernetes.io/service-name=kube-dns',
      });
      const ready = slices.items.flatMap((s) =>
        (s.endpoints ?? []).filter((e) => e.conditions?.ready !== false).flatMap((e) => e.addresses),
      );
      assert.deepEqual(
        ready.toSorted(),
        cluster()
          .lab.plan.nodes.map((n) => n.address)
          .toSorted(),
      );
    });

    test('dig answers as the tour says', { skip: withoutDig }, async () => {
      const dig = async (...args: string[]): Promise<string> => (await output('dig', [`@${dns}`, '+short', '+time=5', ...args])).trim();
      const ip = await cluster().clusterIp('default', 'web');
      assert.equal(await dig(`web.default.${zone}`, 'A'), ip);
      assert.equal(await dig(`web.default.${zone}`, 'A', '+tcp'), ip);
      assert.equal(await dig(`_http._tcp.web.default.${zone}`, 'SRV'), `0 100 80 web.default.${zone}.`);
      assert.equal(await dig('-x', ip), `web.default.${zone}.`);
      assert.deepEqual((await dig(`web-headless.default.${zone}`)).split('\n').toSorted(), podIps);
      assert.equal(await dig(`elsewhere.${space}.${zone}`), 'outside.example.\n203.0.113.7');
      assert.equal(await dig('outside.example'), '203.0.113.7');
    });
  });
}
