import type { Ipset } from '../../../linux/ipset/ipset.ts';
import type { Iptables } from '../../../linux/iptables/iptables.ts';
import type { Ipvs } from '../../../linux/ipvs/ipvs.ts';
import type { ServiceDevice } from './service-device.ts';

/** The parts of a kernel in which the mode has something. */
export interface IpvsKernel {
  readonly ipvs: Ipvs;
  readonly ipset: Ipset;
  readonly iptables: Iptables;
  /** The backend of iptables in which a proxy may have left rules that these tools do not see; whoever asks closes it. */
  otherBackend?(): Promise<Iptables | undefined>;
  readonly device: ServiceDevice;
}
