/** All modes, in the network namespace of this process. */
import type { Clock } from '../../clock/clock.ts';
import type { Mode } from './mode.ts';
import { NftablesMode } from './nftables/nftables-mode.ts';

export const modes: Readonly<Record<string, (clock?: Clock) => Mode>> = {
  nftables: (clock) => NftablesMode.ofKernel(clock),
};

export const defaultMode = 'nftables';
