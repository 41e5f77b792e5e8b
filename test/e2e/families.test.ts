/**
 * Clusters of IPv6 alone and of both families, IPv6 first: as a user of each sees them from the machine that their lab is attached to. A network
 * namespace stands for the machine, which must be as it was in the end.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { daemonSets, endpointSlices, nodes, pods, services } from '../../src/api/resource-types.ts';
import type { DaemonSet, EndpointSlice, Node, Pod, Service } from '../../src/api/schema/types.ts';
import { Client } from '../../src/client/client.ts';
import { loadKubeconfig } from '../../src/client/kubeconfig.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { joinHostPort, reverseName } from '../../src/ip/ip.ts';
import { httpGet } from '../../src/lab/http-get.ts';
import { defaultLabOptions } from '../../src/lab/lab-options.ts';
import { type LabPlan, planLab } from '../../src/lab/plan.ts';
import { usualRanges } from '../../src/lab/ranges.ts';
import type { Baseline } from '../../src/lab/testing/baseline.ts';
import { forgetLab, recordLab, runName } from '../../src/lab/testing/run-name.ts';
import { systemExec } from '../../src/linux/exec.ts';
import { enterNetns } from '../../src/linux/netns.ts';
import { Namespaces } from '../../src/linux/testing/namespaces.ts';
import { askDns } from './testing/dns-query.ts';
import { cannotStartLabs, fairlead } from './testing/lab.ts';
import { baselineIn, leaksSince } from './testing/leaks.ts';

const skip = cannotStartLabs || (existsSync('/proc/net/if_inet6') ? false : 'this kernel has no IPv6');

const nodePort = 30_080;

/** A pod on each node that answers with the address from which it was asked, and with what it knows of its own. */
const web: DaemonSet = {
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: {
        tolerations: [{ operator: 'Exists' }],
        terminationGracePeriodSeconds: 0,
        containers: [
          {
            name: 'web',
            image: 'fairlead.local/box:1',
            command: ['sh', '-c', 'echo "$POD_IPS $HOST_IPS" >/tmp/index.html; exec httpd -f -p 8080 -h /tmp'],
            env: ['podIPs', 'hostIPs'].map((field) => ({
              name: field === 'podIPs' ? 'POD_IPS' : 'HOST_IPS',
              valueFrom: { fieldRef: { fieldPath: `status.${field}` } },
            })),
            readinessProbe: { httpGet: { path: '/', port: 8080 }, periodSeconds: 1 },
          },
        ],
      },
    },
  },
};

const shop: Service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    type: 'LoadBalancer',
    ipFamilyPolicy: 'PreferDualStack',
    selector: { app: 'web' },
    ports: [{ port: 80, targetPort: 8080, nodePort }],
  },
};

const kinds = {
  'IPv6 alone': { name: runName('six'), workers: 1, podCidr: 'fd00:10:244::/56' },
  'both families, IPv6 first': { name: runName('two'), workers: 0, podCidr: 'fd00:10:244::/56,10.244.0.0/16' },
};

