/** `fairlead top services` beside a proxy at work: what it tells rises by what clients really sent, got and were refused. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { lackingTools } from '../../src/linux/iptables/testing/kernel-in.ts';
import { cannotMakeNamespaces } from '../../src/linux/testing/namespaces.ts';
import type { ServiceTraffic } from '../../src/main/service-traffic.ts';
import { ProxyNode } from './testing/proxy-node.ts';

const vip = '10.96.0.10';
const [pages, pageSize] = [3, 2_000_000];
/** Headers are 5 % of a full packet. */
const mostOver = 1.12;

async function nodeWith(mode: string): Promise<ProxyNode> {
  const node = await ProxyNode.create();
  try {
    await node.servePod();
    await node.must('echo 1 | tee /proc/sys/net/ipv4/ip_forward');
    // What no route leads anywhere is refused by the kernel, before any rule.
    await node.net.ip('node', 'route add default dev veth0');
    await writeFile(join(node.dir, 'big'), Buffer.alloc(pageSize, 'x'));
    node.run('--kubeconfig', node.program.kubeconfig, '--proxy-mode', mode, '--hostname-override', 'node1');
    await node.until(async () => (await node.page(vip, 'pod')) === 'the pod\n');
    return node;
  } catch (err) {
    await node[Symbol.asyncDispose]();
    throw err;
  }
}

async function told(node: ProxyNode, ...flags: string[]): Promise<ServiceTraffic[]> {
  const { code, stdout, stderr } = await node.fairlead('top', 'services', '-o', 'json', ...flags);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as ServiceTraffic[];
}

/** The only Service there is. */
async function web(node: ProxyNode): Promise<Required<Pick<ServiceTraffic, 'connections' | 'received' | 'sent' | 'refused'>>> {
  const [one, ...others] = await told(node);
  assert.deepEqual(others, []);
  if (one) assert.deepEqual([one.namespace, one.service, one.port, one.protocol], ['default', 'web', 'http', 'TCP']);
  const { connections = 0, received = 0, sent = 0, refused = 0 } = one ?? {};
  return { connections, received, sent, refused };
}

const lacking: Readonly<Record<string, string | undefined>> = cannotMakeNamespaces ? {} : { iptables: await lackingTools() };

for (const mode of ['nftables', 'iptables', 'userspace'])
  test(`mode ${mode}: connections, bytes and refusals rise by what clients did`, {
    skip: cannotMakeNamespaces || lacking[mode],
  }, async () => {
    await using node = await nodeWith(mode);
    const before = await eventually('the first page is counted', async () => {
      const now = await web(node);
      assert.ok(now.connections > 0 && now.sent > 0, JSON.stringify(now));
      return now;
    });

    for (let i = 0; i < pages; i++) {
      const { code, stderr } = await node.net.run('pod', 'busybox', ['wget', '-q', '-O', '/dev/null', `http://${vip}/big`]);
      assert.equal(code, 0, stderr);
    }
    const served = await eventually('the pages are counted', async () => {
      const now = await web(node);
      assert.equal(now.connections, before.connections + pages);
      const [sent, received] = [now.sent - before.sent, now.received - before.received];
      assert.ok(sent >= pages * pageSize && sent <= pages * pageSize * mostOver, `${sent} bytes sent`);
      assert.ok(received > 0 && received <= sent / 10, `${received} bytes received`);
      return now;
    });
    const [endpoint] = await told(node, '--endpoints');
    assert.deepEqual([endpoint?.endpoint, endpoint?.connections], ['10.244.1.2:8080', served.connections]);
    assert.ok((endpoint?.sent ?? 0) >= pages * pageSize);
    const { stdout } = await node.fairlead('top', 'services');
    const row = new RegExp(`^default +web +http/TCP +${served.connections} +\\d+(?:Ki)? +\\d+Ki +${served.refused}\n$`);
    assert.match(stdout.replace(/^NAMESPACE +SERVICE +PORT +CONNECTIONS +RECEIVED +SENT +REFUSED\n/, ''), row);

    node.endpoints([]);
    await node.until(async () => (await node.page(vip, 'pod')) === '');
    const { refused } = await web(node);
    for (let i = 0; i < 5; i++) assert.equal(await node.page(vip, 'pod'), '');
    assert.equal((await web(node)).refused, refused + 5);
  });

describe('fairlead top services with --service-counters=false', { skip: cannotMakeNamespaces }, () => {
  test('says that nothing is counted', async () => {
    await using node = await ProxyNode.create();
    node.run('--kubeconfig', node.program.kubeconfig, '--hostname-override', 'node1', '--service-counters=false');
    await node.until(async () => node.said.includes('Services are programmed'));
    const { stdout, stderr } = await node.fairlead('top', 'services', '-o', 'json');
    assert.deepEqual(JSON.parse(stdout), []);
    assert.match(stderr, /--service-counters=false/);
  });
});
