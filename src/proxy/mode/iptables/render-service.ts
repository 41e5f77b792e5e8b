/** A Service's plan to its chains and rules, as kube-proxy lays them out. Rules are written as `iptables-save` prints them. Pure. */
import { probability, quoted } from '../../../linux/iptables/rule.ts';
import type { LocalDetector } from '../../plan/node-context.ts';
import type { EndpointAddress, Frontend, PortPlan, Target } from '../../plan/service-plan.ts';
import { addressOf, chainsOf, type PortChains, portName } from './chain-names.ts';
import { addsToLocalhost, type Layout, type SharedChain } from './layout.ts';
import { hashSteps, type PlacedPlan, type Step } from './placement.ts';

export interface ServiceRules {
  /** Chains of its own in table nat. */
  readonly chains: ReadonlyMap<string, readonly string[]>;
  /** Its rules among those of others. */
  readonly shared: ReadonlyMap<SharedChain, readonly string[]>;
}

type External = Frontend & { readonly kind: Exclude<Frontend['kind'], 'cluster-ip'> };

/** The words that kube-proxy has for an address in comments. */
const addressKinds = { 'cluster-ip': 'cluster IP', 'external-ip': 'external IP', 'load-balancer-ip': 'loadbalancer IP' } as const;

const single = (ip: string): string => `${ip}/${ip.includes(':') ? 128 : 32}`;
const comment = (text: string): string => `-m comment --comment ${quoted(text)}`;

/** As the 10 digits that kube-proxy writes are read. */
const chances: string[] = [];
function chanceOfOneIn(n: number): string {
  chances[n] ??= probability(Number((1 / n).toFixed(10)));
  return chances[n];
}

const byChance = (chance: string): string => `-m statistic --mode random --probability ${chance} `;

/** Each by its share of what is left for it and those behind it. */
function weightedSteps(addresses: readonly string[], weights: ReadonlyMap<string, number>): Step[] {
  const held = addresses.filter((address) => (weights.get(address) ?? 0) > 0);
  let left = held.reduce((sum, address) => sum + (weights.get(address) ?? 0), 0);
  return held.map((address, i) => {
    const weight = weights.get(address) ?? 0;
    const match = i === held.length - 1 ? '' : byChance(probability(weight / left));
    left -= weight;
    return { match, address };
  });
}

/** One of these by the Service's algorithm: of each step the match, if it has one, decides whether the packet goes on to the next. */
function stepsOf(addresses: readonly string[], { algorithm, placed }: PlacedPlan, chain: string): Step[] {
  const { clients, weights } = placed?.get(chain) ?? {};
  if (algorithm === 'source-hash') return hashSteps(addresses, clients);
  if (weights) return weightedSteps(addresses, weights);
  return addresses.map((address, i) => {
    const rest = addresses.length - i;
    const match = algorithm === 'round-robin' ? `-m statistic --mode nth --every ${rest} --packet 0 ` : byChance(chanceOfOneIn(rest));
    return { match: rest === 1 ? '' : match, address };
  });
}

const isServed = (target: Target): boolean => target === 'cluster' || target === 'local';

/** Of where a packet comes from, each with a space behind it. */
interface Matches {
  readonly source: string;
  readonly interface: string;
}

const anywhere: Matches = { source: '', interface: '' };

/** What tells packets of pods. */
function podMatches(local: LocalDetector, not: '' | '! '): Matches {
  switch (local.mode) {
    case 'ClusterCIDR':
    case 'NodeCIDR':
      return { ...anywhere, source: `${not}-s ${local.cidr} ` };
    case 'BridgeInterface':
      return { ...anywhere, interface: `${not}-i ${local.interface} ` };
    case 'InterfaceNamePrefix':
      return { ...anywhere, interface: `${not}-i ${local.prefix}+ ` };
    case 'None':
      return anywhere;
  }
}

/** The chains and rules of one port of a Service. */
class PortRules {
  readonly #port: PortPlan;
  readonly #plan: PlacedPlan;
  readonly #layout: Layout;
  readonly #name: string;
  readonly #names: PortChains;
  readonly #commented: boolean;
  readonly #chains: Map<string, string[]>;
  readonly #shared: Map<SharedChain, string[]>;

  constructor(
    plan: PlacedPlan,
    port: PortPlan,
    layout: Layout,
    commented: boolean,
    into: { chains: Map<string, string[]>; shared: Map<SharedChain, string[]> },
  ) {
    this.#plan = plan;
    this.#port = port;
    this.#layout = layout;
    this.#name = portName(plan, port);
    this.#names = chainsOf(this.#name, port.protocol);
    this.#commented = commented;
    this.#chains = into.chains;
    this.#shared = into.shared;
  }

