/** The flags of `lab up`, and what they change of a lab. */
import { type OptionSpec, type TextFlag, textFlag } from '../cli/command.ts';
import { KnownError } from '../errors/known-error.ts';
import { isIp } from '../ip/ip.ts';
import { defaultLabOptions, type LabOptions, storeNames } from './plan.ts';
import type { Ranges } from './ranges.ts';
import { parseAllowed } from './relay/destination.ts';

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

type Given = { readonly [K in Switch]?: boolean | undefined } & { readonly [K in Text]?: string | undefined };

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
  underlay: textFlag('CIDR', `The network between nodes (${preset.underlay}, or the next that is free)`),
  'pod-cidr': textFlag('CIDR', `The range of pods (${preset.podCidr}, or the next that is free)`),
  'service-cidr': textFlag('CIDR', `The range of Services (${preset.serviceCidr}, or the next that is free)`),
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
    'Parts that you bring yourself: controller-manager, scheduler, cloud-controller-manager, kubelet, net-agent, proxy, dns, speaker; on one node: worker-1/proxy',
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

/** The ranges that somebody asked for. */
export function givenRanges(values: Given): Partial<Ranges> {
  const { underlay, 'pod-cidr': podCidr, 'service-cidr': serviceCidr } = values;
  return Object.fromEntries(Object.entries({ underlay, podCidr, serviceCidr }).filter(([, value]) => value !== undefined));
}

function numberOf(flag: string, value: string | undefined, example: string): number | undefined {
  if (value === undefined || /^\d+$/.test(value)) return value === undefined ? undefined : Number(value);
  throw new KnownError('USAGE', `Cannot use --${flag}="${value}": it is no number`, { hint: `fairlead lab up --${flag} ${example}` });
}

/** `base` with whatever was given on the command line or in the environment. */
export function changeOptions(base: LabOptions, values: Given): LabOptions {
  const { egress } = values;
  const given = {
    ...givenRanges(values),
    workers: numberOf('workers', values.workers, '2'),
    controlPlanes: numberOf('control-planes', values['control-planes'], '3'),
    store: storeNames.find((name) => name === values.store),
    attach: values.attach,
    bare: values.bare,
    client: values.client,
    egress: egress === 'nat' || egress === 'none' ? egress : undefined,
    relay: values.relay,
    relayAllow: values['relay-allow'],
    upstreamDns: values['upstream-dns'],
    without: values.without,
    proxyMode: values['proxy-mode'],
    serverCommand: values['server-command'],
  } satisfies { readonly [K in keyof LabOptions]?: LabOptions[K] | undefined };
  const options = { ...base, ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) };
  refuse(options);
  return options;
}

/** Throws USAGE for what a lab cannot have. */
function refuse({ upstreamDns, relayAllow, egress, attach }: LabOptions): void {
  if (upstreamDns !== undefined && !isIp(upstreamDns))
    throw new KnownError('USAGE', `Cannot use --upstream-dns="${upstreamDns}": it is no address`, {
      hint: 'fairlead lab up --upstream-dns 192.0.2.53',
    });
  const allowed = parseAllowed(relayAllow);
  if ('wrong' in allowed)
    throw new KnownError('USAGE', `Cannot use --relay-allow: "${allowed.wrong}" is neither a range nor a host's name`, {
      hint: 'fairlead lab up --relay-allow 10.20.0.0/16,registry.example',
    });
  if (egress === 'nat' && !attach)
    throw new KnownError('USAGE', 'Cannot use --egress=nat with --no-attach: the way out goes through this machine', {
      hint: 'Leave one of them out',
    });
}
