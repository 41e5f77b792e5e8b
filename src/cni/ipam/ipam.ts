/**
 * Who has which address. An address is given out only after the fact is on the disk, and given back only after the pod's
 * link is gone, so that no crash in between lets two pods have the same one.
 */
import { KnownError } from '../../errors/known-error.ts';
import { cidrContains, type Family, familyOf, mustCidr, parseIp } from '../../ip/ip.ts';
import type { Log } from '../../observability/log.ts';
import { type Attachment, attachmentKey, ipsOf } from '../attachment.ts';
import { Journal } from './journal.ts';
import { nextAddress } from './pool.ts';

type Line = { readonly add: Attachment } | { readonly del: string } | { readonly last: string };

interface TakeOptions {
  readonly others?: ReadonlySet<string>;
  readonly second?: string | undefined;
}

export class Ipam {
  readonly #byKey = new Map<string, Attachment>();
  readonly #taken = new Set<string>();
  /** What was given out last, of each family. */
  readonly #last = new Map<Family, string>();
  #journal: Journal | undefined;

  static async open(path: string, log: Log): Promise<Ipam> {
    const ipam = new Ipam();
    ipam.#journal = await Journal.open(path, {
      replay: (line) => ipam.#replay(line),
      onBad: (line) => log.warn('Left out an unreadable line of the address journal', { path, line: line.slice(0, 200) }),
      snapshot: () => ipam.#snapshot(),
    });
    return ipam;
  }

  get(key: string): Attachment | undefined {
    return this.#byKey.get(key);
  }

  all(): readonly Attachment[] {
    return [...this.#byKey.values()];
  }

  /**
   * Takes a free address for an attachment, and one of the range `second` if there is one, none of `others`, and flushes it. Throws
   * ADDRESSES_EXHAUSTED; on a write error nothing is taken.
   */
  async take(
    podCidr: string,
    who: Omit<Attachment, 'ip' | 'secondIp'>,
    { others = new Set(), second }: TakeOptions = {},
  ): Promise<Attachment> {
    const free = (range: string): string => this.#free(range, others);
    const attachment: Attachment = { ...who, ip: free(podCidr), ...(second === undefined ? {} : { secondIp: free(second) }) };
    await this.record(attachment);
    return attachment;
  }

  #free(podCidr: string, others: ReadonlySet<string>): string {
    const taken = { has: (ip: string): boolean => this.#taken.has(ip) || others.has(ip) };
    const ip = nextAddress(podCidr, taken, this.#last.get(familyOf(podCidr)));
    if (ip !== undefined) return ip;
    throw new KnownError('ADDRESSES_EXHAUSTED', `Cannot take an address of ${podCidr}: all ${this.countIn(podCidr)} are in use`, {
      hint: 'Run fewer pods on this node, or give nodes a larger range',
    });
  }

  /** Remembers an attachment whose address is known already. */
  async record(attachment: Attachment): Promise<void> {
    this.#set(attachment);
    try {
      await this.#journal?.append({ add: attachment } satisfies Line);
    } catch (err) {
      this.#unset(attachmentKey(attachment));
      throw err;
    }
  }

  /** Gives the address back. The pod's link must be gone. */
  async release(key: string): Promise<void> {
    if (!this.#byKey.has(key)) return;
    // Written first: an address that memory calls free while the disk does not is harmless, but only that way round.
    await this.#journal?.append({ del: key } satisfies Line);
    this.#unset(key);
  }

  /** How many addresses of a range are taken. */
  countIn(podCidr: string): number {
    const range = mustCidr(podCidr);
    return [...this.#taken].filter((ip) => cidrContains(range, ip)).length;
  }

  isTaken(ip: string): boolean {
    return this.#taken.has(ip);
  }

  async close(): Promise<void> {
    await this.#journal?.close();
  }

  #set(attachment: Attachment): void {
    this.#byKey.set(attachmentKey(attachment), attachment);
    for (const ip of ipsOf(attachment)) {
      this.#taken.add(ip);
      this.#last.set(familyOf(ip), ip);
    }
  }

  #unset(key: string): void {
    const attachment = this.#byKey.get(key);
    if (!attachment) return;
    this.#byKey.delete(key);
    for (const ip of ipsOf(attachment)) this.#taken.delete(ip);
  }

  /** False for what is no entry. */
  #replay(line: unknown): boolean {
    if (typeof line !== 'object' || line === null) return false;
    if ('add' in line && isAttachment(line.add)) this.#set(line.add);
    else if ('del' in line && typeof line.del === 'string') this.#unset(line.del);
    else if ('last' in line && isIp(line.last)) this.#last.set(familyOf(line.last), line.last);
    else return false;
    return true;
  }

  #snapshot(): Line[] {
    const lines: Line[] = [...this.#byKey.values()].map((add) => ({ add }));
    for (const last of this.#last.values()) lines.push({ last });
    return lines;
  }
}

function isIp(value: unknown): value is string {
  return typeof value === 'string' && parseIp(value) !== undefined;
}

function isAttachment(value: unknown): value is Attachment {
  if (typeof value !== 'object' || value === null) return false;
  const a = value as Partial<Record<keyof Attachment, unknown>>;
  const texts = [a.containerId, a.ifName, a.network, a.netns, a.pod];
  return (
    texts.every((text) => typeof text === 'string') &&
    isIp(a.ip) &&
    (a.secondIp === undefined || isIp(a.secondIp)) &&
    Array.isArray(a.hostPorts)
  );
}
