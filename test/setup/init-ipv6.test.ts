/**
 * A cluster of IPv6 made by init and join on two bare machines that have no other addresses: both are control planes over an etcd, behind an address
 * that moves from the one to the other.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { parse } from 'yaml';
import type { EndpointSlice, Node } from '../../src/api/schema/types.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { cannotStartLabs, TestLab } from '../e2e/testing/lab.ts';
import { boxOn } from '../e2e/testing/manifests.ts';
import { answers, Machine, startOneEtcd } from './machine.ts';

const hasIpv6 = existsSync('/proc/net/if_inet6');
const skip = cannotStartLabs || (!hasIpv6 && 'this kernel has no IPv6') || (!(await answers('etcd')) && 'etcd is not installed');

/** Of the control plane, whichever machine has it. */
const address = 'fd00:192:168:152::50';

describe('init and join of machines of IPv6', { skip }, () => {
  let lab: TestLab;
  let [first, second]: Machine[] = [];
  const machines = (): [Machine, Machine] => [first, second] as [Machine, Machine];

  before(async () => {
    lab = new TestLab({ name: 'six', underlay: 'fd00:192:168:152::/64', workers: 1, bare: true });
    await lab.up();
    [first, second] = lab.plan.nodes.map(({ name }) => new Machine(lab, name));
  });
  after(() => lab[Symbol.asyncDispose]());

  /** The API servers behind the Service kubernetes are those of these machines. */
  async function serve(...expected: readonly Machine[]): Promise<void> {
    const [, asked] = machines();
    await eventually('the API servers behind the Service kubernetes', async () => {
      const slice: EndpointSlice = JSON.parse(await asked.kubectl('get', 'endpointslice', 'kubernetes', '-o', 'json'));
      assert.deepEqual(
        [slice.addressType, slice.endpoints?.flatMap(({ addresses }) => addresses).toSorted()],
        ['IPv6', expected.map((machine) => machine.address).toSorted()],
      );
    });
  }

  test('the line that init prints makes another machine a control plane, and both are Ready at their addresses', async () => {
    const [server, other] = machines();
    const store = await startOneEtcd(server);
    await server.sh(`ip addr add ${address}/64 dev eth0 nodad`);
    const flags = ['--store', store, '--control-plane-endpoint', `[${address}]:6443`, '--upload-certs', '-o', 'json'];
    const { joinCommand, controlPlaneJoinCommand } = JSON.parse(await server.must('init', ...flags));
    const [program, ...words] = controlPlaneJoinCommand.split(' ');
    assert.deepEqual([program, words[0], words[1]], ['fairlead', 'join', `[${address}]:6443`]);
    assert.ok(controlPlaneJoinCommand.startsWith(`${joinCommand} --control-plane `));
    await other.must(...words);
    const { items } = JSON.parse(await other.kubectl('get', 'nodes', '-l', 'node-role.kubernetes.io/control-plane', '-o', 'json'));
    assert.deepEqual(
      items.map(({ metadata, status }: Node) => [
        metadata.name,
        status?.conditions?.find(({ type }) => type === 'Ready')?.status,
        status?.addresses?.find(({ type }) => type === 'InternalIP')?.address,
      ]),
      machines().map((machine) => [machine.name, 'True', machine.address]),
    );
    await serve(server, other);
    const { steps } = JSON.parse(await server.must('init', '-o', 'json'));
    assert.deepEqual(
      steps.filter(({ changed }: { changed: boolean }) => changed).map(({ name }: { name: string }) => name),
      ['preflight'],
      'init finds all done, and this machine by its own address',
    );
  });

  test('what the cluster says of itself is of IPv6', async () => {
    const [, control] = machines();
    const text = async (namespace: string, name: string, key: string): Promise<string> =>
      await control.kubectl('-n', namespace, 'get', 'configmap', name, '-o', `jsonpath={.data.${key}}`);
    const info = parse(await text('kube-public', 'cluster-info', 'kubeconfig'));
    assert.equal(info.clusters[0].cluster.server, `https://[${address}]:6443`);
    assert.equal(parse(await text('kube-system', 'kube-proxy', 'config\\.conf')).clusterCIDR, 'fd00:10:244::/56');
    assert.deepEqual(parse(await text('kube-system', 'kubelet-config', 'kubelet')).clusterDNS, ['fd00:10:96::a']);
    const network = JSON.parse(await text('kube-system', 'kube-flannel-cfg', 'net-conf\\.json'));
    assert.deepEqual([network.EnableIPv4, network.EnableIPv6, network.IPv6Network], [false, true, 'fd00:10:244::/56']);
    assert.equal(await control.kubectl('get', 'service', 'kubernetes', '-o', 'jsonpath={.spec.clusterIP}'), 'fd00:10:96::1');
  });

  test('doctor finds nothing wrong with the nodes', async () => {
    for (const machine of machines()) {
      const { findings } = JSON.parse((await machine.fairlead('doctor', '-o', 'json')).stdout);
      assert.deepEqual(
        findings.filter(({ severity }: { severity: string }) => severity === 'error'),
        [],
        machine.name,
      );
    }
  });

  test('the address moves to the other machine, the first one is taken away, and the cluster goes on', async () => {
    const [gone, stays] = machines();
    await gone.sh(`ip addr del ${address}/64 dev eth0`);
    await stays.sh(`ip addr add ${address}/64 dev eth0 nodad`);
    await gone.must('reset', '--force');
    await serve(stays);
    await stays.kubectl('delete', 'node', gone.name);
    await stays.write('/tmp/box.yaml', boxOn(`nodeName: ${stays.name}`));
    await eventually('the API server to take the pod', () => stays.kubectl('apply', '-f', '/tmp/box.yaml'));
    await stays.kubectl('wait', '--for=condition=Ready', 'pod/box', '--timeout=180s');
    await eventually('the pod by its Service', async () =>
      assert.match(await stays.kubectl('exec', 'box', '--', 'wget', '-T', '10', '-qO-', 'http://box.default/'), /pod=box/),
    );
  });
});
