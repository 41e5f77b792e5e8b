/** What a proxy is told when it starts. Addresses to listen on are `HOST:PORT`, port 0 takes a free one; without one it listens nowhere. */
import type { Client } from '../client/client.ts';
import type { InformerSet } from '../client/informers.ts';
import type { Clock } from '../clock/clock.ts';
import type { NatHold } from '../linux/nftables/nat-hold.ts';
import type { TableFamily } from '../linux/nftables/table.ts';
import type { Log } from '../observability/log.ts';
import type { Answers } from './answers.ts';
import type { Flows } from './flow-clean-up.ts';
import type { Mode, ModeOptions } from './mode/mode.ts';
import type { NodeHost } from './node-host.ts';
import type { Algorithm } from './plan/algorithm.ts';
import type { Listener } from './plan/reserved.ts';

export interface ProxyOptions {
  readonly client: Client;
  /** Shared with other parts of the process; an own set is made and started without. */
  readonly informers?: InformerSet;
  /** Whether nobody else reads Services and EndpointSlices by these informers: of each then only what rules depend on is kept. Default: without `informers`. */
  readonly readsAlone?: boolean;
  readonly nodeName: string;
  /** The node's addresses, the primary one of each family first. Without one of a family: InternalIPs of the Node object. */
  readonly nodeIps?: readonly string[];
  /** How Services become rules: a name of modes.ts. */
  readonly mode?: string;
  readonly modeOptions?: ModeOptions;
  /** How connections to Services without an annotation are spread. Default: as the mode likes it. */
  readonly algorithm?: Algorithm;
  /** Pod ranges, one per family: sources outside are masqueraded on their way to a cluster IP. */
  readonly clusterCidrs?: readonly string[];
  /** How pods are told from others. Default: ClusterCIDR when clusterCidrs is given, else None. */
  readonly localMode?: 'ClusterCIDR' | 'NodeCIDR' | 'BridgeInterface' | 'InterfaceNamePrefix' | 'None';
  readonly bridgeInterface?: string;
  readonly interfaceNamePrefix?: string;
  /** Service ranges: an address in them that no Service holds is refused. */
  readonly serviceCidrs?: readonly string[];
  /** `primary` (default), `all`, or CIDRs of node addresses. `localhost` is the loopback range. */
  readonly nodePortAddresses?: readonly string[];
  /** Who serves node ports at loopback addresses among those: the mode's rules, or a relay of this process. Absent: nobody. */
  readonly loopbackNodePorts?: 'rules' | 'relay';
  readonly masqueradeAll?: boolean;
  /** Changes within this time are applied together. Default 20 ms: a sync costs little. */
  readonly minSyncPeriodMs?: number;
  /** How often it looks whether somebody else changed the rules. Default 30 s. */
  readonly syncPeriodMs?: number;
  /** Serves /healthz and /livez. */
  readonly healthzAddress?: string;
  /** What /configz and /flagz tell, whole. */
  readonly configuration?: object;
  readonly flags?: Readonly<Record<string, string>>;
  /** Whether the verbosity may be changed at /debug/flags/v, and /debug/pprof profiles this process, where `setVerbosity` is given. */
  readonly debugFlags?: boolean;
  /** Takes another verbosity, as of `--v`. */
  readonly setVerbosity?: (verbosity: number) => void;
  /** Serves /metrics, /healthz, /proxyMode, /configz, /statusz, /flagz. */
  readonly metricsAddress?: string;
  /** Whether an address for pages that is taken ends the start. Default: it is tried again and again, and the rules do not wait. */
  readonly bindAddressHardFail?: boolean;
  /** What answers for this proxy and for those before and after it; whoever gives it closes it. Default: its own. */
  readonly answers?: Answers;
  /** Sockets of this process at which it serves Services beside those of the mode. */
  readonly otherListeners?: () => readonly Listener[];
  /** Whether /metrics tells what was counted for each Service. Default true. */
  readonly serviceCounters?: boolean;
  /** The mode at work; tests give others. Whoever gives it closes it. */
  readonly rules?: Mode;
  /** Takes away the rules of all modes but one, in families in which ours are in place; false when it is to be called again. Default, without `rules`: in every way known. */
  readonly cleanOthers?: (own: string, log: Log, modeOptions?: ModeOptions, families?: readonly TableFamily[]) => Promise<boolean>;
  /** Default, without `rules`: the kernel's. */
  readonly natHold?: NatHold;
  readonly flows?: Flows;
  readonly host?: NodeHost;
  readonly clock?: Clock;
  readonly log?: Log;
  readonly signal?: AbortSignal;
}
