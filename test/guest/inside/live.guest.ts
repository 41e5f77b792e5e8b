/** Mode ipvs at work while things happen to it: the suite that every mode passes. Runs in the guest. */
import { ipvsFace } from '../../../src/proxy/mode/ipvs/testing/face.ts';
import { testLive } from '../../rules/testing/live-suite.ts';

testLive(ipvsFace);
