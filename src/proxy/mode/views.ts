/** What each mode shows of its rules. Each is loaded when it is wanted. Mode userspace has next to no rules: its relays are in the process. */
import type { ModeView } from './view.ts';

export const views: Readonly<Record<string, () => Promise<ModeView>>> = {
  nftables: async () => (await import('./nftables/view.ts')).view,
  iptables: async () => (await import('./iptables/view.ts')).view,
  ipvs: async () => (await import('./ipvs/view.ts')).view,
};
