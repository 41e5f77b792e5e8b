/**
 * What the kernel holds after kube-proxy in mode ipvs and after this proxy, for every scenario in both families: addresses, virtual servers, sets and
 * chains, but for what is known to differ. Needs kube-proxy (FAIRLEAD_KUBE_PROXY). PEER_SEED=N repeats the random part. Runs in the guest.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { cidrContains, joinHostPort, parseCidr } from '../../../src/ip/ip.ts';
import { mustRun } from '../../../src/linux/exec.ts';
import { parseIpsets } from '../../../src/linux/ipset/testing/parse.ts';
import { canonicalRule } from '../../../src/linux/iptables/rule.ts';
import { parseSave } from '../../../src/linux/iptables/ruleset.ts';
import { printIpvs } from '../../../src/linux/ipvs/print.ts';
import { parseIpvs } from '../../../src/linux/ipvs/testing/parse.ts';
import { Namespaces } from '../../../src/linux/testing/namespaces.ts';
import { ipvsFace } from '../../../src/proxy/mode/ipvs/testing/face.ts';
import { execIn } from '../../../src/proxy/mode/ipvs/testing/kernel-mode.ts';
import type { NodeContext } from '../../../src/proxy/plan/node-context.ts';
import type { ServicePlan } from '../../../src/proxy/plan/service-plan.ts';
import { inIpv6 } from '../../../src/proxy/testing/ipv6.ts';
import { nodeIps } from '../../../src/proxy/testing/scenario.ts';
import { lacksProgram } from '../../interop/testing/programs.ts';
import { isOfMarkerRange, KubeProxy } from '../../rules/testing/kube-proxy.ts';
import { isLoopback, type PeerCase, peerRounds, plansOf } from '../../rules/testing/peer-cases.ts';
import { ProgrammedMode } from '../../rules/testing/programmed-mode.ts';

/** Lines by place: `addresses`, `servers`, `set NAME`, `TABLE CHAIN`. */
type Held = Readonly<Record<string, readonly string[]>>;

function isOfFamily(ip: string, family: NodeContext['family']): boolean {
  return ip.includes(':') === (family === 'ip6');
}

/** What a node holds of one family. */
async function held(namespace: string, family: NodeContext['family']): Promise<Held> {
  const run = (file: string, ...args: string[]): Promise<string> => mustRun(execIn(namespace), file, args);
  const isWanted = (ip: string): boolean => isOfFamily(ip, family) && !isOfMarkerRange(ip);
  const shown = await run('ip', '-o', 'addr', 'show', 'dev', 'kube-ipvs0');
  // One that is only kept for connections has no real server.
  const servers = parseIpvs(await run('ipvsadm', '-Sn')).filter(
    ({ address, realServers }) => address.kind === 'address' && isWanted(address.ip) && realServers.length > 0,
  );
  const found: Record<string, readonly string[]> = {
    addresses: (shown.match(/(?<=inet6? )[^/ ]+/g) ?? []).filter(isWanted).sort(),
    servers: printIpvs(servers).split('\n'),
  };
  for (const { set, entries } of parseIpsets(await run('ipset', 'save')))
    if (set.name.startsWith('KUBE-6-') === (family === 'ip6'))
      found[`set ${set.name}`] = [`${set.type} ${set.family}`, ...[...entries].filter((entry) => !isOfMarkerRange(entry)).sort()];
  for (const [table, chains] of parseSave(await run(`${family}tables-save`)))
    for (const [chain, rules] of chains)
      if (chain.startsWith('KUBE-') || rules.some((rule) => rule.includes('KUBE-'))) found[`${table} ${chain}`] = rules.map(canonicalRule);
  return found;
}

