/**
 * Generic netlink: kernel parts that have a name and no protocol number of their own (WireGuard, IPVS). A name is resolved to this
 * boot's number once. Source: include/uapi/linux/genetlink.h.
 */
import { KnownError } from '../../errors/known-error.ts';
import { type Attr, decodeAttrs, text } from './attribute.ts';
import type { NetlinkRequest } from './message.ts';
import { isErrno } from './netlink-error.ts';
import { NetlinkSocket, type NetlinkSocketOptions } from './netlink-socket.ts';

const NETLINK_GENERIC = 16;
const GENL_ID_CTRL = 16;
const CTRL_CMD_GETFAMILY = 3;
const CTRL_ATTR = { familyId: 1, familyName: 2, version: 3 } as const;
/** `struct genlmsghdr`, which comes before the attributes of every answer. */
export const genericHeader = 4;

interface GenericFamily {
  readonly id: number;
  readonly version: number;
}

export class GenericNetlink extends NetlinkSocket {
  readonly #name: string;
  readonly #module: string;
  #family: Promise<GenericFamily> | undefined;

  /** A socket for the family of this name, such as `wireguard`, which the kernel's module of the same name brings if no other is said. */
  constructor(name: string, options: NetlinkSocketOptions & { readonly module?: string } = {}) {
    super(NETLINK_GENERIC, options);
    this.#name = name;
    this.#module = options.module ?? name;
  }

  /** A command of the family, for `must`, `get` and `dump`. Throws KERNEL_FEATURE_MISSING. */
  async command(command: number, attrs: readonly Attr[] = []): Promise<NetlinkRequest> {
    this.#family ??= this.#resolve();
    const { id, version } = await this.#family;
    return { type: id, body: Uint8Array.of(command, version, 0, 0), attrs };
  }

  async #resolve(): Promise<GenericFamily> {
    const attrs: readonly Attr[] = [[CTRL_ATTR.familyName, text(this.#name)]];
    try {
      const request = { type: GENL_ID_CTRL, body: Uint8Array.of(CTRL_CMD_GETFAMILY, 1, 0, 0), attrs };
      const [message] = await this.get(request, `find the kernel's "${this.#name}"`);
      const found = decodeAttrs(message?.data, genericHeader);
      return { id: found.get(CTRL_ATTR.familyId)?.readUInt16LE(0) ?? 0, version: found.get(CTRL_ATTR.version)?.readUInt32LE(0) ?? 0 };
    } catch (err) {
      this.#family = undefined;
      if (!isErrno(err, 'ENOENT')) throw err;
      const hint = `Load its module (modprobe ${this.#module}), or use a kernel that has it`;
      throw new KnownError('KERNEL_FEATURE_MISSING', `Cannot speak to "${this.#name}": this kernel does not have it`, { hint, cause: err });
    }
  }
}
