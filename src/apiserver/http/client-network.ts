/** Whom an address of a connection stands for: who has one address of IPv6 takes any other of its /64 as he likes. */

/** The first 64 bits of an address of IPv6; an address of IPv4 as it is, mapped into IPv6 (`::ffff:10.0.0.1`) or not. As the kernel writes them. */
export function clientNetwork(address: string): string {
  if (!address.includes(':') || address.includes('.')) return address;
  const [before = [], after = []] = address.split('::').map((part) => part.split(':'));
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0');
  return [...before, ...zeros, ...after]
    .slice(0, 4)
    .map((group) => group || '0')
    .join(':');
}
