/** What an API server is given. */
import type { Registry } from '../api/registry/registry.ts';
import type { Clock } from '../clock/clock.ts';
import type { Log } from '../observability/log.ts';
import type { Store } from '../storage/store.ts';
import type { AdmissionChoice } from './admission/chain.ts';
import type { UnservedDeps } from './admission/unserved.ts';
import type { Inflight } from './flow/flow-control.ts';
import type { KubeletTls } from './kubelet/kubelet-client.ts';

export interface ApiServerOptions {
  /** Closed by the caller, after the server. */
  readonly store: Store;
  /** What is served; rows may be added and removed at any time. Default: what is built in. */
  readonly registry?: Registry | undefined;
  /** Port 0 takes a free one. */
  readonly listen: { readonly host: string; readonly port: number };
  /** PEM. `clientCa` signs client certificates. */
  readonly tls: { readonly cert: string | Buffer; readonly key: string | Buffer; readonly clientCa: string | Buffer };
  /** Files with PEM keys: the first signs tokens, all verify them. */
  readonly serviceAccounts: {
    readonly issuer: string;
    readonly keyFiles: readonly string[];
    /** How long tokens may live at most, in seconds; absent: as long as is asked. */
    readonly maxExpirationSeconds?: number | undefined;
    /** Default true. */
    readonly extendExpiration?: boolean | undefined;
  };
  /** Parts that are other people's programs: what ours do not do, they may. */
  readonly foreign?: UnservedDeps['foreign'] | undefined;
  /** Admission plugins beside those that are on by default, and which of these are not. */
  readonly admission?: AdmissionChoice | undefined;
  /** One range, or one of each family: a Service that names no family gets one of the first. */
  readonly serviceCidrs: readonly string[];
  /** `30000-32767`. */
  readonly nodePortRange: string;
  /** Where pods reach this server: the address behind `default/kubernetes`. */
  readonly advertiseAddress: string;
  /** Whether the Service `kubernetes` shall lead here; default true. */
  readonly registers?: boolean | undefined;
  /** PEM of the authority of those who may speak for others to API servers behind this one. */
  readonly frontProxyCa?: string | undefined;
  /** PEM: what is shown to API servers behind this one, signed by that authority. Absent: they cannot tell who asks. */
  readonly proxyClient?: { readonly cert: string; readonly key: string } | undefined;
  /** PEM: the certificate shown to kubelets, and the CA of theirs. */
  readonly kubeletClient: KubeletTls;
  /** How many requests may be under way. */
  readonly inflight?: Inflight | undefined;
  /** Requests that one connection of HTTP/2 may have under way; 0 for HTTP/1.1 alone. */
  readonly http2MaxStreams?: number | undefined;
  /** How likely a request of HTTP/2 is to be the last of its connection; default 0. */
  readonly goawayChance?: number | undefined;
  readonly clock: Clock;
  readonly log: Log;
}