for (const [what, { name, workers, podCidr }] of Object.entries(kinds))
  describe(`a cluster of ${what}`, { skip }, () => {
    const plan: LabPlan = planLab({ ...defaultLabOptions, name, workers, ...usualRanges({ podCidr }) });
    const families = plan.families.map(({ pods: { family } }) => `IPv${family}`);
    const machines = new Namespaces();
    let machine = '';
    let baseline: Baseline;
    let client: Client;
    let inside: Disposable | undefined;

    const lab = async (...args: readonly string[]): Promise<void> => {
      const command = [`--net=${machine}`, process.execPath, fairlead, 'lab', ...args, '--name', name];
      const { code, stderr } = await systemExec.run('nsenter', command, { timeoutMs: 300_000 });
      assert.equal(code, 0, stderr);
    };

    before(async () => {
      await machines.add('machine');
      machine = machines.path('machine');
      baseline = await baselineIn(machine);
      await recordLab(name);
      const ranges = ['--underlay', plan.options.underlay, '--pod-cidr', podCidr, '--service-cidr', plan.options.serviceCidr];
      await lab('up', '--workers', String(workers), '--no-relay', ...ranges);
      inside = enterNetns(machine);
      client = new Client(await loadKubeconfig(plan.kubeconfig));
      await client.create(daemonSets, web);
      await client.create(services, shop);
    });

    const leave = (): void => {
      client?.close();
      inside?.[Symbol.dispose]();
      inside = undefined;
    };

    after(async () => {
      leave();
      await systemExec.run('nsenter', [`--net=${machine}`, process.execPath, fairlead, 'lab', 'down', '--name', name]);
      await forgetLab(name);
      await machines[Symbol.asyncDispose]();
    });

    const service = (named: string, namespace = 'default'): Promise<Service> => client.get<Service>(services, named, { namespace });

    test('nodes are Ready, with an address and a range of pods of each family', async () => {
      const { items } = await client.list<Node>(nodes);
      assert.equal(items.length, plan.nodes.length);
      for (const { metadata, spec, status } of items) {
        const { addresses } = plan.nodes.find((node) => node.name === metadata.name)!;
        const internal = status?.addresses?.filter(({ type }) => type === 'InternalIP').map(({ address }) => address);
        assert.deepEqual(internal, addresses);
        assert.deepEqual(
          spec?.podCIDRs?.map((cidr) => (cidr.includes(':') ? 'IPv6' : 'IPv4')),
          families,
        );
        assert.equal(status?.conditions?.find(({ type }) => type === 'Ready')?.status, 'True');
      }
    });

    test('the Services of the cluster itself are of the first family', async () => {
      const [kubernetes, dns] = await Promise.all([service('kubernetes'), service('kube-dns', 'kube-system')]);
      assert.deepEqual([kubernetes.spec?.clusterIPs, kubernetes.spec?.ipFamilies], [[plan.kubernetesAddress], ['IPv6']]);
      assert.deepEqual(dns.spec?.clusterIPs, [plan.dnsAddress]);
      const slice = await client.get<EndpointSlice>(endpointSlices, 'kubernetes', { namespace: 'default' });
      assert.deepEqual([slice.addressType, slice.endpoints?.[0]?.addresses], ['IPv6', [plan.controlPlane.address]]);
    });

    /** What the pods say: their addresses and their nodes'. */
    const answersAt = async (host: string, port: number, count: number): Promise<void> => {
      const seen = new Set<string>();
      await eventually(`${count} pods at ${joinHostPort(host, port)}`, async () => {
        seen.add((await httpGet(`http://${joinHostPort(host, port)}/`, { timeout: 5000 })).body.trim());
        assert.equal(seen.size, count);
      });
      const { items } = await client.list<Pod>(pods, { namespace: 'default' });
      const [pod] = items;
      assert.deepEqual(
        pod?.status?.podIPs?.map(({ ip }) => (ip.includes(':') ? 'IPv6' : 'IPv4')),
        families,
      );
      const wanted = items.map(({ status }) => [status?.podIPs, status?.hostIPs].map((list) => list?.map(({ ip }) => ip).join()).join(' '));
      assert.deepEqual([...seen].toSorted(), wanted.toSorted());
    };

    test('a Service leads to the pods of every node, by each of its addresses and at each address of every node', async () => {
      const { spec } = await service('web');
      assert.deepEqual(spec?.ipFamilies, families);
      for (const ip of spec?.clusterIPs ?? []) await answersAt(ip, 80, plan.nodes.length);
      for (const { addresses } of plan.nodes) for (const ip of addresses) await answersAt(ip, nodePort, plan.nodes.length);
      const { items } = await client.list<EndpointSlice>(endpointSlices, {
        namespace: 'default',
        labelSelector: 'kubernetes.io/service-name=web',
      });
      assert.deepEqual(items.map(({ addressType }) => addressType).toSorted(), families.toSorted());
    });

    test('its load balancer has an address of each family, which a node tells by ARP and NDP', async () => {
      const addresses = await eventually('the addresses', async () => {
        const ips = ((await service('web')).status?.loadBalancer?.ingress ?? []).map(({ ip = '' }) => ip);
        assert.deepEqual(
          ips.map((ip) => (ip.includes(':') ? 'IPv6' : 'IPv4')),
          families,
        );
        return ips;
      });
      for (const ip of addresses) await answersAt(ip, 80, plan.nodes.length);
    });

    test('DNS knows its addresses of each family, and its name by them', async () => {
      const name = 'web.default.svc.cluster.local';
      for (const ip of (await service('web')).spec?.clusterIPs ?? []) {
        const type = ip.includes(':') ? 'AAAA' : 'A';
        await eventually(`DNS to know ${ip}`, async () =>
          assert.deepEqual((await askDns(plan.dnsAddress, name, type)).answers, [`${type} ${ip}`]),
        );
        await eventually(`DNS to know whose ${ip} is`, async () =>
          assert.deepEqual((await askDns(plan.dnsAddress, reverseName(ip), 'PTR')).answers, [`PTR ${name}`]),
        );
      }
    });

    test('a pod finds the Service by its name', async () => {
      const { items } = await client.list<Pod>(pods, { namespace: 'default' });
      const { metadata } = items[0]!;
      const command = ['kubectl', 'exec', metadata.name, '--', 'wget', '-T', '10', '-qO-', 'http://web/'];
      const { code, stdout, stderr } = await systemExec.run('nsenter', [
        `--net=${machine}`,
        process.execPath,
        fairlead,
        'lab',
        'exec',
        'control-plane',
        '--name',
        name,
        '--',
        ...command,
      ]);
      assert.equal(code, 0, stderr);
      assert.match(stdout, /^fd00:10:244:\S+ fd00:/);
    });

    test('lab down leaves nothing behind', async () => {
      leave();
      await lab('down');
      await eventually('the machine to be as before', async () =>
        assert.deepEqual(leaksSince(baseline, await baselineIn(machine), plan), []),
      );
      assert.ok(!existsSync(plan.dir));
    });
  });
