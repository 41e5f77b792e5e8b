import { lookup } from 'node:dns/promises';
import { connect, type Socket } from 'node:net';
import { isIp, mustCidr, parseIp } from '../../ip/ip.ts';
import { type Allowed, type Destinations, isAllowedName, whyClosed } from './destination.ts';
import { connectThrough } from './upstream-proxy.ts';

/** What decides where a connection goes; passed in for tests. */
export interface Way {
  /** The lab's own ranges. */
  readonly lab: Destinations['lab'];
  readonly allowed: Allowed;
  /** This machine's addresses now. */
  readonly own: () => Promise<Destinations['own']>;
  readonly resolve: (host: string) => Promise<readonly string[]>;
  readonly proxy: URL | undefined;
}

/** Every address of a name, as the machine's own programs see it. */
export async function resolveHost(host: string): Promise<string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}

const anywhere = ['0.0.0.0/0', '::/0'].map(mustCidr);

const connectWithinMs = 10_000;

async function connectDirectly(address: string, port: number): Promise<Socket> {
  const socket = connect({ host: address, port });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve).once('error', reject);
    socket.setTimeout(connectWithinMs, () => socket.destroy(new Error(`no connection within ${connectWithinMs} ms`)));
  });
  socket.removeAllListeners('timeout').setTimeout(0);
  return socket;
}

/** The addresses of a host that may be connected to. Throws with the reason when there is none. */
export async function openAddresses(host: string, port: number, way: Way): Promise<string[]> {
  // From here on in canonical text: "0177.0.0.1" is another address to one reader than to the next.
  const addresses = isIp(host) ? [host] : await way.resolve(host);
  const { ranges } = way.allowed;
  // A name that was opened may be of a private network, in which everything but this machine and this lab is meant.
  const allowed = isAllowedName(way.allowed, host) ? [...ranges, ...anywhere] : ranges;
  const destinations: Destinations = { lab: way.lab, allowed, own: await way.own() };
  const judged = addresses.map((address) => ({ address, reason: whyClosed(address, port, destinations) }));
  const open = judged.filter(({ reason }) => reason === undefined);
  if (open.length === 0) throw new Error(judged[0]?.reason ?? 'it has no address');
  return open.map(({ address }) => parseIp(address) ?? '');
}

/**
 * Connects to a host of the world outside, to the very address that was looked at: a name may mean another one a moment later. Behind a
 * proxy the same holds, so it is asked for the address; only a name that was opened is handed on, as such proxies may go by names.
 */
export async function dial(host: string, port: number, way: Way): Promise<Socket> {
  const { proxy } = way;
  if (proxy && port === 443 && isAllowedName(way.allowed, host)) return await connectThrough(proxy, host, port);
  let failure: unknown;
  for (const address of await openAddresses(host, port, way))
    try {
      return await (proxy ? connectThrough(proxy, address, port) : connectDirectly(address, port));
    } catch (err) {
      failure = err;
    }
  throw failure;
}
