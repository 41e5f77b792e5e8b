/** The address under which the other nodes reach this machine: by its routes or its network, never by the name of a link. */
import { networkInterfaces } from 'node:os';
import { KnownError } from '../errors/known-error.ts';
import { cidrContains, parseCidr } from '../ip/ip.ts';
import { addressForOthers } from '../linux/source-address.ts';

export interface AddressWish {
  /** The very address. */
  readonly address?: string | undefined;
  /** The network that it is in. */
  readonly cidr?: string | undefined;
}

/** Those that other machines know, of IPv4 first. */
export function ownAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((list = []) => list.filter(({ internal }) => !internal));
  const six = all.filter(({ family, scopeid }) => family === 'IPv6' && !scopeid);
  return [...all.filter(({ family }) => family === 'IPv4'), ...six].map(({ address }) => address);
}

/** Which of `own` was asked for; undefined when nothing was. Pure. Throws BAD_CONFIG. */
export function wishedAddress({ address, cidr }: AddressWish, own: readonly string[]): string | undefined {
  const has = own.length > 0 ? `It has ${own.join(', ')}` : 'It has none but loopback';
  if (address !== undefined && !own.includes(address))
    throw new KnownError('BAD_CONFIG', `Cannot use "${address}" as the address of this node: this machine does not have it`, { hint: has });
  if (address !== undefined || cidr === undefined) return address;
  const range = parseCidr(cidr);
  if (!range || !cidr.includes('/'))
    throw new KnownError('USAGE', `Cannot use --node-cidr="${cidr}": it is no range of addresses`, { hint: '--node-cidr 192.168.56.0/24' });
  const [found, second] = own.filter((one) => cidrContains(range, one));
  if (found === undefined)
    throw new KnownError('BAD_CONFIG', `Cannot find the address of this node: it has none in --node-cidr ${cidr}`, { hint: has });
  if (second !== undefined)
    throw new KnownError('BAD_CONFIG', `Cannot tell the address of this node: ${found} and ${second} are both in --node-cidr ${cidr}`, {
      hint: `Say which: --node-ip ${found}`,
    });
  return found;
}

/** `host`: of the control plane, to which the route is asked; without, the default route counts, and then the first address there is. */
export async function nodeAddress(wish: AddressWish, host?: string): Promise<string | undefined> {
  const own = ownAddresses();
  return wishedAddress(wish, own) ?? (await addressForOthers(host === undefined ? [] : [host], own));
}
