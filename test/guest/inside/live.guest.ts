/** Mode ipvs at work while things happen to it: the suite that every mode passes. Runs in the guest. */
import { systemClock } from '../../../src/clock/clock.ts';
import { ipvsFace } from '../../../src/proxy/mode/ipvs/testing/face.ts';
import { ipvsModeIn } from '../../../src/proxy/mode/ipvs/testing/kernel-mode.ts';
import { testLive } from '../../rules/testing/live-suite.ts';

/** By this clock looking at the kernel takes no time: in the guest its share of the time would make the mode look for minutes, and ipvs-rules.test.ts has that share. */
const clock = { ...systemClock, monotonic: (): number => 0 };

testLive({ ...ipvsFace, open: (namespace) => ipvsModeIn(namespace, { ipvs: { udpTimeoutMs: 1000 }, clock }) });
