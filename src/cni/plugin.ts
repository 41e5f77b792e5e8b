/** The plugin itself: one method per CNI command, over IPAM, the kernel's wiring and the host ports. */
import { isKnownError, messageOf } from '../errors/known-error.ts';
import { cidrContains, familyOf, mustCidr } from '../ip/ip.ts';
import type { Log } from '../observability/log.ts';
import { type Attachment, attachmentKey, hostLinkOf, ipsOf, macOf, type PodNetwork, type PodRange, rangesOf } from './attachment.ts';
import type { Ipam } from './ipam/ipam.ts';
import { capacityOf } from './ipam/pool.ts';
import { KeyLock } from './key-lock.ts';
import type { PluginAnswer, PluginCall } from './plugin-call.ts';
import { CniError, formatCniError } from './spec/cni-error.ts';
import { type CniRequest, parseRequest, supportedVersions, versionOf } from './spec/request.ts';
import { appendResult, type CniResult, formatResult } from './spec/result.ts';
import { addressesOf, everything } from './wiring/check.ts';
import type { HostPorts } from './wiring/host-ports.ts';
import type { Predecessor } from './wiring/predecessor.ts';
import type { Wiring } from './wiring/wiring.ts';

interface PluginParts {
  readonly ipam: Ipam;
  readonly wiring: Wiring;
  readonly hostPorts: HostPorts;
  readonly predecessor: Predecessor;
  readonly log: Log;
}

export class CniPlugin {
  readonly #parts: PluginParts;
  readonly #locks = new KeyLock();
  #network: PodNetwork | undefined;

  constructor(parts: PluginParts) {
    this.#parts = parts;
  }

  /** From now on pods are attached to this. Puts links back that lost their bridge, and gives those that are there the network's MTU. */
  async setNetwork(network: PodNetwork): Promise<void> {
    await this.#reattach(network);
    await this.#resize(network);
    const foreign = await this.#parts.predecessor.look(network);
    if (foreign > 0)
      this.#parts.log.info(`Leaving alone the addresses of ${foreign} links in "${network.bridge}" that another plugin has made`);
    this.#network = network;
  }

  /** Puts back what others have changed since, and the MTU of the network, and sees whether pods of another plugin are still there. */
  async repair(): Promise<void> {
    if (!this.#network) return;
    await this.#reattach(this.#network);
    // An ADD that began before the network had another MTU may have made its link after the others were looked at.
    await this.#resize(this.#network);
    await this.#parts.predecessor.look(this.#network);
  }

  async #reattach(network: PodNetwork): Promise<void> {
    const again = await this.#parts.wiring.reattach(network);
    if (again.length > 0) this.#parts.log.info(`Put ${again.length} pod links back into bridge "${network.bridge}"`, { links: again });
  }

