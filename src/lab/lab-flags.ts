/** The flags of `lab up`. */
import { type OptionSpec, type TextFlag, textFlag } from '../cli/command.ts';
import { agentParts, defaultLabOptions, serverParts, storeNames } from './lab-options.ts';

type Switch = 'attach' | 'bare' | 'client' | 'relay';
type Text =
  | 'workers'
  | 'control-planes'
  | 'store'
  | 'relay-allow'
  | 'underlay'
  | 'pod-cidr'
  | 'service-cidr'
  | 'upstream-dns'
  | 'egress'
  | 'without'
  | 'proxy-mode'
  | 'server-command';

/** What somebody has given of them. */
export type LabFlagValues = { readonly [K in Switch]?: boolean | undefined } & { readonly [K in Text]?: string | undefined };

export type LabFlags = { readonly [K in Switch]: OptionSpec & { readonly type: 'boolean' } } & {
  readonly [K in Text]: TextFlag;
};

const preset = defaultLabOptions;

/** The flags of `lab up`. None has a default for the parser: what is not given stays as the lab has it, or as `defaultLabOptions` says. */
export const labFlags: LabFlags = {
  workers: textFlag('N', `How many workers, besides the control plane (${preset.workers})`),
  'control-planes': textFlag(
    'N',
    `How many machines run the control plane, each with a member of the store: 1, 3, 5 or 7 (${preset.controlPlanes})`,
  ),
  store: {
    type: 'string',
    choices: [...storeNames],
    help: 'What keeps the objects: sqlite (for one control plane), etcd (for several), or redis with sentinels',
  },
  underlay: textFlag(
    'CIDR[,CIDR]',
    `The network between nodes (${preset.underlay}, or the next that is free, in the families of the pods)`,
  ),
  'pod-cidr': textFlag('CIDR[,CIDR]', `The range of pods, or one of each family (${preset.podCidr}, or the next that is free)`),
  'service-cidr': textFlag('CIDR[,CIDR]', `The range of Services, or one of each family (${preset.serviceCidr}, or the next that is free)`),
  attach: { type: 'boolean', help: 'Give this machine a link and routes into the lab (yes; --no-attach)' },
  client: { type: 'boolean', help: 'Make a network namespace wired as an attached machine would be (no)' },
  bare: {
    type: 'boolean',
    help: 'Start nodes with a container runtime and nothing else, to run "fairlead init" and "fairlead join" on (no)',
  },
  egress: { type: 'string', choices: ['none', 'nat'], help: 'Whether pods reach the world through this machine (none)' },
  relay: { type: 'boolean', help: "Let nodes use this machine's resolvers and pull images through it (yes; --no-relay)" },
  'relay-allow': textFlag(
    'CIDR|HOST,…',
    'Registries (port 443) in private ranges, or by name, that nodes may pull from; this machine and the lab stay closed',
  ),
  'upstream-dns': textFlag('IP', "A resolver for outside names in place of this machine's"),
  without: textFlag(
    '[NODE/]PART,…',
    `Parts that you bring yourself: ${[...serverParts, ...agentParts].join(', ')}; on one node: worker-1/proxy`,
  ),
  'proxy-mode': {
    type: 'string',
    choices: ['nftables', 'iptables', 'ipvs', 'userspace'],
    help: 'How Services become rules on the nodes (nftables)',
  },
  'server-command': textFlag(
    'COMMAND',
    'What runs on the control plane in place of "fairlead server": another API server, with its keys in /etc/kubernetes/pki',
  ),
};
