/** Mode ipvs in the scenarios of `rules/`. */
import assert from 'node:assert/strict';
import { mustRun } from '../../../../linux/exec.ts';
import { isInSet } from '../../../../linux/ipset/match.ts';
import { printIpsets, type TextSet } from '../../../../linux/ipset/print.ts';
import { parseIpsets } from '../../../../linux/ipset/testing/parse.ts';
import { printTable } from '../../../../linux/iptables/print.ts';
import { canonicalRule } from '../../../../linux/iptables/rule.ts';
import { parseSave, type Ruleset } from '../../../../linux/iptables/ruleset.ts';
import { printIpvs } from '../../../../linux/ipvs/print.ts';
import { parseIpvs } from '../../../../linux/ipvs/testing/parse.ts';
import { nodeIps as hostIps } from '../../../testing/scenario.ts';
import type { ModeFace } from '../../testing/face.ts';
import { type Glue, glueOf } from '../glue.ts';
import { ipvsAlgorithms } from '../ipvs-mode.ts';
import { defaultMasqueradeBit, type IpvsNode } from '../ipvs-node.ts';
import { Ledger } from '../ledger.ts';
import { deviceName } from '../service-device.ts';
import { declarationOf, setNames } from '../set-names.ts';
import { IpvsTracer } from '../trace.ts';
import { execIn, ipvsModeIn, lackingForIpvs } from './kernel-mode.ts';

const headings = [`# ip addr show dev ${deviceName}`, '# ipvsadm -Sn', '# ipset save', '# iptables-save'] as const;

/** The golden file from its four parts. */
function join(parts: readonly string[]): string {
  return headings.map((heading, i) => `${heading}\n${parts[i] ?? ''}`).join('\n');
}

/** The four parts, without the line between them. */
function split(text: string): string[] {
  const parts = text.split(/^# .*\n/m).slice(1);
  return parts.map((part, i) => (i < parts.length - 1 ? part.slice(0, -1) : part));
}

function addressLines(addresses: Iterable<string>): string {
  return [...addresses]
    .sort()
    .map((ip) => `${ip}\n`)
    .join('');
}

/** The glue as the tables of a kernel that has nothing else. */
function rulesetOf({ chains, jumps }: Glue): Ruleset {
  const tables = new Map<string, Map<string, readonly string[]>>();
  for (const [table, own] of chains) {
    const held = new Map<string, readonly string[]>(own);
    tables.set(table, held);
    for (const jump of jumps.filter((one) => one.table === table)) held.set(jump.chain, [jump.rule, ...(held.get(jump.chain) ?? [])]);
  }
  return tables;
}

/** Rules of our chains, and those that lead to them, each as the kernel means it. */
function ofOurs(text: string): string[] {
  return [...parseSave(text)].flatMap(([table, chains]) =>
    [...chains].flatMap(([chain, rules]) =>
      rules.map((rule) => `${table} ${chain} ${canonicalRule(rule)}`).filter((line) => line.includes('KUBE-')),
    ),
  );
}

export const ipvsFace: ModeFace = {
  name: 'ipvs',
  golden: 'ipvs.txt',
  algorithms: ipvsAlgorithms,
  damages: ['ipvsadm -C', `ip link delete ${deviceName}`, 'iptables -t nat -F', 'ipset flush KUBE-CLUSTER-IP'],
  refusesTcpBy: 'tcp reset',
  render(plans, given) {
    const node: IpvsNode = { ...given, hostIps, masqueradeBit: defaultMasqueradeBit };
    const ledger = new Ledger(node);
    ledger.update(new Map(Array.from(plans, (plan) => [plan.key, plan])));
    const held = ledger.members;
    const sets = setNames.map((name): TextSet & { entries: Set<string> } => ({
      set: declarationOf(name, node.family),
      entries: held.get(name) ?? new Set(),
    }));
    const rules = rulesetOf(glueOf(node, ledger.detours));
    const servers = [...ledger.servers.values()].filter(({ reals }) => reals.size > 0);
    const byName = new Map(sets.map((set) => [set.set.name, set]));
    return {
      text: join([
        addressLines(ledger.addresses),
        printIpvs(servers.map((server) => ({ ...server, realServers: [...server.reals.values()] }))),
        printIpsets(sets),
        [...rules].map(([table, chains]) => printTable(table, chains)).join(''),
      ]),
      tracer(nodeIps) {
        const tracer = new IpvsTracer(
          {
            rules,
            servers: ledger.servers,
            addresses: ledger.addresses,
            isInSet: (name, packet, sides) => {
              const set = byName.get(name);
              if (!set) throw new SyntaxError(`There is no set ${name}`);
              return isInSet(set, packet, sides);
            },
          },
          nodeIps,
        );
        return (packet) => tracer.trace(packet);
      },
    };
  },
  lacking: lackingForIpvs,
  open: (namespace) => ipvsModeIn(namespace),
  async checkListing(namespace, golden, { family }) {
    const [addresses, servers, sets, tables = ''] = split(golden);
    const run = (file: string, ...args: string[]): Promise<string> => mustRun(execIn(namespace), file, args);
    const shown = await run('ip', '-o', 'addr', 'show', 'dev', deviceName);
    assert.equal(addressLines(shown.match(/(?<=inet6? )[^/ ]+/g) ?? []), addresses);
    assert.equal(printIpvs(parseIpvs(await run('ipvsadm', '-Sn'))), servers);
    assert.equal(printIpsets(parseIpsets(await run('ipset', 'save'))), sets);
    const listed = await run(`${family}tables-save`);
    assert.deepEqual(ofOurs(listed).sort(), ofOurs(tables).sort());
  },
};
