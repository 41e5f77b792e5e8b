/** The plugin itself: one method per CNI command, over IPAM, the kernel's wiring and the host ports. */
import { isKnownError, messageOf } from '../errors/known-error.ts';
import { cidrContains, mustCidr } from '../ip/ip.ts';
import type { Log } from '../observability/log.ts';
import { type Attachment, attachmentKey, hostLinkOf, macOf, type PodNetwork } from './attachment.ts';
import type { Ipam } from './ipam/ipam.ts';
import { capacityOf } from './ipam/pool.ts';
import { KeyLock } from './key-lock.ts';
import { CniError, formatCniError } from './spec/cni-error.ts';
import { type CniRequest, parseRequest, supportedVersions, versionOf } from './spec/request.ts';
import { appendResult, type CniResult, formatResult } from './spec/result.ts';
import type { HostPorts } from './wiring/host-ports.ts';
import type { Predecessor } from './wiring/predecessor.ts';
import type { Wiring } from './wiring/wiring.ts';

/** What the executable passes on. */
export interface PluginCall {
  readonly plugin: 'fairlead' | 'loopback';
  /** The variables that start with `CNI_`. */
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: string;
}

/** A call as the executable and the notes write it, whatever else stands there. */
export function callFrom(text: string): PluginCall {
  const { plugin, env, stdin } = JSON.parse(text) as Partial<PluginCall>;
  return { plugin: plugin === 'loopback' ? 'loopback' : 'fairlead', env: { ...env }, stdin: stdin ?? '' };
}

/** What the executable ends with. */
export interface PluginAnswer {
  readonly code: 0 | 1;
  readonly stdout: string;
}

export type CallPlugin = (request: PluginCall) => Promise<PluginAnswer>;

/** Takes back what an ADD gave to a caller that had given up: to the runtime it failed, and not every runtime cleans up. */
export async function undoUnheard(request: PluginCall, answer: PluginAnswer, call: CallPlugin): Promise<void> {
  if (request.env.CNI_COMMAND !== 'ADD' || answer.code !== 0) return;
  await call({ ...request, env: { ...request.env, CNI_COMMAND: 'DEL' } });
}

export class CniPlugin {
  readonly #ipam: Ipam;
  readonly #wiring: Wiring;
  readonly #hostPorts: HostPorts;
  readonly #predecessor: Predecessor;
  readonly #log: Log;
  readonly #locks = new KeyLock();
  #network: PodNetwork | undefined;

  constructor(parts: {
    readonly ipam: Ipam;
    readonly wiring: Wiring;
    readonly hostPorts: HostPorts;
    readonly predecessor: Predecessor;
    readonly log: Log;
  }) {
    this.#ipam = parts.ipam;
    this.#wiring = parts.wiring;
    this.#hostPorts = parts.hostPorts;
    this.#predecessor = parts.predecessor;
    this.#log = parts.log;
  }

  /** From now on pods are attached to this. Puts links back that lost their bridge. */
  async setNetwork(network: PodNetwork): Promise<void> {
    await this.#reattach(network);
    const foreign = await this.#predecessor.look(network);
    if (foreign > 0) this.#log.info(`Leaving alone the addresses of ${foreign} links in "${network.bridge}" that another plugin has made`);
    this.#network = network;
  }

  /** Puts back what others have changed since, and sees whether pods of another plugin are still there. */
  async repair(): Promise<void> {
    if (!this.#network) return;
    await this.#reattach(this.#network);
    await this.#predecessor.look(this.#network);
  }

  async #reattach(network: PodNetwork): Promise<void> {
    const again = await this.#wiring.reattach(network);
    if (again.length > 0) this.#log.info(`Put ${again.length} pod links back into bridge "${network.bridge}"`, { links: again });
  }

