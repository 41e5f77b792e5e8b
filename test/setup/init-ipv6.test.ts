/** A cluster of IPv6 made by init and join on two bare machines that have no other addresses. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { parse } from 'yaml';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { cannotStartLabs, TestLab } from '../e2e/testing/lab.ts';
import { Machine } from './machine.ts';

const skip = cannotStartLabs || (existsSync('/proc/net/if_inet6') ? false : 'this kernel has no IPv6');

describe('init and join of machines of IPv6', { skip }, () => {
  let lab: TestLab;
  let [server, worker]: Machine[] = [];
  const machines = (): [Machine, Machine] => [server, worker] as [Machine, Machine];

  before(async () => {
    lab = new TestLab({ name: 'six', underlay: 'fd00:192:168:152::/64', workers: 1, bare: true });
    await lab.up();
    [server, worker] = lab.plan.nodes.map(({ name }) => new Machine(lab, name));
  });
  after(() => lab[Symbol.asyncDispose]());

  test('the line that init prints joins a machine, and both are Ready at their addresses', async () => {
    const [control, other] = machines();
    const { joinCommand } = JSON.parse(await control.must('init', '-o', 'json'));
    const [program, ...words] = joinCommand.split(' ');
    assert.deepEqual([program, words[0], words[1]], ['fairlead', 'join', `[${control.address}]:6443`]);
    await other.must(...words);
    await eventually('both nodes to be Ready', async () => {
      const rows = (await control.kubectl('get', 'nodes', '-o', 'wide', '--no-headers')).trim().split('\n');
      assert.deepEqual(
        rows.map((row) => row.split(/ +/)).map(([name, ready, , , , address]) => [name, ready, address]),
        machines().map(({ name, address }) => [name, 'Ready', address]),
      );
    });
  });

  test('what the cluster says of itself is of IPv6', async () => {
    const [control] = machines();
    const text = async (namespace: string, name: string, key: string): Promise<string> =>
      await control.kubectl('-n', namespace, 'get', 'configmap', name, '-o', `jsonpath={.data.${key}}`);
    const info = parse(await text('kube-public', 'cluster-info', 'kubeconfig'));
    assert.equal(info.clusters[0].cluster.server, `https://[${control.address}]:6443`);
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
});