  write(): void {
    const { frontends, cluster, local } = this.#port;
    const [internal] = frontends.filter((f) => f.kind === 'cluster-ip');
    const external = frontends.filter((f): f is External => f.kind !== 'cluster-ip');
    if (internal) this.#internal(internal);
    for (const frontend of external) this.#external(frontend);
    const [first] = external;
    const isReached = first !== undefined && isServed(first.inside);
    if (isReached) this.#externalChain(first);
    this.#firewallChain(external);
    this.#healthPort();
    const usesCluster = internal?.inside === 'cluster' || isReached;
    const usesLocal = internal?.inside === 'local' || (isReached && first.outside === 'local');
    const endpoints = new Map<string, EndpointAddress>();
    if (usesCluster) this.#spread(this.#names.cluster, cluster, endpoints);
    if (usesLocal) this.#spread(this.#names.local, local, endpoints);
    for (const [address, { ip }] of endpoints) this.#endpointChain(address, ip);
  }

  #add(chain: SharedChain, rule: string): void {
    const rules = this.#shared.get(chain);
    if (rules) rules.push(rule);
    else this.#shared.set(chain, [rule]);
  }

  #own(chain: string): string[] {
    const rules = this.#chains.get(chain) ?? [];
    this.#chains.set(chain, rules);
    return rules;
  }

  /** A packet to a frontend, with what else is asked of it. */
  #to({ ip, port }: Frontend, text: string, more: { readonly from?: Matches; readonly local?: boolean } = {}): string {
    const { protocol } = this.#port;
    const { source, interface: via } = more.from ?? anywhere;
    const local = more.local ? '-m addrtype --dst-type LOCAL ' : '';
    const to = ip === undefined ? '' : `-d ${single(ip)} `;
    return `${source}${to}${via}-p ${protocol} ${comment(text)} ${local}-m ${protocol} --dport ${port}`;
  }

  /** For a target without endpoints. TCP gets a reset, as of ICMP errors the kernel sends one a second. */
  #end(target: 'refuse' | 'drop'): readonly [why: string, verdict: string] {
    if (target === 'drop') return [`${this.#name} has no local endpoints`, 'DROP'];
    const icmp = this.#layout.node.family === 'ip' ? 'icmp-port-unreachable' : 'icmp6-port-unreachable';
    return [`${this.#name} has no endpoints`, `REJECT --reject-with ${this.#port.protocol === 'tcp' ? 'tcp-reset' : icmp}`];
  }

  #internal(frontend: Frontend): void {
    const { inside: target, masquerade } = frontend;
    if (target === 'refuse' || target === 'drop') {
      const [why, verdict] = this.#end(target);
      this.#add('filter KUBE-SERVICES', `${this.#to(frontend, why)} -j ${verdict}`);
      return;
    }
    const chain = this.#names[target];
    const said = `${this.#name} cluster IP`;
    this.#add('nat KUBE-SERVICES', `${this.#to(frontend, said)} -j ${chain}`);
    const { local } = this.#layout.node;
    if (masquerade === 'always') this.#own(chain).push(`${this.#to(frontend, said)} -j KUBE-MARK-MASQ`);
    else if (local.mode !== 'None')
      this.#own(chain).push(`${this.#to(frontend, said, { from: podMatches(local, '! ') })} -j KUBE-MARK-MASQ`);
  }

  #external(frontend: External): void {
    const { kind, inside, outside, sources } = frontend;
    if (isServed(inside)) {
      const chain = sources ? this.#names.firewall : this.#names.external;
      if (kind === 'node-port') this.#nodePort(frontend, chain);
      else this.#add('nat KUBE-SERVICES', `${this.#to(frontend, `${this.#name} ${addressKinds[kind]}`)} -j ${chain}`);
      if (sources)
        this.#add('filter KUBE-PROXY-FIREWALL', `${this.#to(frontend, `${this.#name} traffic not accepted by ${chain}`)} -j DROP`);
    }
    if (outside !== 'refuse' && outside !== 'drop') return;
    const [why, verdict] = this.#end(outside);
    this.#add('filter KUBE-EXTERNAL-SERVICES', `${this.#to(frontend, why, { local: kind === 'node-port' })} -j ${verdict}`);
  }

  #nodePort(frontend: Frontend, chain: string): void {
    const to = this.#to(frontend, this.#name);
    // What is counted goes no further: the next rule takes all other packets.
    if (this.#layout.countsLocalhost) this.#add('nat KUBE-NODEPORTS', `-d 127.0.0.0/8 ${to} ${addsToLocalhost}-j ${chain}`);
    this.#add('nat KUBE-NODEPORTS', `${to} -j ${chain}`);
  }

  #externalChain({ outside, masquerade }: External): void {
    const { cluster, local, external } = this.#names;
    const rules = this.#own(external);
    const where = `${this.#name} external destinations`;
    if (masquerade === 'always') rules.push(`${comment(`masquerade traffic for ${where}`)} -j KUBE-MARK-MASQ`);
    else {
      const pods = podMatches(this.#layout.node.local, '');
      if (this.#layout.node.local.mode !== 'None')
        rules.push(`${pods.source}${pods.interface}${comment(`pod traffic for ${where}`)} -j ${cluster}`);
      const own = '-m addrtype --src-type LOCAL';
      rules.push(`${comment(`masquerade LOCAL traffic for ${where}`)} ${own} -j KUBE-MARK-MASQ`);
      rules.push(`${comment(`route LOCAL traffic for ${where}`)} ${own} -j ${cluster}`);
    }
    if (isServed(outside)) rules.push(`-j ${outside === 'local' ? local : cluster}`);
  }

  /** One for all addresses of the load balancer. */
  #firewallChain(external: readonly External[]): void {
    const guarded = external.filter(({ sources, inside }) => sources && isServed(inside));
    if (guarded.length === 0) return;
    const ranges = new Set(guarded.flatMap(({ sources }) => sources ?? []));
    const rules = this.#own(this.#names.firewall);
    for (const range of ranges) {
      const source = range.includes('/') ? range : single(range);
      rules.push(`-s ${source} ${comment(`${this.#name} loadbalancer IP`)} -j ${this.#names.external}`);
    }
    rules.push(comment(`other traffic to ${this.#name} will be dropped by KUBE-PROXY-FIREWALL`));
  }

  /** Whatever else guards the node, a load balancer must be able to ask. */
  #healthPort(): void {
    const { health, ports } = this.#plan;
    // Ports of one name, which an API server does not let in, would have the same rule.
    if (!health || ports.find(({ name }) => name === this.#port.name) !== this.#port) return;
    const said = comment(`${this.#name} health check node port`);
    this.#add('filter KUBE-NODEPORTS', `-p tcp ${said} -m tcp --dport ${health.port} -j ACCEPT`);
  }

  #spread(chain: string, list: readonly EndpointAddress[], endpoints: Map<string, EndpointAddress>): void {
    const rules = this.#own(chain);
    for (const endpoint of list) endpoints.set(addressOf(endpoint), endpoint);
    const addresses = this.#plan.placed?.get(chain)?.order ?? list.map(addressOf).sort();
    const { affinitySeconds } = this.#port;
    const said = (address: string): string => (this.#commented ? `${comment(`${this.#name} -> ${address}`)} ` : '');
    if (affinitySeconds !== undefined)
      for (const address of addresses) {
        const to = this.#names.endpoint(address);
        rules.push(`${said(address)}-m recent --rcheck --seconds ${affinitySeconds} --reap --name ${to} ${this.#anySource} -j ${to}`);
      }
    for (const { match, address } of stepsOf(addresses, this.#plan, chain))
      rules.push(`${said(address)}${match}-j ${this.#names.endpoint(address)}`);
  }

  /** The rest of what `recent` is told, as it is printed. */
  get #anySource(): string {
    return this.#layout.node.family === 'ip'
      ? '--mask 255.255.255.255 --rsource'
      : '--mask ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff --rsource';
  }

  #endpointChain(address: string, ip: string): void {
    const { affinitySeconds, protocol } = this.#port;
    const chain = this.#names.endpoint(address);
    const said = this.#commented ? `${comment(this.#name)} ` : '';
    const learns = affinitySeconds === undefined ? '' : `-m recent --set --name ${chain} ${this.#anySource} `;
    this.#own(chain).push(
      // A pod that reaches itself would answer itself, and not the address that it asked.
      `-s ${single(ip)} ${said}-j KUBE-MARK-MASQ`,
      `-p ${protocol} ${said}${learns}-m ${protocol} -j DNAT --to-destination ${address}`,
    );
  }
}

/** `commented` as to endpoints: of many the comments are two fifths of the text. */
export function renderService(plan: PlacedPlan, layout: Layout, commented: boolean): ServiceRules {
  const into = { chains: new Map<string, string[]>(), shared: new Map<SharedChain, string[]>() };
  for (const port of plan.ports) new PortRules(plan, port, layout, commented, into).write();
  return into;
}
