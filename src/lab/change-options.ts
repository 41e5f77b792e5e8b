/** What the flags of `lab up` change of a lab. Pure. */
import { KnownError } from '../errors/known-error.ts';
import { isIp } from '../ip/ip.ts';
import type { LabFlagValues } from './lab-flags.ts';
import { defaultLabOptions, type LabOptions, storeNames } from './lab-options.ts';
import { type Ranges, usualRanges } from './ranges.ts';
import { parseAllowed } from './relay/destination.ts';

/** The ranges that somebody asked for. */
export function givenRanges(values: LabFlagValues): Partial<Ranges> {
  const { underlay, 'pod-cidr': podCidr, 'service-cidr': serviceCidr } = values;
  return Object.fromEntries(Object.entries({ underlay, podCidr, serviceCidr }).filter(([, value]) => value !== undefined));
}

function numberOf(flag: string, value: string | undefined, example: string): number | undefined {
  if (value === undefined || /^\d+$/.test(value)) return value === undefined ? undefined : Number(value);
  throw new KnownError('USAGE', `Cannot use --${flag}="${value}": it is no number`, { hint: `fairlead lab up --${flag} ${example}` });
}

/** `base` with whatever was given on the command line or in the environment. */
export function changeOptions(base: LabOptions, values: LabFlagValues): LabOptions {
  const { egress } = values;
  const ranges = givenRanges(values);
  const isPreset = (['underlay', 'podCidr', 'serviceCidr'] as const).every((key) => base[key] === defaultLabOptions[key]);
  const given = {
    // Who names one range of IPv6 has a lab of IPv6.
    ...(isPreset && Object.keys(ranges).length > 0 ? usualRanges(ranges) : ranges),
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
function refuse({ upstreamDns, relayAllow, egress, attach, serverCommand }: LabOptions): void {
  if (upstreamDns !== undefined && !isIp(upstreamDns))
    throw new KnownError('USAGE', `Cannot use --upstream-dns="${upstreamDns}": it is no address`, {
      hint: 'fairlead lab up --upstream-dns 192.0.2.53',
    });
  const allowed = parseAllowed(relayAllow);
  if ('wrong' in allowed)
    throw new KnownError('USAGE', `Cannot use --relay-allow: "${allowed.wrong}" is neither a range nor a host's name`, {
      hint: 'fairlead lab up --relay-allow 10.20.0.0/16,registry.example',
    });
  // A node's init reads one command a line.
  if (serverCommand?.includes('\n'))
    throw new KnownError('USAGE', 'Cannot use --server-command: it has more than one line', {
      hint: 'Join them with ";", or run a script of yours',
    });
  if (egress === 'nat' && !attach)
    throw new KnownError('USAGE', 'Cannot use --egress=nat with --no-attach: the way out goes through this machine', {
      hint: 'Leave one of them out',
    });
}
