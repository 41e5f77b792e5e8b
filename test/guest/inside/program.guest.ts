/**
 * `fairlead proxy` in the modes that this kernel has, and from each to mode ipvs and back. Runs in the guest. FAIRLEAD_MODES=nftables,ipvs has these alone, in that
 * order, for a kernel that is slow.
 */
import { execIn } from '../../../src/proxy/mode/ipvs/testing/kernel-mode.ts';
import { usableModes } from '../../../src/proxy/usable-modes.ts';
import { testProgram } from '../../rules/testing/program-suite.ts';

const asked = process.env.FAIRLEAD_MODES?.split(',');
testProgram(asked ?? (await usableModes()), { shellIn: execIn, through: 'ipvs' });