  /** A pod whose link cannot be changed keeps its MTU, and all others have the network all the same. */
  async #resize(network: PodNetwork): Promise<void> {
    const { ipam, wiring, log } = this.#parts;
    const { changed, failures } = await wiring.resize(ipam.all(), network);
    if (changed.length > 0) log.info(`Gave ${changed.length} pod links the MTU ${network.mtu}`);
    for (const failure of failures) log.warn(failure);
  }

  /** Never throws: what goes wrong is an answer. */
  async call({ plugin, env, stdin }: PluginCall): Promise<PluginAnswer> {
    const started = performance.now();
    try {
      const request = parseRequest(env, stdin);
      const stdout = await (plugin === 'loopback' ? this.#loopback(request) : this.#run(request));
      const ms = Number((performance.now() - started).toFixed(1));
      this.#parts.log.debug(`CNI ${request.command}`, { plugin, container: request.containerId, ms });
      return { code: 0, stdout };
    } catch (err) {
      const error = asCniError(err);
      this.#parts.log.warn(`CNI ${env.CNI_COMMAND ?? ''} failed: ${error.message}`, {
        plugin,
        container: env.CNI_CONTAINERID,
        code: error.code,
        details: error.details,
      });
      return { code: 1, stdout: formatCniError(error, versionOf(stdin)) };
    }
  }

  /** Gives back the addresses of pods that have neither a namespace nor a link any more. */
  async reclaim(): Promise<number> {
    const linked = new Set((await this.#parts.wiring.attachments()).map(attachmentKey));
    let count = 0;
    for (const a of this.#parts.ipam.all()) {
      const key = attachmentKey(a);
      if (linked.has(key) || this.#locks.isBusy(key) || this.#parts.wiring.namespaceExists(a.netns)) continue;
      await this.#locks.run(key, () => this.#remove(a));
      count++;
    }
    return count;
  }

  /** Remembers links that the journal does not know: it was lost, they were not. */
  async adopt(): Promise<number> {
    let count = 0;
    for (const a of await this.#parts.wiring.attachments()) {
      if (this.#parts.ipam.get(attachmentKey(a)) || ipsOf(a).some((ip) => this.#parts.ipam.isTaken(ip))) continue;
      await this.#parts.ipam.record(a);
      count++;
    }
    return count;
  }

  async #run(request: CniRequest): Promise<string> {
    const { command } = request;
    if (command === 'VERSION') return versionsOf(request);
    if (command === 'ADD') return await this.#locks.run(attachmentKey(request), () => this.#add(request));
    if (command === 'STATUS') await this.#status();
    else if (command === 'GC') await this.#gc(request);
    else await this.#locks.run(attachmentKey(request), () => (command === 'DEL' ? this.#delete(request) : this.#check(request)));
    return '';
  }

  async #add(request: CniRequest): Promise<string> {
    const network = this.#ready('tryAgainLater');
    const key = attachmentKey(request);
    if (this.#parts.ipam.get(key)) {
      throw new CniError(
        'badEnvironment',
        `Cannot add "${request.ifName}" to container "${request.containerId}": it has been added before`,
      );
    }
    this.#mustBeNamespace(request.netns, `add "${request.ifName}" to`);
    const attachment = await this.#take(request, network);
    try {
      await this.#parts.wiring.attach(attachment, network);
      await this.#parts.hostPorts.add(attachment);
    } catch (err) {
      await this.#remove(attachment);
      throw err;
    }
    return formatResult(appendResult(request.config.prevResult, resultOf(attachment, network)), request.config.cniVersion);
  }

  async #take(request: CniRequest, network: PodNetwork): Promise<Attachment> {
    const { containerId, ifName, netns, config, pod } = request;
    const who = { containerId, ifName, netns, network: config.name, pod: `${pod.namespace}/${pod.name}`, hostPorts: config.hostPorts };
    const options = { others: this.#parts.predecessor.addresses, second: network.second?.podCidr };
    const takeOne = (): Promise<Attachment> => this.#parts.ipam.take(network.podCidr, who, options);
    for (;;) {
      const attachment = await takeOne().catch(async (err: unknown) => {
        if (!isKnownError(err, 'ADDRESSES_EXHAUSTED') || (await this.reclaim()) === 0) throw err;
        return takeOne();
      });
      const release = (): Promise<void> => this.#parts.ipam.release(attachmentKey(attachment));
      const isAnswered = await this.#parts.predecessor.answersTo(ipsOf(attachment)).catch(async (err: unknown) => {
        await release();
        throw err;
      });
      if (!isAnswered) return attachment;
      await release();
    }
  }

  /** In the order that keeps an address from being free while something still answers to it. */
  async #remove(who: { readonly containerId: string; readonly ifName: string }): Promise<void> {
    await this.#parts.hostPorts.remove(attachmentKey(who));
    await this.#parts.wiring.detach(who);
    await this.#parts.ipam.release(attachmentKey(who));
  }

  async #delete(request: CniRequest): Promise<void> {
    const attachment = this.#parts.ipam.get(attachmentKey(request));
    // To the network that is meant it is not attached: done.
    if (attachment && attachment.network !== request.config.name) return;
    await this.#remove(request);
  }

  async #check(request: CniRequest): Promise<void> {
    const network = this.#ready('tryAgainLater');
    const attachment = this.#parts.ipam.get(attachmentKey(request));
    if (attachment?.network !== request.config.name) {
      throw new CniError(
        'unknownContainer',
        `Cannot check container "${request.containerId}": it has no "${request.ifName}" of network "${request.config.name}"`,
      );
    }
    this.#mustBeNamespace(request.netns, `check "${request.ifName}" in`);
    const wrong = [...(await this.#parts.wiring.check({ ...attachment, netns: request.netns }, network))];
    const previous = request.config.prevResult?.ips.map((ip) => ip.address.split('/')[0]);
    const lost = previous ? ipsOf(attachment).filter((ip) => !previous.includes(ip)) : [];
    if (previous && lost.length > 0) wrong.push(`the address is ${lost.join(', ')}, not ${previous.join(', ')}`);
    if (wrong.length > 0) throw new CniError('checkFailed', `Pod "${attachment.pod}" is not as it was attached: ${wrong.join('; ')}`);
  }

  async #status(): Promise<void> {
    const network = this.#ready('notAvailable');
    const others = [...this.#parts.predecessor.addresses].filter((ip) => !this.#parts.ipam.isTaken(ip));
    const full = (): PodRange | undefined => rangesOf(network).find(({ podCidr }) => this.#isFull(podCidr, others));
    if (full()) await this.reclaim();
    const range = full();
    if (range) throw new CniError('notAvailable', `Cannot add pods: all addresses of ${range.podCidr} are in use`);
  }

  #isFull(podCidr: string, others: readonly string[]): boolean {
    const range = mustCidr(podCidr);
    return capacityOf(podCidr) <= this.#parts.ipam.countIn(podCidr) + others.filter((ip) => cidrContains(range, ip)).length;
  }

  async #gc(request: CniRequest): Promise<void> {
    const valid = request.config.validAttachments;
    if (!valid) throw new CniError('badConfig', 'Cannot collect garbage: the configuration has no "cni.dev/valid-attachments"');
    const keep = new Set(valid.map(attachmentKey));
    await this.adopt();
    const failures: string[] = [];
    for (const a of this.#parts.ipam.all()) {
      if (a.network !== request.config.name || keep.has(attachmentKey(a))) continue;
      await this.#locks.run(attachmentKey(a), () => this.#remove(a)).catch((err) => failures.push(messageOf(err)));
    }
    if (failures.length > 0) throw new CniError('io', `Cannot collect all garbage: ${failures.join('; ')}`);
  }

  async #loopback(request: CniRequest): Promise<string> {
    const { command, netns, config } = request;
    if (command === 'VERSION') return versionsOf(request);
    // The namespace takes its loopback along.
    if (command !== 'ADD' && command !== 'CHECK') return '';
    this.#mustBeNamespace(netns, 'bring up "lo" in');
    await this.#parts.wiring.loopbackUp(netns);
    if (command === 'CHECK') return '';
    const lo: CniResult = {
      interfaces: [{ name: 'lo', mac: '00:00:00:00:00:00', sandbox: netns }],
      ips: [{ address: '127.0.0.1/8', interface: 0 }],
      routes: [],
      dns: {},
    };
    return formatResult(config.prevResult ?? lo, config.cniVersion);
  }

  #mustBeNamespace(netns: string, doing: string): void {
    if (!this.#parts.wiring.namespaceExists(netns))
      throw new CniError('unknownContainer', `Cannot ${doing} "${netns}": not a network namespace`);
  }

  #ready(otherwise: 'tryAgainLater' | 'notAvailable'): PodNetwork {
    if (this.#network) return this.#network;
    throw new CniError(
      otherwise,
      'Cannot reach the pod network: the node has no address range yet',
      'The agent waits for spec.podCIDR of its Node',
    );
  }
}

function versionsOf({ config }: CniRequest): string {
  return JSON.stringify({ cniVersion: config.cniVersion, supportedVersions });
}

function resultOf(a: Attachment, network: PodNetwork): CniResult {
  return {
    interfaces: [
      { name: hostLinkOf(a), mac: macOf(a.ip, 'host'), mtu: network.mtu },
      { name: a.ifName, mac: macOf(a.ip, 'pod'), mtu: network.mtu, sandbox: a.netns },
    ],
    ips: addressesOf(a, network).map(({ ip, prefix, gateway }) => ({ address: `${ip}/${prefix}`, gateway, interface: 1 })),
    routes: addressesOf(a, network).map(({ ip, gateway }) => ({ dst: everything[familyOf(ip)], gw: gateway })),
    dns: {},
  };
}

function asCniError(err: unknown): CniError {
  if (err instanceof CniError) return err;
  if (isKnownError(err, 'ADDRESSES_EXHAUSTED')) return new CniError('tryAgainLater', err.message, err.hint);
  if (isKnownError(err, 'NAMESPACE_GONE')) return new CniError('unknownContainer', err.message);
  if (isKnownError(err)) return new CniError('io', err.message, err.hint);
  return new CniError('internal', messageOf(err));
}
