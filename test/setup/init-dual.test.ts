/** A cluster of both families made by init and join on two bare machines, as kubeadm's documentation has it, and taken away again. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { parse } from 'yaml';
import type { EndpointSlice, Node, Service } from '../../src/api/schema/types.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { joinHostPort } from '../../src/ip/ip.ts';
import { httpGet } from '../../src/lab/http-get.ts';
import { askDns } from '../e2e/testing/dns-query.ts';
import { cannotStartLabs, TestLab } from '../e2e/testing/lab.ts';
import { all, boxDaemonSet, quickReadiness, service } from '../e2e/testing/manifests.ts';
import { answers, Machine, startOneEtcd } from './machine.ts';

const hasIpv6 = existsSync('/proc/net/if_inet6');
const skip = cannotStartLabs || (!hasIpv6 && 'this kernel has no IPv6') || (!(await answers('etcd')) && 'etcd is not installed');
const podSubnet = '10.244.0.0/16,fd00:10:244::/56';
const serviceSubnet = '10.96.0.0/16,fd00:10:96::/112';

const configuration = (addresses: readonly string[], etcd: string): string => `apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: { advertiseAddress: ${addresses[0]} }
nodeRegistration:
  kubeletExtraArgs: [{ name: node-ip, value: "${addresses}" }]
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
controlPlaneEndpoint: ${addresses[0]}:6443
etcd: { external: { endpoints: ["${etcd}"] } }
networking: { podSubnet: "${podSubnet}", serviceSubnet: "${serviceSubnet}" }
`;

const ports = { prefers: 30_081, requires: 30_082 };
const manifest = all(
  boxDaemonSet('web', { spec: 'tolerations: [{ operator: Exists }]', container: quickReadiness }),
  service('prefers', '80:8080', 'type: NodePort\nipFamilyPolicy: PreferDualStack', 'web').replace(
    'port: 80,',
    `port: 80, nodePort: ${ports.prefers},`,
  ),
  service('requires', '80:8080', 'type: NodePort\nipFamilyPolicy: RequireDualStack', 'web').replace(
    'port: 80,',
    `port: 80, nodePort: ${ports.requires},`,
  ),
  service('single', '80:8080', '', 'web'),
);

describe('init, join and reset of machines of both families', { skip }, () => {
  let lab: TestLab;
  let [server, worker]: Machine[] = [];
  const machines = (): [Machine, Machine] => [server, worker] as [Machine, Machine];
  const clean = new Map<string, string[]>();
  const config = '/tmp/kubeadm.yaml';

  before(async () => {
    lab = new TestLab({ name: 'dual', underlay: '192.168.153.0/24,fd00:192:168:153::/64', workers: 1, bare: true });
    await lab.up();
    [server, worker] = lab.plan.nodes.map(({ name }) => new Machine(lab, name));
    for (const machine of machines()) clean.set(machine.name, await machine.traces());
  });
  after(() => lab[Symbol.asyncDispose]());

  const read = async <T>(...args: string[]): Promise<T> => JSON.parse(await machines()[0].kubectl('get', ...args, '-o', 'json'));

  test('the line that init prints joins a machine, which finds its second address by itself', async () => {
    const [control, other] = machines();
    const store = await startOneEtcd(control);
    await control.write(config, configuration(control.addresses, store.replace('etcd=', '')));
    const { joinCommand } = JSON.parse(await control.must('init', '--config', config, '-o', 'json'));
    await other.must(...joinCommand.split(' ').slice(1));
    await eventually('both nodes to be Ready with an address and a range of pods of each family', async () => {
      const { items } = await read<{ items: Node[] }>('nodes');
      assert.deepEqual(
        items.map(({ metadata, spec, status }) => [
          metadata.name,
          status?.conditions?.find(({ type }) => type === 'Ready')?.status,
          status?.addresses?.filter(({ type }) => type === 'InternalIP').map(({ address }) => address),
          spec?.podCIDRs?.map((cidr) => (cidr.includes(':') ? 'IPv6' : 'IPv4')),
        ]),
        machines().map(({ name, addresses }) => [name, 'True', addresses, ['IPv4', 'IPv6']]),
      );
    });
  });

  test('init again changes nothing, and not the families of a cluster that is there', async () => {
    const [control] = machines();
    const { steps } = JSON.parse(await control.must('init', '--config', config, '-o', 'json'));
    assert.deepEqual(
      steps.filter(({ changed }: { changed: boolean }) => changed).map(({ name }: { name: string }) => name),
      ['preflight'],
    );
    const ofIPv4 = ['--pod-network-cidr', podSubnet, '--service-cidr', serviceSubnet].map((word) => word.split(',')[0] ?? '');
    const { code, stderr } = await control.fairlead('init', ...ofIPv4);
    assert.equal(code, 2);
    assert.match(
      stderr,
      /Cannot use 10\.244\.0\.0\/16 as --pod-network-cidr .*: the cluster of this control plane has 10\.244\.0\.0\/16,fd00:10:244::\/56/,
    );
  });

  test('what the cluster says of itself is of both families', async () => {
    const text = async (name: string, key: string): Promise<string> =>
      (await read<{ data: Record<string, string> }>('-n', 'kube-system', 'configmap', name)).data[key] ?? '';
    assert.equal(parse(await text('kube-proxy', 'config.conf')).clusterCIDR, podSubnet);
    const { networking } = parse(await text('kubeadm-config', 'ClusterConfiguration'));
    assert.deepEqual([networking.podSubnet, networking.serviceSubnet], [podSubnet, serviceSubnet]);
    assert.deepEqual(parse(await text('kubelet-config', 'kubelet')).clusterDNS, [lab.plan.dnsAddress]);
    const { Network, EnableIPv6, IPv6Network } = JSON.parse(await text('kube-flannel-cfg', 'net-conf.json'));
    assert.deepEqual([Network, EnableIPv6, IPv6Network], ['10.244.0.0/16', true, 'fd00:10:244::/56']);
    for (const [name, ip, ...where] of [
      ['kubernetes', lab.plan.kubernetesAddress],
      ['kube-dns', lab.plan.dnsAddress, '-n', 'kube-system'],
    ] as const)
      assert.deepEqual(
        (await read<Service>('service', name, ...where)).spec?.clusterIPs,
        [ip],
        `${name} is of the first family, as upstream's`,
      );
  });

  test('a Service that prefers or requires both families leads to the pods of both nodes by each address and node port', async () => {
    const [control] = machines();
    await control.write('/tmp/web.yaml', manifest);
    await control.kubectl('apply', '-f', '/tmp/web.yaml');
    await control.kubectl('rollout', 'status', 'daemonset/web', '--timeout=180s');
    for (const [name, nodePort] of Object.entries(ports)) {
      const { spec } = await read<Service>('service', name);
      assert.deepEqual(spec?.ipFamilies, ['IPv4', 'IPv6']);
      const hosts = [
        ...(spec.clusterIPs ?? []).map((ip) => joinHostPort(ip, 80)),
        ...machines().flatMap(({ addresses }) => addresses.map((ip) => joinHostPort(ip, nodePort))),
      ];
      assert.equal(hosts.length, 6);
      for (const host of hosts) {
        const seen = new Set<string>();
        await eventually(`both pods at ${host}`, async () => {
          seen.add((await httpGet(`http://${host}/`, { timeout: 5000 })).body);
          assert.equal(seen.size, 2);
        });
      }
    }
    assert.deepEqual((await read<Service>('service', 'single')).spec?.ipFamilies, ['IPv4']);
  });

  test('DNS answers with the addresses of each family', async () => {
    const { spec } = await read<Service>('service', 'prefers');
    for (const [i, type] of (['A', 'AAAA'] as const).entries())
      await eventually(`the ${type} of the Service`, async () =>
        assert.deepEqual((await askDns(lab.plan.dnsAddress, 'prefers.default.svc.cluster.local', type)).answers, [
          `${type} ${spec?.clusterIPs?.[i]}`,
        ]),
      );
    assert.deepEqual((await askDns(lab.plan.dnsAddress, 'single.default.svc.cluster.local', 'AAAA')).answers, []);
  });

  test('a pod finds a Service by its name in each family, and its log is read from the machine of the API server', async () => {
    const [control, other] = machines();
    const pod = (await control.kubectl('get', 'pods', '--field-selector', `spec.nodeName=${other.name}`, '-o', 'name')).trim();
    for (const ip of (await read<Service>('service', 'requires')).spec?.clusterIPs ?? [])
      assert.match(await control.kubectl('exec', pod, '--', 'wget', '-T', '10', '-qO-', `http://${joinHostPort(ip, 80)}/`), /pod=web-/);
    assert.match(await control.kubectl('exec', pod, '--', 'wget', '-T', '10', '-qO-', 'http://requires/'), /pod=web-/);
    await control.kubectl('logs', pod);
  });

  test('the other machine becomes one more control plane, whose API server gives addresses of both families', async () => {
    const [control, other] = machines();
    const { controlPlaneJoinCommand } = JSON.parse(await control.must('init', 'phase', 'upload-certs', '-o', 'json'));
    await other.must(...controlPlaneJoinCommand.split(' ').slice(1));
    await eventually('both API servers behind the Service kubernetes', async () => {
      const { addressType, endpoints } = await read<EndpointSlice>('endpointslice', 'kubernetes');
      const expected = machines().map(({ address }) => address);
      assert.deepEqual([addressType, endpoints?.flatMap(({ addresses }) => addresses).toSorted()], ['IPv4', expected]);
    });
    const { metadata, spec } = await read<Node>('node', other.name);
    assert.equal(metadata.labels?.['node-role.kubernetes.io/control-plane'], '');
    assert.deepEqual(spec?.podCIDRs?.length, 2);
    await other.write('/tmp/second.yaml', service('second', '80:8080', 'ipFamilyPolicy: RequireDualStack', 'web'));
    await other.kubectl('--server', `https://${other.address}:6443`, 'apply', '-f', '/tmp/second.yaml');
    const { clusterIPs = [], ipFamilies } = (await read<Service>('service', 'second')).spec ?? {};
    assert.deepEqual(ipFamilies, ['IPv4', 'IPv6']);
    for (const ip of clusterIPs)
      await eventually(`a pod at ${ip}`, async () =>
        assert.match((await httpGet(`http://${joinHostPort(ip, 80)}/`, { timeout: 5000 })).body, /pod=web-/),
      );
  });

  test('doctor finds nothing wrong with the nodes, and upgrade nothing to do', async () => {
    for (const machine of machines()) {
      const { findings } = JSON.parse((await machine.fairlead('doctor', '-o', 'json')).stdout);
      assert.deepEqual(
        findings.filter(({ severity }: { severity: string }) => severity === 'error'),
        [],
        machine.name,
      );
      assert.match(await machine.must('upgrade', 'plan'), /Nothing is to be done here/);
    }
  });

  test('reset leaves nothing', async () => {
    const reset = async (machine: Machine): Promise<void> => {
      await machine.must('reset', '--force');
      assert.deepEqual(await machine.traces(), clean.get(machine.name), machine.name);
    };
    await Promise.all(machines().map(reset));
  });
});
