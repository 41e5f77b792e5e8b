/** `fairlead rules` and `fairlead trace` on a node whose proxy runs: what they find out by themselves, and what they tell of drift. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { messageOf } from '../../src/errors/known-error.ts';
import { lackingTools } from '../../src/linux/iptables/testing/kernel-in.ts';
import { KernelNftables } from '../../src/linux/nftables/kernel-nftables.ts';
import { cannotMakeNamespaces } from '../../src/linux/testing/namespaces.ts';
import { lackingForIpvs } from '../../src/proxy/mode/ipvs/testing/kernel-mode.ts';
import { ProxyNode } from './testing/proxy-node.ts';

interface Case {
  readonly mode: string;
  /** A part of what `rules render` and `rules show` say of the Service. */
  readonly shown: RegExp;
  /** What somebody does to the rules while no proxy looks. */
  readonly tamper: readonly string[];
  /** What `rules diff` says then. */
  readonly drift: readonly string[];
  /** Rules that `trace` names. */
  readonly met: readonly RegExp[];
}

const cases: readonly Case[] = [
  {
    mode: 'nftables',
    shown: /endpoints .*10\.96\.0\.10 \. tcp \. 80 \. 131072 : 10\.244\.1\.2 \. 8080/,
    tamper: [
      'nft delete element ip kube-proxy endpoints { 10.96.0.10 . tcp . 80 . 131072 }',
      'nft add element ip kube-proxy cluster-ips { 10.96.0.99 }',
      'nft flush chain ip kube-proxy masq',
    ],
    drift: [
      '# Service default/web\nnft add element ip kube-proxy endpoints { 10.96.0.10 . tcp . 80 . 131072 : 10.244.1.2 . 8080 }\n\n# Rules that all Services share\n',
      'nft delete element ip kube-proxy cluster-ips { 10.96.0.99 }\n',
      'nft add rule ip kube-proxy masq masquerade fully-random\n',
    ],
    met: [/^services +dnat ip to .* numgen random mod 2 offset 131072 map @endpoints\n +→ 10\.244\.1\.2 \. 8080\n/m],
  },
  {
    mode: 'iptables',
    shown: /-A KUBE-SERVICES -d 10\.96\.0\.10\/32 .*--dport 80 -j KUBE-SVC-/,
    tamper: ['iptables -t nat -F KUBE-NODEPORTS', 'iptables -t nat -A KUBE-MARK-MASQ -j RETURN', 'iptables -t filter -D FORWARD 1'],
    drift: [
      '# Service default/web\niptables -t nat -I KUBE-NODEPORTS -p tcp -m comment --comment "default/web:http" -m tcp --dport 30080 -j KUBE-EXT-',
      '# Rules that all Services share\n',
      'iptables -t nat -D KUBE-MARK-MASQ -j RETURN\n',
      'iptables -t filter -I FORWARD ',
    ],
    met: [/^nat KUBE-SERVICES +-d 10\.96\.0\.10\/32 /m, /^nat KUBE-SEP-\w+ .* -j DNAT --to-destination 10\.244\.1\.2:8080\n/m],
  },
  {
    mode: 'ipvs',
    shown: /-A -t 10\.96\.0\.10:80 -s rr/,
    tamper: [
      'ipset del KUBE-CLUSTER-IP 10.96.0.10,tcp:80',
      'ip addr del 10.96.0.10/32 dev kube-ipvs0',
      'iptables -t nat -F KUBE-MARK-MASQ',
    ],
    drift: [
      '# Service default/web\nipset add KUBE-CLUSTER-IP 10.96.0.10,tcp:80\n',
      'ip addr add 10.96.0.10 dev kube-ipvs0\n',
      '# Rules that all Services share\niptables -t nat -A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000\n',
    ],
    met: [
      /^nat KUBE-SERVICES +-m set --match-set KUBE-CLUSTER-IP dst,dst -j ACCEPT\n/m,
      /^ipvs +-t 10\.96\.0\.10:80 -s rr\n +→ 10\.244\.1\.2:8080\n/m,
    ],
  },
];

/** Why a mode cannot be run here, as far as it is looked at: test/guest has a kernel for mode ipvs. */
const lacking: Readonly<Record<string, string | undefined>> = cannotMakeNamespaces
  ? {}
  : { iptables: await lackingTools(), ipvs: await lackingForIpvs(), nftables: await lackingNftables() };

async function lackingNftables(): Promise<string | undefined> {
  try {
    using nft = new KernelNftables();
    await nft.generation();
    return undefined;
  } catch (err) {
    return messageOf(err);
  }
}