/** What only this proxy has, and the README of the mode says why. */
const own = [
  // Short circuits of Local policies, addresses of other nodes, refusals by a reset, drops where another node would serve.
  /KUBE-(?:SHORT-CIRCUIT|SHARED-IP|REFUSE|(?:6-)?NO-LOCAL)/,
  // Source ranges hold for the node's own packets, which never meet filter INPUT.
  /^mangle /,
  // The node's own packets under a Local policy come from the Service's address.
  /^nat KUBE-SERVICES .*--src-type LOCAL.*-LOCAL(?:-TCP|-UDP|-SCTP-HASH?)? dst(?:,dst)? -j KUBE-MARK-MASQ$/,
  // All packets to an external IP are done here; kube-proxy lets those of bridges go on.
  /^nat KUBE-SERVICES .*EXTERNAL-IP(?:-LOCAL)? dst,dst -j ACCEPT$/,
];

/** What only kube-proxy has. */
const theirOwn = [
  /^filter KUBE-IPVS-FILTER .*IPVS-IPS dst -j REJECT$/,
  // Source ranges for the node's own packets: ours are in table mangle, by the same sets as for all others.
  /^filter KUBE-IPVS-OUT-FILTER .*-m ipvs --vaddr .*-j DROP$/,
  /^nat KUBE-SERVICES .*EXTERNAL-IP(?:-LOCAL)? dst,dst -m (?:physdev|addrtype) .*-j ACCEPT$/,
];

/** kube-proxy looks at node ports before it is done with packets to a Service's address, so that a port that equals a node port is masqueraded there. */
const elsewhere = /^-m addrtype --dst-type LOCAL -j KUBE-NODE-PORT$/;

/** Whether a rule asks a set that is empty: kube-proxy leaves it out, and it meets no packet. */
function asksEmptySet(line: string, sets: Held): boolean {
  const [, set] = /--match-set (\S+)/.exec(line) ?? [];
  return set !== undefined && (sets[`set ${set}`] ?? []).length <= 1;
}

/** Frontends that have no endpoint here: kube-proxy has them in its sets all the same, and under a Local policy gives them to all endpoints. */
function unservedBy(plans: readonly ServicePlan[]): (line: string) => boolean {
  const patterns = plans.flatMap(({ ports }) =>
    ports.flatMap((port) =>
      port.frontends
        .filter((frontend) => [frontend.inside, frontend.outside].some((way) => way === 'drop' || way === 'refuse'))
        .flatMap(({ ip, port: number }) =>
          ip === undefined
            ? [`:${number}(?!\\d)`, `^${number}$`]
            : [`${joinHostPort(ip, number).replaceAll(/[[\].]/g, '\\$&')}(?!\\d)`, `^${ip},${port.protocol}:${number}$`],
        ),
    ),
  );
  return (line) => patterns.some((pattern) => new RegExp(pattern).test(line));
}

/** Of IPv6 a set's name has no room for its last letter. */
const sourceRanges = /^set KUBE-(?:6-)?LOAD-BALANCER-SOURCE-CIDR?$/;

/** Whether a range of sources is within another one of the same frontend: it lets nobody more in. */
function isWithinOther(entry: string, entries: readonly string[]): boolean {
  const [, frontend, source = ''] = /^(.*),([^,]+)$/.exec(entry) ?? [];
  return entries.some((other) => {
    const cidr = parseCidr(other.slice(other.lastIndexOf(',') + 1));
    return other.startsWith(`${frontend},`) && cidr !== undefined && cidrContains(cidr, source.split('/')[0] ?? '');
  });
}

/**
 * Endpoints that reach themselves. kube-proxy has in its set those that no packet is sent to, too, and not those of which nobody said on which node they are.
 */
function isOtherLoopBack(entry: string, plans: readonly ServicePlan[], { slices }: PeerCase): boolean {
  const ip = entry.slice(entry.lastIndexOf(',') + 1);
  const served = plans.flatMap(({ ports }) => ports.flatMap(({ cluster, local }) => [...cluster, ...local]));
  const nowhere = slices.flatMap(({ endpoints }) => (endpoints ?? []).filter(({ nodeName }) => nodeName === undefined));
  return !served.some((endpoint) => endpoint.ip === ip) || nowhere.some(({ addresses }) => addresses.includes(ip));
}

