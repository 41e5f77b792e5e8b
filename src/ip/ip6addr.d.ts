/** The part of the package ip6addr that is used here; it brings no types. */
declare module 'ip6addr' {
  interface Addr {
    kind(): 'ipv4' | 'ipv6';
    toString(options?: { format?: 'auto' | 'v4' | 'v6' | 'v4-mapped' }): string;
    /** Into the 16 bytes that it is given; it would make others by a way that Node.js warns of. */
    toBuffer(bytes: Buffer): Buffer;
  }
  interface CIDR {
    contains(address: string | Addr): boolean;
  }
  const ip6addr: { parse(text: string | number | Buffer): Addr; createCIDR(address: string, prefix: number): CIDR };
  export default ip6addr;
}
