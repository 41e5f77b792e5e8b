/** What the commands that run one part of a node have in common. Each is `fairlead agent --parts=PART` under upstream's flags. */
import { hostname } from 'node:os';
import { KnownError } from '../errors/known-error.ts';
import type { AgentSettings } from './agent.ts';
import { type AgentPart, agentOptions } from './agent-command.ts';
import { ipFlag, numberFlag, portFlag } from './flag-values.ts';
import { processLog } from './process-log.ts';

export const partOptions = {
  kubeconfig: { type: 'string', value: 'FILE', help: 'how to reach the API server, and as whom (required)' },
  'hostname-override': { type: 'string', value: 'NAME', help: 'name of the Node object (default: the host name)' },
} as const;

export interface PartValues {
  readonly kubeconfig: string | undefined;
  readonly 'hostname-override': string | undefined;
  readonly 'log-level': string;
  readonly 'log-format': string;
}

/** Settings of one part: what is not in `own` is of no meaning to it, or as `fairlead agent` has it. Throws USAGE. */
export function partSettings(part: AgentPart, values: PartValues, signal: AbortSignal, own: Partial<AgentSettings>): AgentSettings {
  const { kubeconfig } = values;
  if (!kubeconfig)
    throw new KnownError('USAGE', `Cannot run "fairlead ${part}": no kubeconfig is given`, {
      hint:
        part === 'kubelet'
          ? '--kubeconfig /etc/kubernetes/kubelet.conf'
          : `--kubeconfig FILE; a node's own will do after: fairlead manifest ${part} --group system:nodes | kubectl apply -f -`,
    });
  const preset = (name: keyof typeof agentOptions): string => String((agentOptions[name] as { default?: string }).default ?? '');
  return {
    parts: [part],
    nodeName: values['hostname-override'] ?? hostname().toLowerCase(),
    nodeIp: undefined,
    underlay: {},
    kubeconfigDir: '',
    kubeconfig,
    tlsFiles: { cert: undefined, key: undefined, clientCa: '' },
    runtimeEndpoint: preset('runtime-endpoint'),
    rootDir: preset('root-dir'),
    stateDir: preset('state-dir'),
    runDir: preset('run-dir'),
    podManifestPath: undefined,
    cniConfDir: preset('cni-conf-dir'),
    cniBinDir: preset('cni-bin-dir'),
    clusterDns: preset('cluster-dns'),
    clusterDomain: preset('cluster-domain'),
    clusterCidr: '',
    serviceCidr: '',
    resolvConf: preset('resolv-conf'),
    taints: '',
    labels: '',
    vni: numberFlag('vxlan-vni', preset('vxlan-vni'), 1, 0xff_ff_ff),
    vxlanPort: portFlag('vxlan-port', preset('vxlan-port')),
    dnsHttp: { healthAddress: undefined, readyAddress: undefined, metricsAddress: undefined },
    dnsLameduckMs: undefined,
    dnsMaxWatchAgeMs: undefined,
    proxyHttp: { healthzAddress: undefined, metricsAddress: undefined },
    proxyConfig: undefined,
    masqueradePods: true,
    log: processLog(values['log-level'], values['log-format']),
    signal,
    ...own,
  };
}

/** `0.0.0.0` and `::` mean that the address is to be found out. */
export function ownIpFlag(flag: string, text: string | undefined): string | undefined {
  const ip = ipFlag(flag, text);
  return ip === undefined || ip === '' || ip === '0.0.0.0' || ip === '::' ? undefined : ip;
}
