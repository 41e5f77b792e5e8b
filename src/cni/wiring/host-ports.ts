/**
 * Host ports: connections to a port of the node go on to a pod. One nftables table per family: when a pod with
 * host ports comes or goes, or somebody changed it, what is different is written over netlink in one transaction.
 */
import { type Family, familyOf } from '../../ip/ip.ts';
import { syncTable } from '../../linux/nftables/sync-table.ts';
import type { Chain, Nftables, Table, TableFamily } from '../../linux/nftables/table.ts';
import { ensureSysctl, readSysctl } from '../../linux/sysctl.ts';
import type { Log } from '../../observability/log.ts';
import { type Attachment, attachmentKey, ipsOf } from '../attachment.ts';
import type { HostPort } from '../spec/request.ts';

export type HostPorts = Pick<NftHostPorts, 'add' | 'remove'>;

export const hostPortTable = 'fairlead-hostport';

/**
 * The whole table of a family; undefined when there is nothing to forward. Priorities: behind the service proxy's translation (-100, 100),
 * whose verdict stands when both have one; and before connection tracking (-300) for the guard.
 *
 * A host port on an address of another family than the pod's is left out, as the portmap plugin does: there is nothing to translate it to.
 */
export function planHostPorts(attachments: readonly Attachment[], bridge: string, version: Family = 4): Table | undefined {
  const any = new Map<string, string>();
  const bound = new Map<string, string>();
  const pods = new Map<string, string>();
  const hairpin = new Map<string, string>();
  for (const a of attachments) {
    const ip = ipsOf(a).find((one) => familyOf(one) === version);
    if (ip === undefined) continue;
    for (const p of a.hostPorts.filter((port) => port.hostIp === '' || familyOf(port.hostIp) === version)) {
      const target = `${ip} . ${p.containerPort}`;
      if (p.hostIp === '') any.set(`${p.protocol} . ${p.hostPort}`, target);
      else bound.set(`${p.hostIp} . ${p.protocol} . ${p.hostPort}`, target);
      pods.set(ip, '');
      hairpin.set(`${ip} . ${ip}`, '');
    }
  }
  if (pods.size === 0) return undefined;
  // The addresses as the kernel tells them, or the next look finds others; and the number of ICMP.
  const [family, address, own, icmp] =
    version === 4 ? (['ip', 'ipv4_addr', '127.0.0.0/8', '1'] as const) : (['ip6', 'ipv6_addr', '::1', '58'] as const);
  const target = [address, 'inet_service'];
  return {
    family,
    name: hostPortTable,
    sets: [
      { name: 'loopback', key: ['inet_proto', address], interval: true },
      { name: 'pods', key: [address] },
      { name: 'hairpin', key: [address, address] },
      { name: 'any', key: ['inet_proto', 'inet_service'], data: target },
      { name: 'bound', key: [address, 'inet_proto', 'inet_service'], data: target },
    ],
    elements: new Map([
      ['loopback', new Map([icmp, 'tcp', 'udp', 'sctp'].map((protocol) => [`${protocol} . ${own}`, '']))],
      ['pods', pods],
      ['hairpin', hairpin],
      ['any', any],
      ['bound', bound],
    ]),
    chains: chainsOf(family, bridge),
  };
}

