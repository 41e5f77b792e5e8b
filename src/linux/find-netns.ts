/** Which network namespace has an address: a pod's is known by its processes, or by the name that its runtime gave it. */
import { closeSync, openSync, readdirSync, statSync } from 'node:fs';
import { isKnownError } from '../errors/known-error.ts';
import { decodeAttrs, u32 } from './netlink/attribute.ts';
import { Rtnetlink } from './netlink/rtnetlink.ts';
import { netnsExists } from './netns.ts';

export const ownNetns = '/proc/thread-self/ns/net';

const RTM_GETNSID = 90;
const NETNSA = { nsid: 1, fd: 3 } as const;

function entries(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Each namespace but this thread's own, once. */
function* otherNamespaces(): Generator<string> {
  const known = new Set([statSync(ownNetns).ino]);
  const named = entries('/run/netns').map((name) => `/run/netns/${name}`);
  const processes = entries('/proc').flatMap((name) => (/^\d+$/.test(name) ? `/proc/${name}/ns/net` : []));
  for (const path of [...named, ...processes]) {
    const inode = netnsExists(path) ? statSync(path, { throwIfNoEntry: false })?.ino : undefined;
    if (inode === undefined || known.has(inode)) continue;
    known.add(inode);
    yield path;
  }
}

/** Whether a link leads from here into the namespace: the kernel has numbers for those alone. */
async function isNeighbour(own: Rtnetlink, path: string): Promise<boolean> {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch {
    return false;
  }
  try {
    const [answer] = await own.get(
      { type: RTM_GETNSID, body: new Uint8Array(4), attrs: [[NETNSA.fd, u32(fd)]] },
      'find a network namespace',
    );
    return (decodeAttrs(answer?.data, 4).get(NETNSA.nsid)?.readInt32LE(0) ?? -1) >= 0;
  } finally {
    closeSync(fd);
  }
}

async function hasAddress(socket: Rtnetlink, ip: string): Promise<boolean> {
  return (await socket.addresses()).some((address) => address.ip === ip);
}

async function hasAddressIn(path: string, ip: string): Promise<boolean> {
  try {
    using socket = Rtnetlink.openIn(path);
    return await hasAddress(socket, ip);
  } catch (err) {
    // It ended meanwhile.
    if (isKnownError(err, 'NAMESPACE_GONE')) return false;
    throw err;
  }
}

/**
 * This thread's own namespace when it has the address, else the one behind a link of it that does. Other namespaces of the machine may have the same
 * addresses for themselves. Undefined when there is none.
 */
export async function netnsWith(ip: string): Promise<string | undefined> {
  using own = new Rtnetlink();
  if (await hasAddress(own, ip)) return ownNetns;
  for (const path of otherNamespaces()) if ((await isNeighbour(own, path)) && (await hasAddressIn(path, ip))) return path;
  return undefined;
}
