/** What each mode brings to the scenarios, in the order of `modes.ts`. */
import { iptablesFace } from '../iptables/testing/face.ts';
import { ipvsFace } from '../ipvs/testing/face.ts';
import { nftablesFace } from '../nftables/testing/face.ts';
import type { ModeFace } from './face.ts';

export const faces: readonly ModeFace[] = [nftablesFace, iptablesFace, ipvsFace];
