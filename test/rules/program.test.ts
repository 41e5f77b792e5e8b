/** `fairlead proxy` as a process: what it finds out about its node by itself, and how a DaemonSet of kube-proxy runs it. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { cannotMakeNamespaces } from '../../src/linux/testing/namespaces.ts';
import { ProxyNode } from './testing/proxy-node.ts';

describe('fairlead proxy', { skip: cannotMakeNamespaces, concurrency: false }, () => {
  test('serves both families on a node without a default route, by what its Node says', async () => {
    await using node = await ProxyNode.create();
    const addresses = ['--healthz-bind-address', '', '--metrics-bind-address', ''];
    node.run('--kubeconfig', join(node.dir, 'kubeconfig.conf'), '--hostname-override', 'node1', ...addresses);
    await node.until(
      async () => (await node.has('ip', 'nodeport-ips', '192.0.2.1')) && (await node.has('ip', 'cluster-ips', '10.96.0.10')),
    );
    await node.until(
      async () => (await node.has('ip6', 'nodeport-ips', 'fd00::1')) && (await node.has('ip6', 'cluster-ips', 'fd00:10:96::10')),
    );
  });

  test("runs as kubeadm's DaemonSet runs kube-proxy, and goes on under a configuration that changes", async () => {
    await using node = await ProxyNode.create();
    await node.net.ip('node', 'addr add 198.51.100.5/32 dev lo');
    const config = join(node.dir, 'config.conf');
    const write = async (more: string): Promise<void> => {
      const head = 'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n';
      const kubeconfig = join(node.dir, 'kubeconfig.conf');
      await writeFile(
        config,
        `${head}mode: ""\nclientConnection: { kubeconfig: ${kubeconfig} }\nconntrack: { tcpEstablishedTimeout: 2h }\n${more}`,
      );
    };
    await write('nodePortAddresses: null\n');
    await node.servePod();
    node.run(`--config=${config}`, '--hostname-override=node1', '--v=2');
    // A file without a mode means iptables in kube-proxy, which serves node ports everywhere.
    for (const address of ['127.0.0.1', '198.51.100.5'])
      await node.until(async () => (await node.page(`${address}:30080`)) === 'the pod\n');
    const timeout = await node.net.run('node', 'cat', ['/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established']);
    assert.equal(timeout.stdout.trim(), '7200');
    assert.match(await node.page('127.0.0.1:10249/flagz'), /\nhostname-override=node1\n/);
    assert.match(await node.page('127.0.0.1:10249/statusz'), /\nkube-proxy statusz\n.*\nStarted: /s);

    const { pid } = node;
    await write('nodePortAddresses: [primary, localhost]\n');
    await node.until(async () => (await node.page('127.0.0.1:30080')) === 'the pod\n');
    await write('nodePortAddresses: ["198.51.100.0/24"]\n');
    await node.until(
      async () => (await node.has('ip', 'nodeport-ips', '198.51.100.5')) && !(await node.has('ip', 'nodeport-ips', '192.0.2.1')),
    );
    const told = JSON.parse(await node.page('127.0.0.1:10249/configz')) as Record<string, { nodePortAddresses: string[]; mode: string }>;
    assert.deepEqual(told['kubeproxy.config.k8s.io']?.nodePortAddresses, ['198.51.100.0/24']);

    await write('nodePortAddresses: [here]\n');
    await node.until(async () => node.said.includes('Cannot use the changed configuration'));
    assert.ok(await node.has('ip', 'nodeport-ips', '198.51.100.5'), 'the last configuration holds');
    assert.equal(node.pid, pid);
  });

  test('relays by itself in mode userspace, and leaves nothing behind', async () => {
    await using node = await ProxyNode.create();
    await node.net.ip('node', 'addr add 192.0.2.1/32 dev lo');
    await node.servePod();
    const kubeconfig = ['--kubeconfig', join(node.dir, 'kubeconfig.conf'), '--hostname-override', 'node1'];
    node.run(...kubeconfig, '--proxy-mode', 'userspace');
    for (const from of ['node', 'pod', 'node'] as const)
      for (const address of ['10.96.0.10', '192.0.2.1:30080'])
        await node.until(async () => (await node.page(address, from)) === 'the pod\n');
    assert.equal(await node.page('127.0.0.1:10249/proxyMode'), 'userspace');

    node.endpoints([]);
    await node.until(async () => (await node.page('10.96.0.10', 'pod')) === '');
    const refused = await node.net.run('pod', 'busybox', ['nc', '-w', '5', '10.96.0.10', '80']);
    assert.match(refused.stderr, /refused/);

    await node.net.ip('node', 'addr del 10.96.0.10/32 dev lo');
    node.endpoints(['10.244.1.2']);
    await node.until(async () => (await node.page('10.96.0.10', 'pod')) === 'the pod\n');

    await node.stop();
    const kept = await node.net.run('node', 'ip', ['-o', 'addr', 'show', 'dev', 'lo']);
    assert.match(kept.stdout, /10\.96\.0\.10\/32/);
    const { code, stderr } = await node.net.run('node', process.execPath, ['src/main/fairlead.ts', 'proxy', '--cleanup']);
    assert.equal(code, 0, stderr);
    const left = await node.net.run('node', 'ip', ['-o', 'addr', 'show', 'dev', 'lo']);
    assert.doesNotMatch(left.stdout, /10\.96\.|fd00:10:96/);
    assert.match(left.stdout, /192\.0\.2\.1/);
  });
});
