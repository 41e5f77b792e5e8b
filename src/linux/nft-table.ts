/**
 * One nftables table that is kept as a text says. It is loaded by `nft` in one transaction; afterwards a look at the kernel's
 * rules over netlink, without starting anything, tells whether somebody has changed it since.
 */
import { createHash } from 'node:crypto';
import { type Exec, mustRun } from './exec.ts';
import { decodeAttrs, readText, text } from './netlink/attribute.ts';
import type { NetlinkMessage } from './netlink/message.ts';
import { isErrno } from './netlink/netlink-error.ts';
import { NETLINK_NETFILTER, NetlinkSocket } from './netlink/netlink-socket.ts';

const NFNL_SUBSYS_NFTABLES = 10 << 8;
const NFT_MSG_GETCHAIN = NFNL_SUBSYS_NFTABLES | 4;
const NFT_MSG_GETRULE = NFNL_SUBSYS_NFTABLES | 7;
/** NFTA_CHAIN_TABLE and NFTA_RULE_TABLE. */
const ATTR_TABLE = 1;
const NFPROTO_IPV4 = 2;

/** struct nfgenmsg. */
const BODY = Uint8Array.of(NFPROTO_IPV4, 0, 0, 0);

export class NftTable {
  readonly #name: string;
  readonly #exec: Exec;
  readonly #socket: NetlinkSocket;
  #text: string | undefined;
  #print: string | undefined;

  /** A table of family `ip`. */
  constructor(name: string, exec: Exec) {
    this.#name = name;
    this.#exec = exec;
    this.#socket = new NetlinkSocket(NETLINK_NETFILTER);
    this.#socket.unref();
  }

  /** Loads the text unless the table is as this object left it; true when it had to. The text must remove what was there. */
  async ensure(wanted: string): Promise<boolean> {
    if (wanted === this.#text && (await this.#fingerprint()) === this.#print) return false;
    this.#text = undefined;
    await mustRun(this.#exec, 'nft', ['-f', '-'], { input: wanted });
    this.#print = await this.#fingerprint();
    this.#text = wanted;
    return true;
  }

  close(): void {
    this.#socket.close();
  }

  async #fingerprint(): Promise<string> {
    const hash = createHash('sha256');
    const attrs = [[ATTR_TABLE, text(this.#name)]] as const;
    for (const type of [NFT_MSG_GETCHAIN, NFT_MSG_GETRULE]) {
      for (const message of await this.#dump({ type, body: BODY, attrs })) {
        if (readText(decodeAttrs(message.data, 4).get(ATTR_TABLE) ?? Buffer.alloc(0)) === this.#name) hash.update(message.data.subarray(4));
      }
    }
    return hash.digest('hex');
  }

  async #dump(request: Parameters<NetlinkSocket['dump']>[0]): Promise<readonly NetlinkMessage[]> {
    try {
      return await this.#socket.dump(request, `list rules of table "${this.#name}"`);
    } catch (err) {
      if (isErrno(err, 'ENOENT')) return [];
      throw err;
    }
  }
}
