/**
 * What `iptables-save` prints after kube-proxy and after this proxy, for every scenario in both families: the same chains with the same names
 * and the same rules in the same order, but for what is known to differ. Needs kube-proxy, as peer.test.ts does. PEER_SEED=N repeats the random part.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Cidr, cidrContains, parseCidr } from '../../src/ip/ip.ts';
import { mustRun, systemExec } from '../../src/linux/exec.ts';
import { parseSave, type Ruleset } from '../../src/linux/iptables/ruleset.ts';
import { cannotMakeNamespaces, Namespaces } from '../../src/linux/testing/namespaces.ts';
import { sharedChains } from '../../src/proxy/mode/iptables/layout.ts';
import { iptablesFace } from '../../src/proxy/mode/iptables/testing/face.ts';
import type { NodeContext } from '../../src/proxy/plan/node-context.ts';
import { inIpv6 } from '../../src/proxy/testing/ipv6.ts';
import { nodeIps } from '../../src/proxy/testing/scenario.ts';
import { lacksProgram } from '../interop/testing/programs.ts';
import { isOfMarker, KubeProxy } from './testing/kube-proxy.ts';
import { isLoopback, peerRounds, plansOf } from './testing/peer-cases.ts';
import { ProgrammedMode } from './testing/programmed-mode.ts';

/** The chains to which a packet may come: kube-proxy leaves others for a while. */
function reachable(chains: ReadonlyMap<string, readonly string[]>): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  const waiting = [...chains.keys()].filter((name) => !/^KUBE-(?:SVC|SVL|EXT|FW|SEP)-/.test(name));
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    const rules = chains.get(name);
    if (!rules || found.has(name)) continue;
    found.set(name, rules);
    for (const rule of rules) waiting.push(...(/ -j (\S+)/.exec(` ${rule}`)?.slice(1) ?? []));
  }
  return found;
}

const unordered: ReadonlySet<string> = new Set(sharedChains);

/** Each rule without what is known to differ; none where only kube-proxy has one. */
function withoutKnown(rule: string): string[] {
  // It counts node ports reached at loopback, by a rule that goes where the next one goes.
  if (rule.includes('localhost_nps_accepted_pkts')) return [];
  const common = rule
    // It counts packets that come too late, in metrics that we do not have.
    .replace(/-m nfacct --nfacct-name +\S+ /, '')
    // We refuse TCP by a reset, as of ICMP errors the kernel sends one a second.
    .replace(/--reject-with (?:tcp-reset|icmp6?-port-unreachable)/, '--reject-with ICMP');
  return [common];
}

/** Without source ranges that lie in others, and what is there twice: we leave them out. All let in, so their order means nothing, and ours is that of the addresses. */
function withoutContained(rules: readonly string[]): string[] {
  const rangeOf = (rule: string): Cidr | undefined => parseCidr(/^-s (\S+)/.exec(rule)?.[1] ?? '');
  const ranges = rules.flatMap((rule) => rangeOf(rule) ?? []);
  const isContained = (range: Cidr): boolean => ranges.some((other) => other.prefix < range.prefix && cidrContains(other, range.base));
  const needed = [...new Set(rules)].filter((rule) => {
    const range = rangeOf(rule);
    return !range || !isContained(range);
  });
  return [...needed.filter(rangeOf).sort(), ...needed.filter((rule) => !rangeOf(rule))];
}

type Chains = ReadonlyMap<string, readonly string[]>;

/** What is printed, by `table chain`. */
function comparable(saved: Ruleset): Chains {
  const comparable = new Map<string, readonly string[]>();
  for (const [table, all] of saved) {
    const own = new Map([...all].map(([name, rules]) => [name, rules.filter((rule) => !isOfMarker(rule)).flatMap(withoutKnown)]));
    for (const [name, rules] of reachable(own)) {
      const chain = `${table} ${name}`;
      const needed = name.startsWith('KUBE-FW-') ? withoutContained(rules) : rules;
      // A frontend is one Service's, so the order of these means nothing, and kube-proxy's is that of a Go map. Nor does one mean anything that is there twice.
      comparable.set(chain, unordered.has(chain) ? [...new Set(needed)].sort() : needed);
    }
  }
  return comparable;
}

const commands = { ip: 'iptables-save', ip6: 'ip6tables-save' } as const;

async function saved(namespace: string, family: NodeContext['family']): Promise<Chains> {
  return comparable(parseSave(await mustRun(systemExec, 'nsenter', [`--net=${namespace}`, commands[family]])));
}

function differences(theirs: Chains, ours: Chains): object[] {
  const names = [...new Set([...theirs.keys(), ...ours.keys()])].sort();
  return names
    .map((chain) => ({ chain, theirs: theirs.get(chain), ours: ours.get(chain) }))
    .filter((pair) => JSON.stringify(pair.theirs) !== JSON.stringify(pair.ours));
}

describe("kube-proxy's rules and ours in mode iptables", {
  skip: cannotMakeNamespaces || lacksProgram('kube-proxy'),
  concurrency: false,
}, () => {
  for (const [i, rounds] of peerRounds().entries())
    describe(`node ${i + 1}`, () => {
      const net = new Namespaces();
      let peer: KubeProxy;
      let own: ProgrammedMode;

      before(async () => {
        await net.add('theirs', 'ours');
        for (const name of ['theirs', 'ours'])
          for (const address of nodeIps.filter((one) => !isLoopback(one)).map((one) => `${one}/${one.includes(':') ? 128 : 32}`))
            await net.ip(name, `addr add ${address} dev lo`);
        const [{ node } = { node: undefined }] = rounds;
        assert.ok(node);
        const [ip, ip6] = node.family === 'ip' ? [node, inIpv6(node)] : [node, node];
        peer = await KubeProxy.start('iptables', net.path('theirs'), [ip, { ...ip6, family: 'ip6' }]);
        own = await ProgrammedMode.in(iptablesFace, net.path('ours'));
      });
      after(async () => {
        await peer?.[Symbol.asyncDispose]();
        await own?.close();
        await net[Symbol.asyncDispose]();
      });

      for (const { given, node } of rounds)
        test(given.name, async () => {
          await Promise.all([peer.program(given, node.family), own.take(plansOf(given, node), node)]);
          assert.deepEqual(differences(await saved(net.path('theirs'), node.family), await saved(net.path('ours'), node.family)), []);
        });
    });
});
