/**
 * Services of hostile size beside another one in mode ipvs. FAIRLEAD_SIZES=ENDPOINTS,RANGES,ADDRESSES has so many. Runs in the guest.
 */
import { execIn } from '../../../src/proxy/mode/ipvs/testing/kernel-mode.ts';
import { testHostileSizes } from '../../rules/testing/hostile-sizes-suite.ts';

const [endpoints = 0, ranges = 0, addresses = 0] = (process.env.FAIRLEAD_SIZES ?? '10000,10000,1000').split(',').map(Number);
testHostileSizes('ipvs', { endpoints, ranges, addresses }, { shellIn: execIn });
