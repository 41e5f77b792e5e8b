/** `fairlead proxy` in the modes that this kernel has, and from mode to mode. Runs in the guest. */
import { execIn } from '../../../src/proxy/mode/ipvs/testing/kernel-mode.ts';
import { usableModes } from '../../../src/proxy/usable-modes.ts';
import { testProgram } from '../../rules/testing/program-suite.ts';

testProgram(await usableModes(), false, execIn);
