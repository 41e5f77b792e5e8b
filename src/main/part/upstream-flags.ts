/**
 * Flags of upstream's control plane that change nothing here, or may have one value only: a command line that was written for kube-apiserver,
 * kube-controller-manager or kube-scheduler is taken as it is. What it loses by that is said when the process starts, or refused by name.
 */
import { KnownError } from '../../errors/known-error.ts';
import type { FlagReader } from '../flag-reader.ts';
import { isDebug, type LogChoice } from '../process-log.ts';
import type { PartFlag, PartFlags } from './part.ts';

/** Flags by name, with a space between them. */
function without(names: string, why: string): PartFlags {
  return flagsOf(names, { why });
}

/** Flags that may have these values: those that say what is so anyway. */
function only(names: string, allowed: readonly string[], why: string): PartFlags {
  return flagsOf(names, { allowed, why });
}

function flagsOf(names: string, upstream: NonNullable<PartFlag['upstream']>): PartFlags {
  const flag: PartFlag = { type: 'string', help: upstream.why, hidden: true, among: false, upstream };
  return Object.fromEntries(names.split(/\s+/).map((name) => [name, flag]));
}

/** Of upstream's switches, which may stand without a value. */
function switches(names: string, why: string): PartFlags {
  const flag: PartFlag = { type: 'boolean', help: why, hidden: true, among: false, upstream: { why } };
  return Object.fromEntries(names.split(/\s+/).map((name) => [name, flag]));
}

const noProfiler = 'there is no profiler of Go to serve';
const ofGo = 'it is about the log of a Go program';
const notThere = 'what it is about is not there';
const ownPace = 'work is paced by the API server, by priority and fairness';
const http1Alone = 'pages of its own are served over HTTP/1.1';
const fixedTime = 'the time is fixed';

const everywhere: PartFlags = {
  ...switches('profiling contention-profiling', noProfiler),
  ...flagsOf('v', { why: 'use --log-level; from 4 on it is debug', honoured: true }),
  ...flagsOf('logging-format', { why: 'use --log-format', honoured: true }),
  ...without('feature-gates emulated-version min-compatibility-version', 'there are no gates: what is there is on'),
  ...switches('emulation-forward-compatible runtime-config-emulation-forward-compatible', 'there are no gates: what is there is on'),
  ...without('vmodule log-flush-frequency log-text-info-buffer-size log-json-info-buffer-size', ofGo),
  ...switches('log-text-split-stream log-json-split-stream', ofGo),
  ...without('show-hidden-metrics-for-version disabled-metrics allow-metric-labels allow-metric-labels-manifest', 'all metrics are shown'),
  ...without('tls-cipher-suites tls-sni-cert-key', 'TLS is as OpenSSL does it, with one certificate'),
  ...only('tls-min-version', ['', 'VersionTLS12'], 'clients may speak TLS 1.2 and 1.3'),
  ...switches('permit-port-sharing permit-address-sharing', 'ports are not shared'),
};

/** Of the parts that ask an API server and serve pages of their own. */
const ofClients: PartFlags = {
  ...everywhere,
  ...only('master', [''], 'the kubeconfig says where the API server is'),
  ...without('kube-api-qps kube-api-burst', ownPace),
  ...without('kube-api-content-type', 'requests are JSON'),
  ...without('http2-max-streams-per-connection', http1Alone),
  ...switches('disable-http2-serving', http1Alone),
  ...without('cert-dir authentication-token-webhook-cache-ttl', 'a certificate that is not given lives as long as the process'),
  ...without('authorization-webhook-cache-authorized-ttl authorization-webhook-cache-unauthorized-ttl', 'nothing is cached'),
  ...switches('authentication-skip-lookup authentication-tolerate-lookup-failure', 'client-ca-file says whose certificates are taken'),
  ...without(
    'requestheader-allowed-names requestheader-client-ca-file requestheader-extra-headers-prefix requestheader-group-headers requestheader-uid-headers requestheader-username-headers',
    'nobody is spoken for',
  ),
};

export const controllerManagerFlags: PartFlags = {
  ...ofClients,
  ...only('cloud-provider', ['', 'external'], 'the cloud is another process'),
  ...only('cidr-allocator-type', ['', 'RangeAllocator'], 'nodes get their part of one range'),
  ...without('service-account-private-key-file', 'tokens are asked of the API server'),
  ...without('cluster-name cloud-config service-cluster-ip-range', notThere),
  ...switches('configure-cloud-routes external-cloud-volume-plugin enable-hostpath-provisioner', notThere),
  ...switches('enable-garbage-collector enable-taint-manager', 'it is on'),
  ...without(
    `concurrent-cron-job-syncs concurrent-daemonset-syncs concurrent-deployment-syncs concurrent-endpoint-syncs concurrent-ephemeralvolume-syncs
    concurrent-gc-syncs concurrent-horizontal-pod-autoscaler-syncs concurrent-job-syncs concurrent-namespace-syncs concurrent-node-syncs
    concurrent-rc-syncs concurrent-replicaset-syncs concurrent-resource-quota-syncs concurrent-service-endpoint-syncs concurrent-service-syncs
    concurrent-serviceaccount-token-syncs concurrent-statefulset-syncs concurrent-ttl-after-finished-syncs concurrent-validating-admission-policy-status-syncs
    concurrent-device-taint-eviction-syncs mirroring-concurrent-service-endpoint-syncs`,
    'each controller has its own number of workers',
  ),
  ...without(
    `node-monitor-grace-period node-monitor-period node-startup-grace-period pod-eviction-timeout namespace-sync-period resource-quota-sync-period
    min-resync-period controller-start-interval route-reconciliation-period endpoint-updates-batch-period endpointslice-updates-batch-period
    mirroring-endpointslice-updates-batch-period pvclaimbinder-sync-period attach-detach-reconcile-sync-period legacy-service-account-token-clean-up-period`,
    fixedTime,
  ),
  ...without(
    `node-eviction-rate secondary-node-eviction-rate unhealthy-zone-threshold large-cluster-size-threshold max-endpoints-per-slice
    mirroring-max-endpoints-per-subset terminated-pod-gc-threshold`,
    "it has upstream's default",
  ),
  ...without(
    `volume-host-cidr-denylist flex-volume-plugin-dir
    pv-recycler-increment-timeout-nfs pv-recycler-minimum-timeout-hostpath pv-recycler-minimum-timeout-nfs pv-recycler-pod-template-filepath-hostpath
    pv-recycler-pod-template-filepath-nfs pv-recycler-timeout-increment-hostpath`,
    notThere,
  ),
  ...switches(
    'volume-host-allow-local-loopback disable-attach-detach-reconcile-sync disable-force-detach-on-timeout enable-leader-migration',
    notThere,
  ),
  ...without('leader-migration-config', notThere),
};

