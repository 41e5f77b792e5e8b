/** What mode iptables shows of its chains. */
import { dryRun } from '../../../linux/iptables/dry-run.ts';
import { KernelIptables } from '../../../linux/iptables/kernel-iptables.ts';
import { changesOf, printRuleset, type RuleCommand } from '../../../linux/iptables/print.ts';
import type { Ruleset } from '../../../linux/iptables/ruleset.ts';
import { trace } from '../../../linux/iptables/trace.ts';
import { KernelPacketAccounts, type PacketAccounts } from '../../../linux/netlink/packet-accounts.ts';
import type { TableFamily } from '../../../linux/nftables/table.ts';
import { readSysctl } from '../../../linux/sysctl.ts';
import type { NodeContext } from '../../plan/node-context.ts';
import type { ServicePlan } from '../../plan/service-plan.ts';
import { liveRules } from '../live-rules.ts';
import type { Change, Explained, ModeView, Tracer, ViewOptions } from '../view.ts';
import { addressOf, chainsOf, portName } from './chain-names.ts';
import { explainRules } from './explain.ts';
import { IptablesMode, iptablesAlgorithms } from './iptables-mode.ts';
import { type Layout, layoutOf, localhostAccount } from './layout.ts';
import { isOfWeights, movingChains } from './moving-weights.ts';
import { nothingKnown, place } from './placement.ts';
import { areCommented, renderRules } from './render-rules.ts';
import { renderService } from './render-service.ts';

function tracerOf(rules: Ruleset, nodeIps: readonly string[], onUnknown?: (rule: string) => void): Tracer {
  const recent = new Map<string, Set<string>>();
  return (packet, onStep, onWay) =>
    trace(rules, packet, {
      nodeIps,
      recent,
      ...(onStep ? { onStep } : {}),
      ...(onWay ? { onWay } : {}),
      ...(onUnknown ? { onUnknown: ({ place, rule }) => onUnknown(`${place} ${rule}`) } : {}),
    });
}

/** Whose the chains are, by name. */
function chainOwners(plans: Iterable<ServicePlan>): Map<string, string> {
  const owners = new Map<string, string>();
  for (const plan of plans)
    for (const port of plan.ports) {
      const { cluster, local, external, firewall, endpoint } = chainsOf(portName(plan, port), port.protocol);
      for (const chain of [cluster, local, external, firewall]) owners.set(chain, plan.key);
      for (const address of [...port.cluster, ...port.local]) owners.set(endpoint(addressOf(address)), plan.key);
    }
  return owners;
}

/** Rules of Services name them in a comment, as kube-proxy's do, or lead to their chains. */
function ownerOf({ chain, rule }: RuleCommand, owners: ReadonlyMap<string, string>): string | undefined {
  const named = /--comment "?(?:[^"]* for )?([^\s":]+\/[^\s":]+)/.exec(rule)?.[1];
  return owners.get(chain) ?? named ?? owners.get(/-j (KUBE-\S+)/.exec(rule)?.[1] ?? '');
}

/** `held`: the rules that the commands change. */
export function namedChanges(family: TableFamily, commands: Iterable<RuleCommand>, plans: readonly ServicePlan[], held: Ruleset): Change[] {
  const owners = chainOwners(plans);
  const moving = movingChains(held, plans);
  return Array.from(commands, (command) => {
    const service = ownerOf(command, owners);
    const isMoving = isOfWeights(command, moving) ? { isMoving: true } : {};
    return { text: `${family}tables ${command.text}`, ...isMoving, ...(service === undefined ? {} : { service }) };
  });
}

/** As a kernel has it that lacks nothing, unless `options` say what it lacks. */
function layoutIn(node: NodeContext, { keepsAccounts = true, ...options }: ViewOptions): Layout {
  const layout = layoutOf(node, options, true);
  return { ...layout, countsLocalhost: layout.localhostNodePorts && keepsAccounts };
}

function explain(plan: ServicePlan, node: NodeContext, options: ViewOptions = {}, commented = areCommented([plan])): Explained[] {
  return explainRules(renderService(place(plan, nothingKnown), layoutIn(node, options), commented), node.family);
}

/** Whether rules say in comments to which endpoint they lead: of all Services together they do, or none. Undefined where nothing leads to any. */
export function sayEndpoints(held: Ruleset): boolean | undefined {
  for (const rules of held.get('nat')?.values() ?? [])
    for (const rule of rules) if (rule.includes('-j KUBE-SEP-')) return rule.includes('--comment');
  return undefined;
}

/** The kernel's, to which nothing is done: where there is no account yet, no rule adds to it. */
function accountsToRead(): PacketAccounts {
  const opening = KernelPacketAccounts.open();
  const packets = async (name: string): Promise<number | undefined> => (await opening)?.packets(name);
  return {
    packets,
    ensure: async (name) => (await packets(name)) !== undefined,
    remove: async () => true,
    close: () => void opening.then((accounts) => accounts?.close()),
  };
}

export const view: ModeView = {
  name: 'iptables',
  algorithms: iptablesAlgorithms,
  render(plans, node, options = {}) {
    const rules = renderRules(plans, layoutIn(node, options));
    const document = (): object => Object.fromEntries([...rules].map(([table, chains]) => [table, Object.fromEntries(chains)]));
    return { text: printRuleset(rules), document, tracer: (nodeIps) => tracerOf(rules, nodeIps) };
  },
  explain: (plan, node, options) => explain(plan, node, options),
  async explainHeld(plan, node, options) {
    const accounts = accountsToRead();
    const iptables = new KernelIptables();
    try {
      // A proxy that programs this mode has made the account, unless the kernel lacks a part.
      const isHeld = await iptables.mayHold('KUBE-SVC-', node.family);
      const keepsAccounts = !isHeld || (await accounts.ensure(localhostAccount));
      const commented = isHeld ? sayEndpoints(await iptables.save(node.family)) : undefined;
      return explain(plan, node, { ...options, keepsAccounts }, commented);
    } finally {
      iptables.close();
      accounts.close();
    }
  },
  dryRun(options = {}) {
    const told: ((plans: readonly ServicePlan[]) => Change[])[] = [];
    const iptables = dryRun(new KernelIptables(), (family, sections, held) =>
      told.push((plans) => namedChanges(family, changesOf(held, sections), plans, held)),
    );
    const set = (name: string, value: string): void => {
      if (readSysctl(name) !== value) told.push(() => [{ text: `sysctl -w ${name}=${value}` }]);
    };
    const mode = new IptablesMode({ ...options, iptables, accounts: accountsToRead(), settings: { read: readSysctl, set }, closes: true });
    return {
      mode,
      changes: (plans) => {
        const all = [...plans];
        return told.flatMap((changes) => changes(all));
      },
    };
  },
  async read(family) {
    const iptables = new KernelIptables();
    try {
      const rules = await iptables.save(family);
      if (![...(rules.get('nat')?.keys() ?? [])].includes('KUBE-SERVICES')) return undefined;
      const unread: string[] = [];
      const onUnknown = (rule: string): void => {
        if (!unread.includes(rule)) unread.push(rule);
      };
      const { backend } = await iptables.features(family);
      return { tracer: (nodeIps) => tracerOf(rules, nodeIps, onUnknown), unread, ...liveRules(rules, backend) };
    } finally {
      iptables.close();
    }
  },
};