for (const { mode, shown, tamper, drift, met } of cases)
  describe(`fairlead rules, trace in mode ${mode}`, {
    skip: cannotMakeNamespaces || lacking[mode],
    concurrency: false,
  }, () => {
    test('tell of the rules, of drift, and of the way of a packet', async () => {
      await using node = await ProxyNode.create();
      await node.net.ip('node', 'addr add 192.0.2.1/32 dev lo');
      await node.servePod();
      const kubeconfig = ['--kubeconfig', join(node.dir, 'kubeconfig.conf')];
      const cluster = [...kubeconfig, '--cluster-cidr', '10.244.0.0/16'];
      const proxy = [...cluster, '--proxy-mode', mode, '--hostname-override', 'node1'];
      node.run(...proxy);
      await node.until(async () => node.said.includes('Services are programmed'));

      // Everything else it is told by the proxy.
      const clean = await node.fairlead('rules', 'diff');
      assert.deepEqual([clean.code, clean.stdout, clean.stderr], [0, `No drift: the kernel holds what mode ${mode} wants\n`, '']);
      assert.match((await node.fairlead('rules', 'render')).stdout.replaceAll(/\s+/g, ' '), shown);
      const explained = await node.fairlead('rules', 'show', 'svc/web');
      assert.match(explained.stdout, shown);
      assert.match(explained.stdout, /^# Service default\/web, IPv4\n# \w.*\n/);

      const traced = await node.fairlead('trace', '10.244.1.9', 'svc/web');
      assert.equal(traced.stderr, '', 'every rule is understood');
      for (const rule of met) assert.match(traced.stdout, rule);
      assert.match(traced.stdout, /\nReaches 10\.244\.1\.2:8080 from 10\.244\.1\.9\n$/);
      const refused = await node.fairlead('trace', 'fd00:10:244::9', '[fd00:10:96::10]:80');
      assert.equal(refused.stderr, '', 'every rule of IPv6 is understood');
      assert.match(refused.stdout, /\nRefused, by a TCP reset\n$/);
      const own = await node.fairlead('trace', 'node', '192.0.2.1:30080', '-o', 'json');
      const { fate } = JSON.parse(own.stdout) as { fate: unknown };
      assert.deepEqual(fate, {
        kind: 'passed',
        destinations: [{ to: '10.244.1.2', port: 8080, masqueraded: true, ...(mode === 'nftables' ? { translated: true } : {}) }],
      });

      await node.stop();
      for (const command of tamper) {
        const { code, stderr } = await node.net.run('node', 'sh', ['-c', command]);
        assert.equal(code, 0, stderr);
      }
      const drifted = await node.fairlead('rules', 'diff', ...cluster, '--mode', mode, '--node', 'node1');
      assert.equal(drifted.code, 1, drifted.stderr);
      for (const text of drift) assert.ok(drifted.stdout.includes(text), drifted.stdout);
      const again = await node.fairlead('rules', 'diff', ...cluster, '--mode', mode, '--node', 'node1');
      assert.equal(again.stdout, drifted.stdout, 'a look changes nothing');

      node.run(...proxy);
      await node.until(async () => (await node.fairlead('rules', 'diff')).code === 0);
    });
  });

describe('fairlead rules show in mode nftables', { skip: cannotMakeNamespaces || lacking.nftables, concurrency: false }, () => {
  test('has endpoints in the slots that they hold in the kernel', async () => {
    await using node = await ProxyNode.create();
    node.endpoints(['10.244.1.2', '10.244.1.3']);
    node.run('--kubeconfig', join(node.dir, 'kubeconfig.conf'), '--hostname-override', 'node1');
    const slot = '10.96.0.10 . tcp . 80 . 131072';
    await node.until(async () => await node.has('ip', 'endpoints', slot));
    node.endpoints(['10.244.1.3', '10.244.1.4']);
    const shown = async (): Promise<string> => (await node.fairlead('rules', 'show', 'svc/web')).stdout;
    await node.until(async () => (await shown()).includes(`{ ${slot} : 10.244.1.4 . 8080 }`));
    const { code, stdout } = await node.fairlead('rules', 'diff');
    assert.equal(code, 0, stdout);
  });
});

describe('fairlead rules show in mode iptables', { skip: cannotMakeNamespaces || lacking.iptables, concurrency: false }, () => {
  test('has every rule of the Service that the kernel has, those that count among them, and no other', async () => {
    await using node = await ProxyNode.create();
    node.endpoints(['10.244.1.2']);
    node.run('--kubeconfig', join(node.dir, 'kubeconfig.conf'), '--hostname-override', 'node1', '--proxy-mode', 'iptables');
    await node.until(async () => node.said.includes('Services are programmed'));
    const { stdout: saved } = await node.net.run('node', 'iptables-save', []);
    const held = saved.split('\n').filter((line) => line.startsWith('-A ') && line.includes('default/web:http'));
    assert.ok(
      held.some((rule) => rule.includes('10.244.1.2:8080')),
      saved,
    );
    const { stdout: shown } = await node.fairlead('rules', 'show', 'svc/web', '--family', 'ipv4');
    const rules = shown.split('\n').flatMap((line) => /^iptables -t \w+ (-A .*)$/.exec(line)?.[1] ?? []);
    assert.deepEqual(rules.filter((rule) => rule.includes('default/web:http')).sort(), held.sort());
  });
});