  /** Never throws: what goes wrong is an answer. */
  async call({ plugin, env, stdin }: PluginCall): Promise<PluginAnswer> {
    const started = performance.now();
    try {
      const request = parseRequest(env, stdin);
      const stdout = plugin === 'loopback' ? await this.#loopback(request) : await this.#run(request);
      const ms = Number((performance.now() - started).toFixed(1));
      this.#log.debug(`CNI ${request.command}`, { plugin, container: request.containerId, ms });
      return { code: 0, stdout };
    } catch (err) {
      const error = asCniError(err);
      this.#log.warn(`CNI ${env.CNI_COMMAND ?? ''} failed: ${error.message}`, {
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
    const linked = new Set((await this.#wiring.attachments()).map(attachmentKey));
    let count = 0;
    for (const a of this.#ipam.all()) {
      const key = attachmentKey(a);
      if (linked.has(key) || this.#locks.isBusy(key) || this.#wiring.namespaceExists(a.netns)) continue;
      await this.#locks.run(key, () => this.#remove(a));
      count++;
    }
    return count;
  }

  /** Remembers links that the journal does not know: it was lost, they were not. */
  async adopt(): Promise<number> {
    let count = 0;
    for (const a of await this.#wiring.attachments()) {
      if (this.#ipam.get(attachmentKey(a)) || this.#ipam.isTaken(a.ip)) continue;
      await this.#ipam.record(a);
      count++;
    }
    return count;
  }

  async #run(request: CniRequest): Promise<string> {
    const { command, config } = request;
    switch (command) {
      case 'VERSION':
        return JSON.stringify({ cniVersion: config.cniVersion, supportedVersions });
      case 'STATUS':
        await this.#status();
        return '';
      case 'GC':
        await this.#gc(request);
        return '';
      case 'ADD':
        return this.#locks.run(attachmentKey(request), () => this.#add(request));
      case 'DEL':
        await this.#locks.run(attachmentKey(request), () => this.#delete(request));
        return '';
      case 'CHECK':
        await this.#locks.run(attachmentKey(request), () => this.#check(request));
        return '';
    }
  }

  async #add(request: CniRequest): Promise<string> {
    const network = this.#ready('tryAgainLater');
    const key = attachmentKey(request);
    if (this.#ipam.get(key)) {
      throw new CniError(
        'badEnvironment',
        `Cannot add "${request.ifName}" to container "${request.containerId}": it has been added before`,
      );
    }
    this.#mustBeNamespace(request.netns, `add "${request.ifName}" to`);
    const attachment = await this.#take(request, network);
    try {
      await this.#wiring.attach(attachment, network);
      await this.#hostPorts.add(attachment);
    } catch (err) {
      await this.#remove(attachment);
      throw err;
    }
    return formatResult(appendResult(request.config.prevResult, resultOf(attachment, network)), request.config.cniVersion);
  }

  async #take(request: CniRequest, network: PodNetwork): Promise<Attachment> {
    const { containerId, ifName, netns, config, pod } = request;
    const who = { containerId, ifName, netns, network: config.name, pod: `${pod.namespace}/${pod.name}`, hostPorts: config.hostPorts };
    const takeOne = (): Promise<Attachment> => this.#ipam.take(network.podCidr, who, this.#predecessor.addresses);
    for (;;) {
      const attachment = await takeOne().catch(async (err: unknown) => {
        if (!isKnownError(err, 'ADDRESSES_EXHAUSTED') || (await this.reclaim()) === 0) throw err;
        return takeOne();
      });
      if (!(await this.#answered(attachment))) return attachment;
      await this.#ipam.release(attachmentKey(attachment));
    }
  }

  /** Whether somebody else has the address; on an error nothing is taken. */
  async #answered(attachment: Attachment): Promise<boolean> {
    try {
      return await this.#predecessor.answersTo(attachment.ip);
    } catch (err) {
      await this.#ipam.release(attachmentKey(attachment));
      throw err;
    }
  }

  /** In the order that keeps an address from being free while something still answers to it. */
  async #remove(who: { readonly containerId: string; readonly ifName: string }): Promise<void> {
    await this.#hostPorts.remove(attachmentKey(who));
    await this.#wiring.detach(who);
    await this.#ipam.release(attachmentKey(who));
  }

  async #delete(request: CniRequest): Promise<void> {
    const attachment = this.#ipam.get(attachmentKey(request));
    // To the network that is meant it is not attached: done.
    if (attachment && attachment.network !== request.config.name) return;
    await this.#remove(request);
  }

  async #check(request: CniRequest): Promise<void> {
    const network = this.#ready('tryAgainLater');
    const attachment = this.#ipam.get(attachmentKey(request));
    if (attachment?.network !== request.config.name) {
      throw new CniError(
        'unknownContainer',
        `Cannot check container "${request.containerId}": it has no "${request.ifName}" of network "${request.config.name}"`,
      );
    }
    this.#mustBeNamespace(request.netns, `check "${request.ifName}" in`);
    const wrong = [...(await this.#wiring.check({ ...attachment, netns: request.netns }, network))];
    const previous = request.config.prevResult?.ips.map((ip) => ip.address.split('/')[0]);
    if (previous && !previous.includes(attachment.ip)) wrong.push(`the address is ${attachment.ip}, not ${previous.join(', ')}`);
    if (wrong.length > 0) throw new CniError('checkFailed', `Pod "${attachment.pod}" is not as it was attached: ${wrong.join('; ')}`);
  }

  async #status(): Promise<void> {
    const network = this.#ready('notAvailable');
    const range = mustCidr(network.podCidr);
    const others = [...this.#predecessor.addresses].filter((ip) => cidrContains(range, ip) && !this.#ipam.isTaken(ip)).length;
    const free = (): number => capacityOf(network.podCidr) - this.#ipam.countIn(network.podCidr) - others;
    if (free() <= 0) await this.reclaim();
    if (free() <= 0) throw new CniError('notAvailable', `Cannot add pods: all addresses of ${network.podCidr} are in use`);
  }

  async #gc(request: CniRequest): Promise<void> {
    const valid = request.config.validAttachments;
    if (!valid) throw new CniError('badConfig', 'Cannot collect garbage: the configuration has no "cni.dev/valid-attachments"');
    const keep = new Set(valid.map(attachmentKey));
    await this.adopt();
    const failures: string[] = [];
    for (const a of this.#ipam.all()) {
      if (a.network !== request.config.name || keep.has(attachmentKey(a))) continue;
      await this.#locks.run(attachmentKey(a), () => this.#remove(a)).catch((err) => failures.push(messageOf(err)));
    }
    if (failures.length > 0) throw new CniError('io', `Cannot collect all garbage: ${failures.join('; ')}`);
  }

  async #loopback(request: CniRequest): Promise<string> {
    switch (request.command) {
      case 'ADD':
      case 'CHECK': {
        this.#mustBeNamespace(request.netns, 'bring up "lo" in');
        await this.#wiring.loopbackUp(request.netns);
        if (request.command === 'CHECK') return '';
        const lo: CniResult = {
          interfaces: [{ name: 'lo', mac: '00:00:00:00:00:00', sandbox: request.netns }],
          ips: [{ address: '127.0.0.1/8', interface: 0 }],
          routes: [],
          dns: {},
        };
        return formatResult(request.config.prevResult ?? lo, request.config.cniVersion);
      }
      case 'VERSION':
        return JSON.stringify({ cniVersion: request.config.cniVersion, supportedVersions });
      default:
        // The namespace takes its loopback along.
        return '';
    }
  }

  #mustBeNamespace(netns: string, doing: string): void {
    if (!this.#wiring.namespaceExists(netns)) throw new CniError('unknownContainer', `Cannot ${doing} "${netns}": not a network namespace`);
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

function resultOf(a: Attachment, network: PodNetwork): CniResult {
  return {
    interfaces: [
      { name: hostLinkOf(a), mac: macOf(a.ip, 'host'), mtu: network.mtu },
      { name: a.ifName, mac: macOf(a.ip, 'pod'), mtu: network.mtu, sandbox: a.netns },
    ],
    ips: [{ address: `${a.ip}/${mustCidr(network.podCidr).prefix}`, gateway: network.gateway, interface: 1 }],
    routes: [{ dst: '0.0.0.0/0', gw: network.gateway }],
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
