/** What the runtime asks: environment and network configuration, checked as the spec wants it (CNI 1.1.0, sections 2 and 3). Pure. */
import { parseIp } from '../../ip/ip.ts';
import { CniError } from './cni-error.ts';
import { type CniResult, parseResult } from './result.ts';

/** Oldest first. */
export const supportedVersions = ['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const;

export const commands = ['ADD', 'DEL', 'CHECK', 'STATUS', 'GC', 'VERSION'] as const;
export type Command = (typeof commands)[number];

const protocols = ['tcp', 'udp', 'sctp'] as const;

export interface HostPort {
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: (typeof protocols)[number];
  /** Only this address of the node; '' is all of them. `::` is all of IPv6. */
  readonly hostIp: string;
}

/** The network configuration on standard input, as far as it is used. */
export interface NetworkConfig {
  readonly cniVersion: string;
  readonly name: string;
  readonly prevResult: CniResult | undefined;
  readonly hostPorts: readonly HostPort[];
  readonly validAttachments: readonly { readonly containerId: string; readonly ifName: string }[] | undefined;
}

export interface CniRequest {
  readonly command: Command;
  readonly containerId: string;
  readonly ifName: string;
  /** '' when the runtime gave none (DEL of a container whose namespace is gone). */
  readonly netns: string;
  /** The pod that it is for, from CNI_ARGS. */
  readonly pod: { readonly namespace: string; readonly name: string; readonly uid: string };
  readonly config: NetworkConfig;
}

/** The cniVersion of a configuration that may be broken, so that its error carries the right one. */
export function versionOf(stdin: string): string {
  try {
    const config: unknown = JSON.parse(stdin);
    if (typeof config === 'object' && config !== null && 'cniVersion' in config && typeof config.cniVersion === 'string') {
      return config.cniVersion;
    }
  } catch {
    // Said by whoever needs the rest of it.
  }
  return '1.0.0';
}

/** Throws CniError. */
export function parseRequest(env: Readonly<Record<string, string>>, stdin: string): CniRequest {
  const command = commands.find((c) => c === env.CNI_COMMAND);
  if (!command)
    throw new CniError('badEnvironment', `Cannot run CNI_COMMAND "${env.CNI_COMMAND ?? ''}": not one of ${commands.join(', ')}`);
  const config = parseConfig(stdin);
  const onContainer = command === 'ADD' || command === 'DEL' || command === 'CHECK';
  const containerId = env.CNI_CONTAINERID ?? '';
  const ifName = env.CNI_IFNAME ?? '';
  const netns = env.CNI_NETNS ?? '';
  if (onContainer) {
    if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(containerId)) {
      throw new CniError('badEnvironment', `Cannot use CNI_CONTAINERID "${containerId}": letters, digits, "_", "." and "-" make one`);
    }
    if (!isLinkName(ifName)) {
      throw new CniError(
        'badEnvironment',
        `Cannot use CNI_IFNAME "${ifName}": a link name has 1 to 15 characters without "/", ":" or space`,
      );
    }
    if (netns === '' && command !== 'DEL') throw new CniError('badEnvironment', `Cannot run ${command}: CNI_NETNS is not set`);
  }
  return { command, containerId, ifName, netns, pod: podOf(env.CNI_ARGS ?? ''), config };
}

function isLinkName(name: string): boolean {
  return name.length > 0 && name.length <= 15 && name !== '.' && name !== '..' && !/[/:\s]/.test(name);
}

function podOf(args: string): CniRequest['pod'] {
  const pairs = new Map(args.split(';').map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));
  return {
    namespace: pairs.get('K8S_POD_NAMESPACE') ?? '',
    name: pairs.get('K8S_POD_NAME') ?? '',
    uid: pairs.get('K8S_POD_UID') ?? '',
  };
}

type Json = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseConfig(stdin: string): NetworkConfig {
  let config: unknown;
  try {
    config = JSON.parse(stdin);
  } catch (err) {
    throw new CniError('decode', 'Cannot read the network configuration on standard input: not JSON', String(err));
  }
  if (!isObject(config)) throw new CniError('decode', 'Cannot read the network configuration on standard input: not an object');
  const { cniVersion = '0.1.0', name, prevResult, runtimeConfig } = config;
  if (!supportedVersions.some((v) => v === cniVersion)) {
    throw new CniError(
      'incompatibleVersion',
      `Cannot use cniVersion "${String(cniVersion)}": this plugin speaks ${supportedVersions.join(', ')}`,
    );
  }
  if (typeof name !== 'string' || !/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name)) {
    throw new CniError('badConfig', `Cannot use network name "${String(name ?? '')}": letters, digits, "_", "." and "-" make one`);
  }
  return {
    cniVersion: String(cniVersion),
    name,
    prevResult: isObject(prevResult) ? parseResult(prevResult) : undefined,
    hostPorts: isObject(runtimeConfig) ? hostPortsOf(runtimeConfig.portMappings) : [],
    validAttachments: attachmentsOf(config['cni.dev/valid-attachments']),
  };
}

/** A list that is null has nothing in it: so Go writes one that is empty. Undefined when there is no list. */
function attachmentsOf(list: unknown): NetworkConfig['validAttachments'] {
  if (list === null) return [];
  if (!Array.isArray(list)) return undefined;
  return list.filter(isObject).map((v) => ({ containerId: String(v.containerID ?? ''), ifName: String(v.ifname ?? '') }));
}

function hostPortsOf(value: unknown): HostPort[] {
  if (!Array.isArray(value)) return [];
  const ports: HostPort[] = [];
  for (const raw of value.filter(isObject)) {
    // containerd writes `HostPort`, others `hostPort`: Go reads names without regard to case, so all do.
    const entry = new Map(Object.entries(raw).map(([name, v]) => [name.toLowerCase(), v]));
    const hostPort = Number(entry.get('hostport') ?? 0);
    if (hostPort === 0) continue;
    const containerPort = Number(entry.get('containerport') ?? 0);
    const protocol = protocols.find((known) => known === String(entry.get('protocol') ?? 'tcp').toLowerCase());
    const given = String(entry.get('hostip') ?? '');
    const hostIp = given === '' || given === '0.0.0.0' ? '' : parseIp(given);
    if (!isPort(hostPort) || !isPort(containerPort) || protocol === undefined || hostIp === undefined) {
      throw new CniError('badConfig', `Cannot map port ${JSON.stringify(raw)}: not a pair of ports with tcp, udp or sctp`);
    }
    ports.push({ hostPort, containerPort, protocol, hostIp });
  }
  return ports;
}

function isPort(n: number): boolean {
  return Number.isInteger(n) && n > 0 && n < 65536;
}