export const schedulerFlags: PartFlags = {
  ...ofClients,
  ...without('pod-max-in-unschedulable-pods-duration', fixedTime),
};

export const cloudControllerManagerFlags: PartFlags = {
  ...ofClients,
  ...switches('allow-untagged-cloud external-cloud-volume-plugin', notThere),
  ...without('concurrent-service-syncs concurrent-node-syncs', 'each controller has its own number of workers'),
  ...without('min-resync-period controller-start-interval', fixedTime),
  ...switches('allocate-node-cidrs enable-leader-migration', notThere),
  ...without('cidr-allocator-type external-cloud-volume-plugin-name node-sync-period leader-migration-config', notThere),
};

export const apiserverFlags: PartFlags = {
  ...everywhere,
  ...only('authorization-mode', ['', 'Node,RBAC', 'RBAC,Node'], 'Node and RBAC authorize'),
  ...only('cloud-provider', ['', 'external'], 'the cloud is another process'),
  ...only('storage-backend', ['', 'etcd3'], 'the store is named by --store or --etcd-servers'),
  ...without('storage-media-type', 'objects are kept as JSON'),
  ...only('encryption-provider-config', [''], 'nothing is encrypted at rest yet'),
  ...only('audit-policy-file audit-log-path audit-webhook-config-file', [''], 'there is no audit log yet'),
  ...only(
    'oidc-issuer-url authentication-config authentication-token-webhook-config-file authorization-config authorization-webhook-config-file token-auth-file admission-control-config-file egress-selector-config-file',
    [''],
    'users are known by certificates, ServiceAccount tokens and bootstrap tokens',
  ),
  ...only('etcd-servers-overrides', [''], 'all objects are in one store'),
  ...without('etcd-count-metric-poll-period etcd-db-metric-poll-interval etcd-healthcheck-timeout etcd-readycheck-timeout', 'it is fixed'),
  ...without('apiserver-count', 'servers register by lease'),
  ...without(
    'requestheader-allowed-names requestheader-extra-headers-prefix requestheader-group-headers requestheader-uid-headers requestheader-username-headers',
    'API servers behind this one are told of users in the headers of kubeadm',
  ),
  ...without('kubelet-preferred-address-types kubelet-port kubelet-timeout', 'kubelets are asked at the address that their Node tells'),
  ...without('runtime-config api-audiences service-account-jwks-uri event-ttl external-hostname', "it has upstream's default"),
  ...without(
    'default-watch-cache-size watch-cache-sizes min-request-timeout request-timeout shutdown-delay-duration livez-grace-period',
    'it is fixed',
  ),
  ...without('max-resource-write-bytes default-not-ready-toleration-seconds default-unreachable-toleration-seconds', 'it is fixed'),
  ...switches('enable-bootstrap-token-auth allow-privileged enable-priority-and-fairness watch-cache enable-garbage-collector', 'it is on'),
  ...switches('service-account-lookup enable-aggregator-routing shutdown-send-retry-after', 'it is as upstream has it by default'),
};

/** Says which of the flags that were given change nothing. Throws USAGE for a value that would be needed and cannot be had. */
export function checkUpstreamFlags(flags: PartFlags, read: FlagReader, say: (words: string) => void): void {
  for (const [name, { upstream, type }] of Object.entries(flags)) {
    if (!upstream || upstream.honoured) continue;
    const text = read.given(name);
    if (text === undefined) continue;
    if (upstream.allowed === undefined) say(`--${name} has no effect: ${upstream.why}`);
    else if (type === 'string' && !upstream.allowed.includes(text))
      throw new KnownError('USAGE', `Cannot use --${name}="${text}": ${upstream.why}`, {
        hint: `Leave it out${upstream.allowed.some(Boolean) ? `, or give ${upstream.allowed.filter(Boolean).join(' or ')}` : ''}`,
      });
  }
}

/** As upstream's flags of the log have it. */
export function upstreamLog(read: FlagReader): LogChoice {
  return {
    ...(isDebug(Number(read.text('v'))) ? { isDebug: true } : {}),
    ...(read.text('logging-format') === 'json' ? { format: 'json' } : {}),
  };
}
