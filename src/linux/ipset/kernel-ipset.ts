/** The sets of the kernel, over netlink. */
import { KnownError } from '../../errors/known-error.ts';
import { askProtocol, changeIpsets, ipsetErrno, listSet, listSetNames, parseProtocol, parseSet, parseSetName } from '../netlink/ipset.ts';
import { isErrno, NetlinkError } from '../netlink/netlink-error.ts';
import { NETLINK_NETFILTER, NetlinkSocket, streamSize } from '../netlink/netlink-socket.ts';
import type { HeldIpset, Ipset, IpsetOp } from './ipset.ts';

/** Of the network namespace in which it was made. */
export class KernelIpset implements Ipset {
  /** Beside the event loop: a set has thousands of entries. */
  readonly #socket = new NetlinkSocket(NETLINK_NETFILTER, { aside: true });
  /** Messages sent by `apply` so far, for budgets. */
  messagesSent = 0;

  async protocol(): Promise<number> {
    try {
      const [message] = await this.#socket.get(askProtocol, 'ask for the protocol of ipset');
      return parseProtocol(message);
    } catch (err) {
      if (isErrno(err, 'EPERM')) throw err;
      const hint = 'Load its modules (modprobe ip_set ip_set_hash_ipport), or use a kernel that has them';
      throw new KnownError('KERNEL_FEATURE_MISSING', 'Cannot speak to "ip_set": this kernel does not have it', { hint, cause: err });
    }
  }

  async apply(ops: readonly IpsetOp[]): Promise<(NetlinkError | undefined)[]> {
    const errors: (NetlinkError | undefined)[] = [];
    // All messages of tens of thousands of entries at once are mostly work for the garbage collector.
    for (let at = 0; at < ops.length; at += streamSize) {
      const some = ops.slice(at, at + streamSize);
      this.messagesSent += some.length;
      // Linux before 6.6 refuses to destroy what is not there.
      for (const [i, error] of (await this.#socket.stream(changeIpsets(some), 'change sets')).entries())
        if (!error || (error.errno === 'ENOENT' && some[i]?.op === 'destroy')) errors.push(undefined);
        else errors.push(new NetlinkError(ipsetErrno(error.errno), 'change sets'));
    }
    return errors;
  }

  async names(): Promise<string[]> {
    return (await this.#socket.dump(listSetNames, 'list sets')).map(parseSetName).filter((name) => name !== '');
  }

  async read(name: string): Promise<HeldIpset | undefined> {
    try {
      return parseSet(await this.#socket.dump(listSet(name), `list set "${name}"`));
    } catch (err) {
      if (isErrno(err, 'ENOENT')) return undefined;
      throw err;
    }
  }

  close(): void {
    this.#socket.close();
  }
}
