/** A node's addresses and listening sockets, set by a test. */
import type { NodeHost } from '../node-host.ts';
import type { LinkAddress, Listener } from '../plan/reserved.ts';

export class FakeNodeHost implements NodeHost {
  #ips: readonly string[];
  listening: readonly Listener[] = [];
  #onChange: (() => void) | undefined;

  constructor(ips: readonly string[] = ['127.0.0.1', '192.168.120.11']) {
    this.#ips = ips;
  }

  /** Gives the node other addresses, and says so as the kernel does. */
  setAddresses(ips: readonly string[]): void {
    this.#ips = ips;
    this.#onChange?.();
  }

  async addresses(): Promise<readonly LinkAddress[]> {
    return this.#ips.map((ip) => ({ ip, prefix: 24 }));
  }

  async listeners(): Promise<readonly Listener[]> {
    return this.listening;
  }

  watch(onChange: () => void): void {
    this.#onChange = onChange;
  }

  close(): void {}
}
