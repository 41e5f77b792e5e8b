/** All modes, in the network namespace of this process. Each is loaded when it is wanted. */
import type { Mode, ModeOptions } from './mode.ts';

export const modes: Readonly<Record<string, (options?: ModeOptions) => Promise<Mode>>> = {
  nftables: async (options) => (await import('./nftables/nftables-mode.ts')).NftablesMode.ofKernel(options),
  iptables: async (options) => (await import('./iptables/iptables-mode.ts')).IptablesMode.ofKernel(options),
  ipvs: async (options) => (await import('./ipvs/ipvs-mode.ts')).IpvsMode.open(options),
  userspace: async (options) => (await import('./userspace/userspace-mode.ts')).UserspaceMode.ofKernel(options),
};

export const defaultMode = 'nftables';
