/** The device of the Services in memory, with the addresses of other links. */
import { NetlinkError } from '../../../../linux/netlink/netlink-error.ts';
import type { HeldAddresses, ServiceDevice } from '../service-device.ts';

export class FakeServiceDevice implements ServiceDevice {
  #bound: Set<string> | undefined;
  readonly #watchers = new Set<() => void>();
  /** Addresses of other links. */
  others: readonly string[];
  /** In the order in which they came and went. */
  readonly log: string[] = [];

  constructor(others: readonly string[] = ['127.0.0.1', '192.168.120.11']) {
    this.others = others;
  }

  async probe(): Promise<void> {}

  async read(): Promise<HeldAddresses> {
    return { bound: new Set(this.#bound), others: this.others, hasDevice: this.#bound !== undefined };
  }

  async ensure(): Promise<void> {
    this.#bound ??= new Set();
  }

  async bind(ips: readonly string[]): Promise<(NetlinkError | undefined)[]> {
    return ips.map((ip) => {
      if (!this.#bound) return new NetlinkError('ENODEV', 'bind addresses');
      this.#bound.add(ip);
      this.log.push(`bind ${ip}`);
      return undefined;
    });
  }

  async unbind(ips: readonly string[]): Promise<undefined[]> {
    return ips.map((ip) => {
      this.#bound?.delete(ip);
      this.log.push(`unbind ${ip}`);
      return undefined;
    });
  }

  async remove(): Promise<void> {
    this.#bound = undefined;
  }

  watch(onTouched: () => void): { close(): void } {
    this.#watchers.add(onTouched);
    return { close: () => this.#watchers.delete(onTouched) };
  }

  /** Somebody else gives other links these addresses. */
  move(others: readonly string[]): void {
    this.others = others;
    for (const onTouched of this.#watchers) onTouched();
  }

  close(): void {}

  /** As `ip -o addr show dev kube-ipvs0` lists them, without what is the same for all. */
  dump(): string {
    return this.#bound
      ? [...this.#bound]
          .sort()
          .map((ip) => `kube-ipvs0 ${ip}\n`)
          .join('')
      : '';
  }
}
