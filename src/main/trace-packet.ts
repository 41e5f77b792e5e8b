/** What `fairlead trace` runs: a packet from its words, and its way through what the kernel of this network namespace holds. */
import type { Service } from '../api/schema/types.ts';
import type { Invocation } from '../cli/command.ts';
import { KnownError } from '../errors/known-error.ts';
import { cidrContains, familyOf, parseCidr, parseIp } from '../ip/ip.ts';
import { Rtnetlink } from '../linux/netlink/rtnetlink.ts';
import { listObjects } from '../proxy/inspect/cluster-objects.ts';
import { distinctSteps, traceText } from '../proxy/inspect/trace-text.ts';
import type { FirstPacket, TraceStep } from '../proxy/mode/view.ts';
import { FlagReader } from './flag-reader.ts';
import { requireRootToRead, viewedConfiguration, viewingClient, viewOf } from './proxy-view.ts';
import { isServiceName, namedService } from './service-name.ts';

type Asked = Pick<Invocation, 'values' | 'positionals' | 'signal'>;

const protocols = ['tcp', 'udp', 'sctp'] as const;

interface Target {
  readonly ip: string;
  readonly port: number;
}

function usage(why: string, hint = 'fairlead trace 10.244.1.5 10.96.0.10:53 --udp'): KnownError {
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

async function targetOf(asked: Asked, read: FlagReader, text: string, family: 4 | 6 | undefined): Promise<Target> {
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
  const client = await viewingClient(read, await viewedConfiguration(read, true));
  try {
    const { services } = await listObjects(client, asked.signal);
    const { key, service } = namedService(name, read.text('namespace'), services);
    return frontendOf(key, service, port, family);
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

interface Links {
  /** Of all links, loopback included. */
  readonly ips: readonly string[];
  /** By which link packets to an address leave, and so its own come in. */
  linkTo(ip: string): string | undefined;
}

async function readLinks(): Promise<Links> {
  using socket = new Rtnetlink();
  const [links, addresses, routes] = [await socket.links(), await socket.addresses(), await socket.routes()];
  const names = new Map(links.map(({ index, name }) => [index, name]));
  const ways = [
    ...addresses.map(({ ip, prefix, index }) => ({ range: parseCidr(`${ip}/${prefix}`), index })),
    ...routes.map(({ dst, index }) => ({ range: parseCidr(dst), index })),
  ];
  return {
    ips: addresses.map(({ ip }) => ip),
    linkTo(ip) {
      const leading = ways.filter(({ range }) => range && range.family === familyOf(ip) && cidrContains(range, ip));
      const [best] = leading.sort((a, b) => (b.range?.prefix ?? 0) - (a.range?.prefix ?? 0));
      return best && names.get(best.index);
    },
  };
}

/** What the node has of a family, but for loopback and link-local addresses. */
function nodeAddress({ ips }: Links, family: 4 | 6): string {
  const own = ips.find((ip) => familyOf(ip) === family && !/^(?:127\.|::1$|169\.254\.|fe80:)/.test(ip));
  return own ?? (family === 4 ? '127.0.0.1' : '::1');
}

async function packetOf(asked: Asked, read: FlagReader, links: Links): Promise<FirstPacket> {
  const [source = '', target = '', ...more] = asked.positionals;
  if (source === '' || target === '' || more.length > 0) throw usage('it takes where from and where to');
  const isNode = source === 'node';
  const given = isNode ? undefined : parseIp(source);
  if (!isNode && given === undefined) throw usage(`"${source}" is no address`, 'Give an address, or "node" for what this node sends');
  const chosen = protocols.filter((one) => read.isSet(one));
  if (chosen.length > 1) throw usage(`it cannot be of ${chosen.join(' and ')} at once`);
  const { ip, port } = await targetOf(asked, read, target, given === undefined ? undefined : familyOf(given));
  const from = given ?? nodeAddress(links, familyOf(ip));
  if (familyOf(from) !== familyOf(ip)) throw usage(`${from} and ${ip} are of different families`);
  const isOwn = links.ips.includes(from);
  const via = read.optional('interface') ?? (isOwn ? undefined : (links.linkTo(from) ?? 'eth0'));
  const packet = { from, sourcePort: read.port('source-port'), to: ip, port, protocol: chosen[0] ?? 'tcp' };
  return { ...packet, ...(via === undefined ? {} : { interface: via }) };
}

export async function tracePacket(asked: Asked): Promise<number> {
  const read = new FlagReader(asked.values);
  requireRootToRead('trace FROM TO:PORT');
  const { mode } = await viewedConfiguration(read, true);
  const view = await viewOf(mode);
  const links = await readLinks();
  const packet = await packetOf(asked, read, links);
  const held = await view.read(familyOf(packet.to) === 4 ? 'ip' : 'ip6');
  if (!held)
    throw new KnownError('BAD_CONFIG', `Cannot follow a packet: the kernel holds no rules of mode ${mode} for IPv${familyOf(packet.to)}`, {
      hint: 'Is the proxy running here? Another mode is chosen by --mode',
    });
  const steps: TraceStep[] = [];
  const fate = held.tracer(links.ips)(packet, (step) => steps.push(step));
  for (const rule of held.unread) process.stderr.write(`note: passed over what cannot be followed: ${rule}\n`);
  if (asked.values.output === 'json')
    process.stdout.write(`${JSON.stringify({ mode, packet, steps: distinctSteps(steps), fate, passedOver: held.unread }, undefined, 2)}\n`);
  else process.stdout.write(traceText(packet, steps, fate));
  return 0;
}
