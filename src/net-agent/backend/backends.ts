/** All backends, by the name that flannel's net-conf.json gives them. */
import type { Backend, BackendConfig } from './backend.ts';
import { hostGw } from './host-gw/host-gw.ts';
import { vxlan } from './vxlan/vxlan.ts';

/** Each throws BAD_CONFIG when it cannot use its options. */
export const backends: Readonly<Record<string, (config: BackendConfig) => Backend>> = {
  vxlan,
  'host-gw': hostGw,
};
