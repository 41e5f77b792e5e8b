/** How full each pool is, under MetalLB's names: its alert of a pool that is used up reads the two. Pure. */
import type { GaugeSource } from '../../observability/gauge.ts';
import type { AddressBook } from './address-book.ts';
import { type Pool, poolHas } from './pools.ts';

export function poolGauges(pools: () => readonly Pool[], book: Pick<AddressBook, 'taken'>): GaugeSource[] {
  const of = (count: (pool: Pool) => number): ReturnType<GaugeSource['read']> =>
    pools().map((pool) => ({ labels: { pool: pool.name }, value: count(pool) }));
  return [
    {
      name: 'metallb_allocator_addresses_total',
      help: 'Number of usable IP addresses, per pool',
      read: () => of(sizeOf),
    },
    {
      name: 'metallb_allocator_addresses_in_use_total',
      help: 'Number of IP addresses in use, per pool',
      read: () => of((pool) => book.taken().filter((ip) => poolHas(pool, ip)).length),
    },
  ];
}

/** Of IPv6 this may be more than a number can tell exactly; nobody minds. */
function sizeOf({ ranges, avoidBuggyIps }: Pool): number {
  let size = 0n;
  for (const { family, first, last } of ranges) {
    size += last - first + 1n;
    // Those that end in .0, and those that end in .255.
    if (avoidBuggyIps && family === 4) size -= multiplesOf256(first, last) + multiplesOf256(first + 1n, last + 1n);
  }
  return Number(size);
}

function multiplesOf256(first: bigint, last: bigint): bigint {
  return last / 256n - (first + 255n) / 256n + 1n;
}
