/** Which member is used first. */
import { networkInterfaces } from 'node:os';

export function ownAddresses(): ReadonlySet<string> {
  return new Set(
    Object.values(networkInterfaces())
      .flat()
      .flatMap((entry) => entry?.address ?? []),
  );
}

/**
 * Numbers among `urls`. `home` is the one member on this machine: the death of another machine then interrupts no call. Where there is none, or where
 * all are here, `first` is one by `chance`, from 0 to below 1.
 */
export function firstMember(
  urls: readonly string[],
  own: ReadonlySet<string>,
  chance: number,
): { readonly first: number; readonly home?: number } {
  const hosts = urls.map((url) => new URL(url).hostname.replace(/^\[|\]$/g, ''));
  const isHere = (host: string): boolean => own.has(host) || host === 'localhost';
  const home = hosts.findIndex(isHere);
  if (home >= 0 && home === hosts.findLastIndex(isHere)) return { first: home, home };
  return { first: Math.floor(chance * urls.length) };
}