interface Difference {
  readonly place: string;
  readonly onlyTheirs: readonly string[];
  readonly onlyOurs: readonly string[];
  /** Theirs and ours of what both have, where it differs. */
  readonly order?: readonly string[];
}

function differences(theirs: Held, ours: Held, plans: readonly ServicePlan[], given: PeerCase): Difference[] {
  const isUnserved = unservedBy(plans);
  const isKnownEntry = (place: string, line: string): boolean =>
    (sourceRanges.test(place) && isWithinOther(line, ours[place] ?? [])) ||
    (place.endsWith('LOOP-BACK') && isOtherLoopBack(line, plans, given));
  const places = [...new Set([...Object.keys(theirs), ...Object.keys(ours)])].sort();
  return places.flatMap((place) => {
    const [a, b] = [theirs[place] ?? [], ours[place] ?? []];
    const isKnown = (list: readonly RegExp[], line: string): boolean => list.some((one) => one.test(`${place} ${line}`));
    const isEntry = !place.includes('KUBE-') || place.startsWith('set ');
    const onlyTheirs = a.filter(
      (line) => !b.includes(line) && !isKnown(theirOwn, line) && !(isEntry && isUnserved(line)) && !isKnownEntry(place, line),
    );
    const onlyOurs = b.filter(
      (line) =>
        !a.includes(line) && !isKnown(own, line) && !asksEmptySet(line, ours) && !asksEmptySet(line, theirs) && !isKnownEntry(place, line),
    );
    // What both have comes in the same order.
    const common = (some: readonly string[], others: readonly string[]): string[] =>
      some.filter((line) => others.includes(line) && !elsewhere.test(line));
    const order = [common(a, b), common(b, a)].map((lines) => lines.join('\n'));
    const isOrdered = isEntry || order[0] === order[1];
    if (onlyTheirs.length + onlyOurs.length === 0 && isOrdered) return [];
    return [{ place, onlyTheirs, onlyOurs, ...(isOrdered ? {} : { order }) }];
  });
}

describe("kube-proxy's virtual servers, sets and chains and ours", { skip: lacksProgram('kube-proxy'), concurrency: false }, () => {
  for (const [i, rounds] of peerRounds().entries())
    describe(`node ${i + 1}`, () => {
      const net = new Namespaces();
      let peer: KubeProxy;
      let mode: ProgrammedMode;

      before(async () => {
        await net.add('theirs', 'ours');
        for (const name of ['theirs', 'ours']) {
          const lines = nodeIps.filter((one) => !isLoopback(one)).map((one) => `addr add ${one}/${one.includes(':') ? 128 : 32} dev lo`);
          for (const line of lines) await net.ip(name, line);
          await net.ip(name, 'link set lo up');
        }
        const [{ node } = { node: undefined }] = rounds;
        assert.ok(node);
        const [ip, ip6] = node.family === 'ip' ? [node, inIpv6(node)] : [node, node];
        peer = await KubeProxy.start('ipvs', net.path('theirs'), [ip, { ...ip6, family: 'ip6' }]);
        mode = await ProgrammedMode.in(ipvsFace, net.path('ours'));
      });
      after(async () => {
        await peer?.[Symbol.asyncDispose]();
        await mode?.close();
        await net[Symbol.asyncDispose]();
      });

      for (const { given, node } of rounds)
        test(given.name, async () => {
          const plans = plansOf(given, node);
          await Promise.all([peer.program(given, node.family), mode.take(plans, node)]);
          const [theirs, ours] = [await held(net.path('theirs'), node.family), await held(net.path('ours'), node.family)];
          assert.deepEqual(differences(theirs, ours, plans, given), []);
        });
    });
});
