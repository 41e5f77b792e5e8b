/**
 * Host ports: connections to a port of the node go on to a pod. One nftables table: when a pod with
 * host ports comes or goes, or somebody changed it, what is different is written over netlink in one transaction.
 */
import { familyOf } from '../../ip/ip.ts';
import { syncTable } from '../../linux/nftables/sync-table.ts';
import type { Nftables, Table } from '../../linux/nftables/table.ts';
import { ensureSysctl, readSysctl } from '../../linux/sysctl.ts';
import type { Log } from '../../observability/log.ts';
import { type Attachment, attachmentKey } from '../attachment.ts';
import type { HostPort } from '../spec/request.ts';

export type HostPorts = Pick<NftHostPorts, 'add' | 'remove'>;

export const hostPortTable = 'fairlead-hostport';

/**
 * The whole table; undefined when there is nothing to forward. Priorities: behind the service proxy's translation (-100, 100),
 * whose verdict stands when both have one; and before connection tracking (-300) for the guard.
 *
 * A host port on an address of another family than the pod's is left out, as the portmap plugin does: there is nothing to translate it to.
 */
export function planHostPorts(attachments: readonly Attachment[], bridge: string): Table | undefined {
  const any = new Map<string, string>();
  const bound = new Map<string, string>();
  const pods = new Map<string, string>();
  const hairpin = new Map<string, string>();
  for (const a of attachments) {
    for (const p of a.hostPorts.filter((port) => port.hostIp === '' || familyOf(port.hostIp) === familyOf(a.ip))) {
      const target = `${a.ip} . ${p.containerPort}`;
      if (p.hostIp === '') any.set(`${p.protocol} . ${p.hostPort}`, target);
      else bound.set(`${p.hostIp} . ${p.protocol} . ${p.hostPort}`, target);
      pods.set(a.ip, '');
      hairpin.set(`${a.ip} . ${a.ip}`, '');
    }
  }
  if (pods.size === 0) return undefined;
  const target = ['ipv4_addr', 'inet_service'];
  return {
    family: 'ip',
    name: hostPortTable,
    sets: [
      { name: 'loopback', key: ['inet_proto', 'ipv4_addr'], interval: true },
      { name: 'pods', key: ['ipv4_addr'] },
      { name: 'hairpin', key: ['ipv4_addr', 'ipv4_addr'] },
      { name: 'any', key: ['inet_proto', 'inet_service'], data: target },
      { name: 'bound', key: ['ipv4_addr', 'inet_proto', 'inet_service'], data: target },
    ],
    elements: new Map([
      ['loopback', new Map(['1', 'tcp', 'udp', 'sctp'].map((protocol) => [`${protocol} . 127.0.0.0/8`, '']))],
      ['pods', pods],
      ['hairpin', hairpin],
      ['any', any],
      ['bound', bound],
    ]),
    chains: [
      {
        name: 'forward-port',
        rules: ['dnat ip to ip daddr . meta l4proto . th dport map @bound', 'dnat ip to meta l4proto . th dport map @any'],
      },
      // Pods must not reach what listens on the node's loopback only, now that the bridge routes it.
      {
        name: 'guard',
        hook: { type: 'filter', hook: 'prerouting', priority: -300 },
        rules: [`iifname "${bridge}" meta l4proto . ip daddr @loopback drop`],
      },
      { name: 'prerouting', hook: { type: 'nat', hook: 'prerouting', priority: -95 }, rules: ['fib daddr type local goto forward-port'] },
      { name: 'output', hook: { type: 'nat', hook: 'output', priority: -95 }, rules: ['fib daddr type local goto forward-port'] },
      // A pod that reaches itself, and what comes from the node's loopback, need an address that finds its way back.
      {
        name: 'postrouting',
        hook: { type: 'nat', hook: 'postrouting', priority: 105 },
        rules: [
          'ip saddr . ip daddr @hairpin masquerade fully-random',
          'meta l4proto . ip saddr @loopback ip daddr @pods masquerade fully-random',
        ],
      },
    ],
  };
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
      const want = planHostPorts([...this.#byKey.values()], this.#bridge);
      const isNew = want ? await syncTable(this.#nft, want) : await this.#deleteTable();
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

  async #deleteTable(): Promise<boolean> {
    if (!(await this.#nft.read('ip', hostPortTable))) return false;
    await this.#nft.commit({ family: 'ip', table: hostPortTable, ops: [{ op: 'delete-table' }] });
    return true;
  }
}
