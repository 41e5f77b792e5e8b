/** What the words of `fairlead trace` stand for: where from, and where to. */
import { nodes, pods } from '../api/resource-types.ts';
import type { Service } from '../api/schema/types.ts';
import type { Invocation } from '../cli/command.ts';
import { isForbidden, isNotFound } from '../client/api-error.ts';
import type { Client } from '../client/client.ts';
import { KnownError } from '../errors/known-error.ts';
import { familyOf, parseIp } from '../ip/ip.ts';
import type { RawProtocol } from '../linux/first-packet/segment.ts';
import { listObjects } from '../proxy/inspect/cluster-objects.ts';
import type { FlagReader } from './flag-reader.ts';
import { viewedConfiguration, viewingClient } from './proxy-view.ts';
import { isServiceName, namedService } from './service-name.ts';

export type Asked = Pick<Invocation, 'values' | 'positionals' | 'signal'>;

const protocols = ['tcp', 'udp', 'sctp'] as const satisfies readonly RawProtocol[];

interface Target {
  readonly ip: string;
  readonly port: number;
}

export function usage(why: string, hint = 'fairlead trace 10.244.1.5 10.96.0.10:53 --udp'): KnownError {
  return new KnownError('USAGE', `Cannot follow a packet: ${why}`, { hint });
}

/** `10.96.0.1:80`, `[fd00::1]:80`, `svc/web:http`. */
export function splitTarget(text: string): { readonly host: string; readonly port: string } {
  const bracket = /^\[(.+)\](?::(\w[\w-]*))?$/.exec(text);
  if (bracket) return { host: bracket[1] ?? '', port: bracket[2] ?? '' };
  const colon = text.indexOf(':');
  if (colon < 0 || colon !== text.lastIndexOf(':')) return { host: text, port: '' };
  return { host: text.slice(0, colon), port: text.slice(colon + 1) };
}

export async function targetOf(asked: Asked, read: FlagReader, text: string, family: 4 | 6 | undefined): Promise<Target> {
  const { host, port } = splitTarget(text);
  if (isServiceName(host)) return await serviceTarget(asked, read, host, port, family);
  const ip = parseIp(host);
  if (ip === undefined) throw usage(`"${host}" is no address`, 'Name a Service as svc/NAME');
  const number = Number(port);
  if (!Number.isInteger(number) || number < 1 || number > 65_535)
    throw usage(`"${text}" has no port`, `${ip.includes(':') ? `[${ip}]` : ip}:80`);
  return { ip, port: number };
}

async function serviceTarget(asked: Asked, read: FlagReader, name: string, port: string, family: 4 | 6 | undefined): Promise<Target> {
  const { services } = await fromCluster(read, (client) => listObjects(client, asked.signal));
  const { key, service } = namedService(name, read.text('namespace'), services);
  return frontendOf(key, service, port, family);
}

async function fromCluster<T>(read: FlagReader, ask: (client: Client) => Promise<T>): Promise<T> {
  const client = await viewingClient(read, await viewedConfiguration(read, true));
  try {
    return await ask(client);
  } finally {
    client.close();
  }
}

/** The cluster IP of the client's family, and the port: by number, by name, or the only one. Throws USAGE. */
export function frontendOf(key: string, { spec }: Service, port: string, family: 4 | 6 | undefined): Target {
  const { clusterIP = '', clusterIPs = [clusterIP], ports = [] } = spec ?? {};
  const ip = clusterIPs.find((one) => parseIp(one) !== undefined && (family === undefined || familyOf(one) === family));
  if (ip === undefined) throw usage(`Service ${key} has no cluster IP${family === undefined ? '' : ` of IPv${family}`}`);
  const named = ports.find((one) => one.name === port || String(one.port) === port);
  const found = port === '' && ports.length === 1 ? ports[0] : named;
  if (found) return { ip, port: found.port };
  // A port that it does not have is worth following, too.
  if (/^\d+$/.test(port)) return { ip, port: Number(port) };
  const names = ports.map(({ name, port: number }) => name || number).join(', ');
  throw usage(`Service ${key} ${port === '' ? 'has not one port alone' : `has no port "${port}"`}`, `Its ports are ${names || 'none'}`);
}

/** Where a packet comes from. */
export interface Source {
  /** None of what this node sends itself. */
  readonly ips: readonly string[];
  /** What is known of where it is, to complete a sentence. */
  readonly where?: string;
}

/** `node`, an address, `pod/NAME`, `node/NAME`. Throws USAGE. */
export async function sourceOf(asked: Asked, read: FlagReader, text: string): Promise<Source> {
  if (text === 'node') return { ips: [] };
  const ip = parseIp(text);
  if (ip !== undefined) return { ips: [ip] };
  const [kind, name = ''] = text.split('/');
  if (name === '' || !(kind === 'pod' || kind === 'node'))
    throw usage(`"${text}" is no address`, 'Give an address, pod/NAME, node/NAME, or "node" for what this node sends');
  const found = await named(read, text, (client) =>
    kind === 'pod' ? podSource(client, name, read.text('namespace'), asked.signal) : nodeSource(client, name, asked.signal),
  );
  if (found.ips.length === 0) throw usage(`${text} has no address yet`);
  return found;
}

async function named(read: FlagReader, text: string, ask: (client: Client) => Promise<Source>): Promise<Source> {
  try {
    return await fromCluster(read, ask);
  } catch (err) {
    if (isNotFound(err)) throw usage(`there is no ${text}`, 'Another namespace is given by -n');
    if (isForbidden(err))
      throw usage(`${text} may not be read`, 'Give its address, or the kubeconfig of one who may read it: --kubeconfig FILE');
    throw err;
  }
}

async function podSource(client: Client, name: string, namespace: string, signal: AbortSignal): Promise<Source> {
  const { spec, status } = await client.get(pods, name, { namespace, signal });
  const where = `and pod ${namespace}/${name} runs on node ${spec?.nodeName ?? '(none)'}`;
  return { ips: (status?.podIPs ?? []).flatMap(({ ip = '' }) => parseIp(ip) ?? []), where };
}

async function nodeSource(client: Client, name: string, signal: AbortSignal): Promise<Source> {
  const { status } = await client.get(nodes, name, { signal });
  const ips = (status?.addresses ?? []).flatMap(({ type, address }) => (type === 'InternalIP' ? (parseIp(address) ?? []) : []));
  return { ips, where: `which is node ${name}` };
}

/** The only protocol that was chosen. Throws USAGE. */
export function protocolOf(read: FlagReader): RawProtocol {
  const chosen = protocols.filter((one) => read.isSet(one));
  if (chosen.length > 1) throw usage(`it cannot be of ${chosen.join(' and ')} at once`);
  return chosen[0] ?? 'tcp';
}

/** The family that both have: that of an address to go to, else of the first address to come from. Undefined where a Service's is to decide. */
export function sharedFamily({ ips }: Source, target: string): 4 | 6 | undefined {
  const to = parseIp(splitTarget(target).host);
  if (to !== undefined) return familyOf(to);
  return ips[0] === undefined ? undefined : familyOf(ips[0]);
}