function chainsOf(family: TableFamily, bridge: string): Chain[] {
  return [
    {
      name: 'forward-port',
      rules: [
        `dnat ${family} to ${family} daddr . meta l4proto . th dport map @bound`,
        `dnat ${family} to meta l4proto . th dport map @any`,
      ],
    },
    // Pods must not reach what listens on the node's loopback only, now that the bridge routes it.
    {
      name: 'guard',
      hook: { type: 'filter', hook: 'prerouting', priority: -300 },
      rules: [`iifname "${bridge}" meta l4proto . ${family} daddr @loopback drop`],
    },
    { name: 'prerouting', hook: { type: 'nat', hook: 'prerouting', priority: -95 }, rules: ['fib daddr type local goto forward-port'] },
    { name: 'output', hook: { type: 'nat', hook: 'output', priority: -95 }, rules: ['fib daddr type local goto forward-port'] },
    // A pod that reaches itself, and what comes from the node's loopback, need an address that finds its way back.
    {
      name: 'postrouting',
      hook: { type: 'nat', hook: 'postrouting', priority: 105 },
      rules: [
        `${family} saddr . ${family} daddr @hairpin masquerade fully-random`,
        `meta l4proto . ${family} saddr @loopback ${family} daddr @pods masquerade fully-random`,
      ],
    },
  ];
}

/** Forgets UDP flows to these ports of the node: their translation is not what it was. */
export type ForgetUdp = (ports: ReadonlySet<number>) => Promise<void>;

export class NftHostPorts {
  readonly #nft: Nftables;
  readonly #forgetUdp: ForgetUdp;
  readonly #log: Log;
  #bridge: string;
  readonly #byKey = new Map<string, Attachment>();
  #turn: Promise<void> = Promise.resolve();

  constructor(nft: Nftables, forgetUdp: ForgetUdp, log: Log, bridge = 'cni0') {
    this.#nft = nft;
    this.#forgetUdp = forgetUdp;
    this.#log = log;
    this.#bridge = bridge;
  }

  /** Starts from these attachments, whatever the kernel holds. */
  async reset(attachments: readonly Attachment[]): Promise<void> {
    this.#byKey.clear();
    for (const a of attachments) if (a.hostPorts.length > 0) this.#byKey.set(attachmentKey(a), a);
    await this.heal();
  }

  /** The bridge is there now, perhaps anew. */
  async setBridge(bridge: string): Promise<void> {
    this.#bridge = bridge;
    await this.heal();
  }

  /** Writes the table again when somebody has changed it. */
  heal(): Promise<void> {
    return this.#write([]);
  }

  async add(attachment: Attachment): Promise<void> {
    if (attachment.hostPorts.length === 0) return;
    const key = attachmentKey(attachment);
    this.#byKey.set(key, attachment);
    try {
      await this.#write(attachment.hostPorts);
    } catch (err) {
      this.#byKey.delete(key);
      throw err;
    }
  }

  async remove(key: string): Promise<void> {
    const had = this.#byKey.get(key);
    if (!had) return;
    this.#byKey.delete(key);
    try {
      await this.#write(had.hostPorts);
    } catch (err) {
      this.#byKey.set(key, had);
      throw err;
    }
  }

  /** One after the other, each with all that is wanted by then. */
  #write(changed: readonly HostPort[]): Promise<void> {
    const turn = this.#turn.then(async () => {
      const isNew = [await this.#writeOf(4), await this.#writeOf(6)].includes(true);
      // Without it the kernel drops packets from 127.0.0.0/8 that leave by a link. The bridge may come later.
      const routeLocal = `net/ipv4/conf/${this.#bridge}/route_localnet`;
      if (this.#byKey.size > 0 && readSysctl(routeLocal) !== undefined) ensureSysctl(routeLocal, '1');
      if (isNew) this.#log.debug('Wrote host ports', { pods: this.#byKey.size });
      const udp = new Set(changed.filter((p) => p.protocol === 'udp').map((p) => p.hostPort));
      if (udp.size > 0) await this.#forgetUdp(udp);
    });
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async #writeOf(version: Family): Promise<boolean> {
    const want = planHostPorts([...this.#byKey.values()], this.#bridge, version);
    if (want) return await syncTable(this.#nft, want);
    const family = version === 4 ? 'ip' : 'ip6';
    if (!(await this.#nft.read(family, hostPortTable))) return false;
    await this.#nft.commit({ family, table: hostPortTable, ops: [{ op: 'delete-table' }] });
    return true;
  }
}
