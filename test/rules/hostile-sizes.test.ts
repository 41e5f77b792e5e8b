/** Services of hostile size in modes on a real kernel. ipvs has its own in a guest kernel. */
import { lackingTools } from '../../src/linux/iptables/testing/kernel-in.ts';
import { testHostileSizes } from './testing/hostile-sizes-suite.ts';

testHostileSizes('nftables', { endpoints: 60_000, ranges: 40_000, addresses: 5000 });
// Its tools take five seconds of CPU for 20,000 endpoints, and a rule in a list for every address.
testHostileSizes('iptables', { endpoints: 20_000, ranges: 20_000, addresses: 2000 }, { lacking: () => lackingTools() });
// A socket for every address.
testHostileSizes('userspace', { endpoints: 60_000, ranges: 40_000, addresses: 2000 });
