/** `fairlead trace --live`: packets that are really sent, beside what the rules say of them, and what somebody else's rules do to them. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { pods } from '../../src/api/resource-types.ts';
import { type ExecResult, mustRun, systemExec } from '../../src/linux/exec.ts';
import { lackingTools } from '../../src/linux/iptables/testing/kernel-in.ts';
import { cannotMakeNamespaces } from '../../src/linux/testing/namespaces.ts';
import { ProxyNode } from './testing/proxy-node.ts';

interface LiveAnswer {
  readonly live: {
    readonly steps: readonly { readonly place: string; readonly isOther: boolean }[];
    readonly end?: { readonly header: { readonly from: string; readonly to: string; readonly port: number }; readonly by?: string };
    readonly tracked?: { readonly by: string };
    readonly answer: string;
  };
  readonly compared: { readonly steps: readonly { readonly seen: string; readonly step: object }[]; readonly difference?: string };
}

const client = '10.244.1.9';

/** A node whose proxy has programmed Service `web`, with its endpoint and a client as pods of their own. */
async function nodeWith(mode: string): Promise<ProxyNode> {
  const node = await ProxyNode.create();
  try {
    await node.net.ip('node', 'addr add 192.0.2.1/32 dev lo');
    await node.servePod();
    for (const args of ['addr add fd00::1/128 dev lo', 'route add fd00:10:96::/112 dev veth0']) await node.net.ip('node', args);
    await node.net.add('client');
    // Behind a bridge, as with most plugins; where the kernel shows rules what a bridge carries, the packet has another number behind it.
    for (const args of [
      'link add cni0 type bridge',
      'link set cni0 up',
      'link add veth1 type veth peer name eth0 netns @client',
      'link set veth1 master cni0 up',
      `route add ${client}/32 dev cni0`,
    ])
      await node.net.ip('node', args);
    await node.must('! cd /proc/sys/net/bridge || echo 1 | tee bridge-nf-call-iptables');
    for (const args of [`addr add ${client}/24 dev eth0`, 'link set eth0 up', 'route add default via 10.244.1.1'])
      await node.net.ip('client', args);
    await node.must('cd /proc/sys/net/ipv4; echo 1 | tee ip_forward conf/veth0/proxy_arp');
    const flags = ['--kubeconfig', join(node.dir, 'kubeconfig.conf'), '--cluster-cidr', '10.244.0.0/16'];
    node.run(...flags, '--proxy-mode', mode, '--hostname-override', 'node1');
    await node.until(async () => node.said.includes('Services are programmed'));
    return node;
  } catch (err) {
    await node[Symbol.asyncDispose]();
    throw err;
  }
}

async function live(node: ProxyNode, code: number, ...words: string[]): Promise<LiveAnswer> {
  const result: ExecResult = await node.fairlead('trace', ...words, '--live', '-o', 'json');
  assert.equal(result.code, code, result.stderr + result.stdout);
  return JSON.parse(result.stdout) as LiveAnswer;
}

const lacking: Readonly<Record<string, string | undefined>> = cannotMakeNamespaces
  ? {}
  : { iptables: await lackingTools(), legacy: await lackingTools('-legacy') };

for (const mode of ['nftables', 'iptables'])
  describe(`fairlead trace --live in mode ${mode}`, { skip: cannotMakeNamespaces || lacking[mode], concurrency: false }, () => {
    test('finds what it predicts, and names the rule that does something else', async () => {
      await using node = await nodeWith(mode);

      const reached = await live(node, 0, client, 'svc/web');
      assert.deepEqual([...new Set(reached.compared.steps.map(({ seen }) => seen))], ['both']);
      assert.ok(reached.compared.steps.length > 1);
      assert.deepEqual(reached.live.end, {
        header: { ...reached.live.end?.header, from: client, to: '10.244.1.2', port: 8080 },
        by: 'veth0',
      });
      assert.deepEqual([reached.live.tracked?.by, reached.live.answer], ['10.244.1.2:8080', 'answered']);

      const own = await live(node, 0, 'node', '192.0.2.1:30080');
      assert.deepEqual([own.live.end?.header.to, own.live.end?.by, own.live.answer], ['10.244.1.2', 'veth0', 'answered']);

      const refused = await live(node, 0, 'node', '[fd00:10:96::10]:80');
      assert.deepEqual([refused.live.answer, refused.live.end], ['refused', undefined]);

      await node.must(
        'nft add table ip other; nft add chain ip other forward { type filter hook forward priority 10 \\; }; nft add rule ip other forward ip daddr 10.244.1.2 drop',
      );
      const dropped = await live(node, 1, client, 'svc/web', '--wait', '1s');
      assert.equal(dropped.compared.difference, '"ip other forward ip daddr 10.244.1.2 drop" dropped it, which is no rule of this mode');
      assert.deepEqual([dropped.live.answer, dropped.live.end], ['silent', undefined]);
      await node.must('nft delete table ip other');

      await node.must(
        'nft add table ip first; nft add chain ip first pre { type nat hook prerouting priority -120 \\; }; nft add rule ip first pre ip daddr 10.96.0.10 tcp dport 80 dnat to 10.244.1.2:81',
      );
      const taken = await live(node, 1, client, 'svc/web');
      assert.match(
        taken.compared.difference ?? '',
        / was predicted, and the kernel applied .*, behind "ip first pre [^"]*", which is no rule of this mode$/,
      );
      assert.deepEqual([taken.live.end?.header.port, taken.live.answer], [81, 'refused']);
      assert.equal((await node.net.run('node', 'nft', ['list', 'tables'])).stdout.includes('fairlead-trace'), false);
    });
  });

