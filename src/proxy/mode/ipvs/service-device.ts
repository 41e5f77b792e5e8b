/** The device that carries the Services' addresses, so that the kernel takes their packets for its own: `kube-ipvs0`, as kube-proxy has it. */
import { KnownError } from '../../../errors/known-error.ts';
import { familyOf } from '../../../ip/ip.ts';
import { type Address, addAddress, deleteAddress } from '../../../linux/netlink/address.ts';
import { addLink, deleteLink } from '../../../linux/netlink/link.ts';
import { isErrno, type NetlinkError } from '../../../linux/netlink/netlink-error.ts';
import { RTNLGRP, Rtnetlink } from '../../../linux/netlink/rtnetlink.ts';
import { isServiceAddress, serviceDevice } from '../service-address.ts';

const trialName = 'kube-ipvs-try';

export interface HeldAddresses {
  /** On the device; none when it is not there. */
  readonly bound: ReadonlySet<string>;
  /** On other links; what mode userspace put there is the Services'. */
  readonly others: readonly string[];
  readonly hasDevice: boolean;
}

export interface ServiceDevice {
  /** Throws KERNEL_FEATURE_MISSING when the kernel makes no such device. */
  probe(): Promise<void>;
  read(): Promise<HeldAddresses>;
  /** Makes it, unless it is there. */
  ensure(): Promise<void>;
  /** One element per address: undefined when the kernel agreed, or had it so. */
  bind(ips: readonly string[]): Promise<readonly (NetlinkError | undefined)[]>;
  unbind(ips: readonly string[]): Promise<readonly (NetlinkError | undefined)[]>;
  /** Takes it away with all its addresses. */
  remove(): Promise<void>;
  /** Calls `onTouched` soon after somebody else changed an address of any link. */
  watch(onTouched: () => void): { close(): void };
  close(): void;
}

/** In the network namespace in which it was made. */
export class KernelServiceDevice implements ServiceDevice {
  readonly #routing = new Rtnetlink({ aside: true });
  readonly #openNotices: () => Rtnetlink;
  #index: number | undefined;

  /** `openNotices` opens a socket in the same namespace. */
  constructor(openNotices: () => Rtnetlink) {
    this.#openNotices = openNotices;
  }

  async probe(): Promise<void> {
    if (await this.#routing.link(serviceDevice)) return;
    try {
      await this.#routing.must([addLink(trialName, { kind: 'dummy' }), deleteLink(trialName)], `make link "${trialName}"`);
    } catch (err) {
      if (!isErrno(err, 'EOPNOTSUPP')) throw err;
      throw new KnownError('KERNEL_FEATURE_MISSING', 'Cannot make a dummy device: this kernel does not have them', {
        hint: 'Load the module (modprobe dummy), or use a kernel that has it',
        cause: err,
      });
    }
  }

  async read(): Promise<HeldAddresses> {
    const [link, addresses] = await Promise.all([this.#routing.link(serviceDevice), this.#routing.addresses()]);
    this.#index = link?.index;
    const isBound = ({ index }: Address): boolean => index === link?.index;
    return {
      hasDevice: link !== undefined,
      bound: new Set(addresses.filter(isBound).map(({ ip }) => ip)),
      others: [...new Set(addresses.filter((address) => !isBound(address) && !isServiceAddress(address)).map(({ ip }) => ip))],
    };
  }

  async ensure(): Promise<void> {
    // Down, and without ARP: a route to each address is all that is needed of it.
    const [error] = await this.#routing.batch([addLink(serviceDevice, { kind: 'dummy' })], `make link "${serviceDevice}"`);
    if (error && !isErrno(error, 'EEXIST')) throw error;
    this.#index = (await this.#routing.link(serviceDevice))?.index;
  }

  #addressOf(ip: string): Address {
    return { index: this.#index ?? 0, ip, prefix: familyOf(ip) === 4 ? 32 : 128 };
  }

  async bind(ips: readonly string[]): Promise<(NetlinkError | undefined)[]> {
    const errors = await this.#routing.stream(
      ips.map((ip) => addAddress(this.#addressOf(ip))),
      `bind addresses to "${serviceDevice}"`,
    );
    return errors.map((error) => (isErrno(error, 'EEXIST') ? undefined : error));
  }

  async unbind(ips: readonly string[]): Promise<(NetlinkError | undefined)[]> {
    const errors = await this.#routing.stream(
      ips.map((ip) => deleteAddress(this.#addressOf(ip))),
      `take addresses off "${serviceDevice}"`,
    );
    return errors.map((error) => (isErrno(error, 'EADDRNOTAVAIL') ? undefined : error));
  }

  async remove(): Promise<void> {
    const [error] = await this.#routing.batch([deleteLink(serviceDevice)], `delete link "${serviceDevice}"`);
    if (error && !isErrno(error, 'ENODEV')) throw error;
  }

  watch(onTouched: () => void): { close(): void } {
    const notices = this.#openNotices();
    notices.unref();
    notices.subscribe([RTNLGRP.address4, RTNLGRP.address6], (notice) => {
      if (notice === 'lost' || notice.port !== this.#routing.port) onTouched();
    });
    return notices;
  }

  close(): void {
    this.#routing.close();
  }
}
