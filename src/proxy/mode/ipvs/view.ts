/** What mode ipvs shows of its device, virtual servers, sets and glue. */
import { KernelIpset } from '../../../linux/ipset/kernel-ipset.ts';
import { isInSet } from '../../../linux/ipset/match.ts';
import { printIpsets } from '../../../linux/ipset/print.ts';
import { KernelIptables } from '../../../linux/iptables/kernel-iptables.ts';
import { printTable } from '../../../linux/iptables/print.ts';
import type { Ruleset } from '../../../linux/iptables/ruleset.ts';
import { serverName } from '../../../linux/ipvs/ipvs.ts';
import { KernelIpvs } from '../../../linux/ipvs/kernel-ipvs.ts';
import { printIpvs } from '../../../linux/ipvs/print.ts';
import { Rtnetlink } from '../../../linux/netlink/rtnetlink.ts';
import type { TableFamily } from '../../../linux/nftables/table.ts';
import { readSysctl } from '../../../linux/sysctl.ts';
import type { NodeContext } from '../../plan/node-context.ts';
import type { ServicePlan } from '../../plan/service-plan.ts';
import { liveRules } from '../live-rules.ts';
import { Owners } from '../owners.ts';
import { serviceDevice } from '../service-address.ts';
import type { Held, ModeView, ViewOptions } from '../view.ts';
import { byName } from './difference.ts';
import { DryIpvsKernel } from './dry-run.ts';
import { explainWanted } from './explain.ts';
import { type Glue, glueOf } from './glue.ts';
import { IpvsMode, type IpvsModeKernel, ipvsAlgorithms } from './ipvs-mode.ts';
import { defaultMasqueradeBit, type IpvsNode } from './ipvs-node.ts';
import { Ledger } from './ledger.ts';
import { Render } from './render.ts';
import { KernelServiceDevice } from './service-device.ts';
import { declarationOf, type SetName, setNames } from './set-names.ts';
import { IpvsTracer, type TracedKernel } from './trace.ts';

const headings = [`# ip addr show dev ${serviceDevice}`, '# ipvsadm -Sn', '# ipset save', '# iptables-save'] as const;

function nodeOf(node: NodeContext, { hostIps = node.nodeIps, masqueradeBit = defaultMasqueradeBit }: ViewOptions): IpvsNode {
  return { ...node, hostIps, masqueradeBit };
}

/** Addresses as lines, in an order. */
export function addressLines(addresses: Iterable<string>): string {
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

/** Whether a packet is in one of these sets, by the kernel's name; nothing is in others. */
function membership(family: TableFamily, entriesOf: (set: SetName) => ReadonlySet<string>): TracedKernel['isInSet'] {
  const sets = new Map(setNames.map((name) => [declarationOf(name, family).name, name]));
  return (kernelName, packet, sides) => {
    const name = sets.get(kernelName);
    return name !== undefined && isInSet({ set: declarationOf(name, family), entries: entriesOf(name) }, packet, sides);
  };
}

function openKernel(): IpvsModeKernel {
  const parts = {
    ipvs: new KernelIpvs(),
    ipset: new KernelIpset(),
    iptables: new KernelIptables(),
    device: new KernelServiceDevice(() => new Rtnetlink()),
  };
  return {
    ...parts,
    setSysctl: () => false,
    loadModules: async () => {},
    close: () => {
      for (const part of Object.values(parts)) part.close();
    },
  };
}

/** Throws KERNEL_FEATURE_MISSING. */
async function readKernel({ ipvs, ipset, iptables, device }: IpvsModeKernel, family: TableFamily): Promise<Held | undefined> {
  await ipvs.version();
  const { bound, hasDevice } = await device.read();
  if (!hasDevice) return undefined;
  const entries = new Map<SetName, ReadonlySet<string>>();
  for (const name of setNames) entries.set(name, (await ipset.read(declarationOf(name, family).name))?.entries ?? new Set());
  const servers = (await ipvs.read()).map(({ realServers, ...server }) => {
    const open = realServers.filter(({ weight }) => weight > 0);
    return [serverName(server.address), { ...server, reals: byName(open) }] as const;
  });
  const unread: string[] = [];
  const rules = await iptables.save(family);
  const { backend } = await iptables.features(family);
  const kernel: TracedKernel = {
    rules,
    servers: new Map(servers),
    addresses: bound,
    isInSet: membership(family, (set) => entries.get(set) ?? new Set()),
  };
  return {
    unread,
    ...liveRules(rules, backend, ['nat', 'filter', 'mangle']),
    tracer(nodeIps) {
      const tracer = new IpvsTracer(kernel, nodeIps, ({ place, rule }) => {
        if (!unread.includes(`${place} ${rule}`)) unread.push(`${place} ${rule}`);
      });
      return (...followed) => tracer.trace(...followed);
    },
  };
}

export const view: ModeView = {
  name: 'ipvs',
  algorithms: ipvsAlgorithms,
  render(plans: Iterable<ServicePlan>, given, options = {}) {
    const node = nodeOf(given, options);
    const ledger = new Ledger(node);
    ledger.update(new Map(Array.from(plans, (plan) => [plan.key, plan])));
    const entriesOf = (name: SetName): ReadonlySet<string> => ledger.entriesOf(name);
    const rules = rulesetOf(glueOf(node, ledger.detours));
    const servers = [...ledger.servers.values()].filter(({ reals }) => reals.size > 0);
    const parts = [
      addressLines(ledger.addresses),
      printIpvs(servers.map((server) => ({ ...server, realServers: [...server.reals.values()] }))),
      printIpsets(setNames.map((name) => ({ set: declarationOf(name, node.family), entries: entriesOf(name) }))),
      [...rules].map(([table, chains]) => printTable(table, chains)).join(''),
    ];
    const kernel = { rules, servers: ledger.servers, addresses: ledger.addresses, isInSet: membership(node.family, entriesOf) };
    return {
      document: () => ({
        addresses: [...ledger.addresses],
        servers: servers.map(({ reals, ...server }) => ({ ...server, realServers: [...reals.values()] })),
        sets: Object.fromEntries(setNames.map((name) => [declarationOf(name, node.family).name, [...entriesOf(name)]])),
        rules: Object.fromEntries([...rules].map(([table, chains]) => [table, Object.fromEntries(chains)])),
      }),
      text: headings.map((heading, i) => `${heading}\n${parts[i] ?? ''}`).join('\n'),
      tracer(nodeIps) {
        const tracer = new IpvsTracer(kernel, nodeIps);
        return (...followed) => tracer.trace(...followed);
      },
    };
  },
  explain: (plan, node, options = {}) => explainWanted(new Render(nodeOf(node, options)).service(plan), node.family),
  dryRun(options = {}) {
    const kernel = new DryIpvsKernel(openKernel(), readSysctl);
    return { mode: new IpvsMode(kernel, options), changes: (plans) => kernel.changes(new Owners(plans)) };
  },
  async read(family) {
    const kernel = openKernel();
    try {
      return await readKernel(kernel, family);
    } finally {
      kernel.close();
    }
  },
};
