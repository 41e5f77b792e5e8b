/** A kernel of pods' links in memory, for tests. */
import { type Attachment, attachmentKey, type PodNetwork } from '../attachment.ts';
import type { Resized, Wiring } from '../wiring/wiring.ts';

export class FakeWiring implements Wiring {
  /** Paths where a network namespace is. */
  readonly namespaces: Set<string> = new Set();
  readonly links: Map<string, { readonly attachment: Attachment; bridge: string; mtu: number }> = new Map();
  readonly loopbacks: Set<string> = new Set();
  /** Keys of attachments whose links keep their MTU. */
  readonly stuck: Set<string> = new Set();
  /** Thrown by the next attach, as a kernel that refuses. */
  refuse: Error | undefined;
  /** Waited for by attach, before its link is there. */
  beforeLink: () => Promise<void> = async () => {};

  namespaceExists(path: string): boolean {
    return this.namespaces.has(path);
  }

  async attach(attachment: Attachment, network: PodNetwork): Promise<void> {
    const { refuse } = this;
    this.refuse = undefined;
    if (refuse) throw refuse;
    await this.beforeLink();
    for (const other of this.links.values()) {
      if (other.attachment.ip === attachment.ip) throw new Error(`Two links have the address ${attachment.ip}`);
    }
    this.links.set(attachmentKey(attachment), { attachment, bridge: network.bridge, mtu: network.mtu });
  }

  async detach(who: { readonly containerId: string; readonly ifName: string }): Promise<void> {
    this.links.delete(attachmentKey(who));
  }

  async check(attachment: Attachment, network: PodNetwork): Promise<readonly string[]> {
    const link = this.links.get(attachmentKey(attachment));
    if (!link) return ['the link is missing'];
    return link.bridge === network.bridge ? [] : ['the link is not in its bridge'];
  }

  async loopbackUp(netns: string): Promise<void> {
    this.loopbacks.add(netns);
  }

  async reattach(network: PodNetwork): Promise<readonly string[]> {
    const lost = [...this.links.entries()].filter(([, link]) => link.bridge !== network.bridge);
    for (const [, link] of lost) link.bridge = network.bridge;
    return lost.map(([key]) => key);
  }

  async resize(attachments: readonly Attachment[], { mtu }: PodNetwork): Promise<Resized> {
    const [changed, failures]: [string[], string[]] = [[], []];
    for (const key of attachments.map(attachmentKey)) {
      const link = this.links.get(key);
      if (!link || link.mtu === mtu) continue;
      if (this.stuck.has(key)) failures.push(`Cannot set the MTU of ${key}`);
      else changed.push(key);
      link.mtu = this.stuck.has(key) ? link.mtu : mtu;
    }
    return { changed, failures };
  }

  async attachments(): Promise<readonly Attachment[]> {
    return [...this.links.values()].map((l) => ({ ...l.attachment, netns: '', hostPorts: [] }));
  }

  /** The namespace ends, and its links with it. */
  endNamespace(path: string): void {
    this.namespaces.delete(path);
    for (const [key, link] of this.links) if (link.attachment.netns === path) this.links.delete(key);
  }
}