describe('fairlead trace --live with iptables-legacy', { skip: cannotMakeNamespaces || lacking.legacy, concurrency: false }, () => {
  test('tells where the packet came out, and why not by which rules', async (t) => {
    const tools = await mkdtemp(join(tmpdir(), 'iptables-legacy-'));
    const path = process.env.PATH;
    t.after(async () => {
      process.env.PATH = path;
      await rm(tools, { recursive: true });
    });
    const program = (await mustRun(systemExec, 'sh', ['-c', 'readlink -f "$(command -v iptables-legacy)"'])).trim();
    for (const family of ['ip', 'ip6'])
      for (const verb of ['', '-save', '-restore']) await symlink(program, join(tools, `${family}tables${verb}`));
    process.env.PATH = `${tools}:${path}`;

    await using node = await nodeWith('iptables');
    const { code, stdout } = await node.fairlead('trace', client, 'svc/web', '--live');
    assert.equal(code, 0, stdout);
    assert.match(stdout, /\n- nat KUBE-SEP-\w+ .* -j DNAT --to-destination 10\.244\.1\.2:8080\n/);
    assert.match(stdout, /\nSeen: Left by veth0, from 10\.244\.1\.9:\d+ to 10\.244\.1\.2:8080\. Tracked: .*\. It was answered\n/);
    assert.match(stdout, /\nnote: the kernel does not tell which rules of iptables-legacy a packet meets\nNo difference\n$/);
  });
});

describe('fairlead trace --live', { skip: cannotMakeNamespaces, concurrency: false }, () => {
  test('says for people what it saw', async () => {
    await using node = await nodeWith('nftables');
    const { stdout, code } = await node.fairlead('trace', client, 'svc/web', '--live');
    assert.equal(code, 0, stdout);
    assert.match(stdout, /^= services +dnat ip to ip daddr \. .* map @endpoints\n +→ 10\.244\.1\.2 \. 8080\n/m);
    assert.match(stdout, /\nPredicted: Reaches 10\.244\.1\.2:8080 from 10\.244\.1\.9\n/);
    assert.match(
      stdout,
      /\nSeen: Left by veth0, from 10\.244\.1\.9:\d+ to 10\.244\.1\.2:8080\. Tracked: 10\.244\.1\.2:8080 answers 10\.244\.1\.9:\d+\. It was answered\n\nNo difference\n$/,
    );
  });

  test('takes pods and nodes by name, and says where to go with those that are not on the node', async () => {
    await using node = await nodeWith('nftables');
    const pod = (name: string, nodeName: string, ip: string): object => ({
      metadata: { name, namespace: 'default' },
      spec: { nodeName },
      status: { podIPs: [{ ip }] },
    });
    node.program.api.replace(pods, [pod('client', 'node1', client), pod('far', 'node2', '10.244.2.7')]);
    const here = await live(node, 0, 'pod/client', 'svc/web');
    assert.deepEqual([here.live.end?.header.from, here.live.answer], [client, 'answered']);
    const predicted = await node.fairlead('trace', 'node/node1', 'svc/web');
    assert.match(predicted.stdout, /^tcp 192\.0\.2\.1:40000 to 10\.96\.0\.10:80, sent by the node itself\n/);
    for (const [from, where] of [
      ['10.244.2.7', ''],
      ['pod/far', ', and pod default/far runs on node node2'],
    ] as const) {
      const { code, stderr } = await node.fairlead('trace', from, 'svc/web', '--live');
      assert.equal(code, 2);
      assert.ok(stderr.includes(`Cannot send from 10.244.2.7: nothing on this node has that address${where}\n`), stderr);
      assert.match(stderr, /fairlead lab exec NODE -- fairlead trace/);
    }
  });

  test('says of mode userspace that it has no rules to follow', async () => {
    await using node = await nodeWith('userspace');
    const { code, stderr } = await node.fairlead('trace', client, 'svc/web', '--live');
    assert.equal(code, 2);
    assert.match(stderr, /mode "userspace": it carries packets in the proxy's process, by no rules\n.*--mode nftables or iptables or ipvs/);
  });

  test('leaves nothing behind when it is killed', async () => {
    await using node = await nodeWith('nftables');
    await node.must('nft add table ip other; nft add chain ip other forward { type filter hook forward priority 10 \\; policy drop \\; }');
    const tables = async (): Promise<string> => (await node.net.run('node', 'nft', ['list', 'tables'])).stdout;
    const before = await tables();
    const trace = node.net.start('node', process.execPath, ['src/main/fairlead.ts', 'trace', client, 'svc/web', '--live', '--wait', '60s']);
    await node.until(async () => /table ip fairlead-trace-\d+/.test(await tables()));
    trace.kill('SIGKILL');
    await once(trace, 'close');
    await node.until(async () => (await tables()) === before);
  });
});
