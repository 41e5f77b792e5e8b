/** What `fairlead trace` runs: a packet from its words, and its way through what the kernel of this network namespace holds. */
import { KnownError } from '../errors/known-error.ts';
import { cidrContains, familyOf, parseCidr } from '../ip/ip.ts';
import { Rtnetlink } from '../linux/netlink/rtnetlink.ts';
import { compareLive } from '../proxy/inspect/live.ts';
import { liveText } from '../proxy/inspect/live-text.ts';
import { distinctSteps, traceText } from '../proxy/inspect/trace-text.ts';
import type { Fate, Held, TraceStep } from '../proxy/mode/view.ts';
import { FlagReader } from './flag-reader.ts';
import { requireRootToRead, viewedConfiguration, viewOf } from './proxy-view.ts';
import type { LivePacket } from './trace-live.ts';
import { type Asked, protocolOf, type Source, sharedFamily, sourceOf, targetOf, usage } from './trace-words.ts';

interface Links {
  /** Of all links, loopback included. */
  readonly ips: readonly string[];
  /** By which link packets to an address leave, and so its own come in. */
  linkTo(ip: string): string | undefined;
  nameOf(index: number): string | undefined;
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
    nameOf: (index) => names.get(index),
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

interface AskedPacket {
  readonly packet: LivePacket;
  readonly source: Source;
}

const anyPort = 40_000;

async function packetOf(asked: Asked, read: FlagReader, links: Links): Promise<AskedPacket> {
  const [from = '', to = '', ...more] = asked.positionals;
  if (from === '' || to === '' || more.length > 0) throw usage('it takes where from and where to');
  const protocol = protocolOf(read);
  const source = await sourceOf(asked, read, from);
  const family = sharedFamily(source, to);
  const { ip, port } = await targetOf(asked, read, to, family);
  const given = source.ips.find((one) => familyOf(one) === familyOf(ip));
  if (given === undefined && source.ips.length > 0) throw usage(`${source.ips.join(' and ')} and ${ip} are of different families`);
  const own = given ?? nodeAddress(links, familyOf(ip));
  const via = read.optional('interface') ?? (links.ips.includes(own) ? undefined : (links.linkTo(own) ?? 'eth0'));
  const sourcePort = read.optional('source-port') === undefined ? anyPort : read.port('source-port');
  return { packet: { from: own, sourcePort, to: ip, port, protocol, ...(via === undefined ? {} : { interface: via }) }, source };
}

/** What is predicted of a packet. */
interface Predicted {
  readonly steps: readonly TraceStep[];
  readonly ways: readonly (readonly TraceStep[])[];
  readonly fate: Fate;
}

function predict(held: Held, links: Links, packet: LivePacket): Predicted {
  const steps: TraceStep[] = [];
  const ways: (readonly TraceStep[])[] = [];
  const fate = held.tracer(links.ips)(
    packet,
    (step) => steps.push(step),
    (way) => ways.push(way),
  );
  for (const rule of held.unread) process.stderr.write(`note: passed over what cannot be followed: ${rule}\n`);
  return { steps: distinctSteps(steps), ways, fate };
}

const printJson = (document: object): void => void process.stdout.write(`${JSON.stringify(document, undefined, 2)}\n`);

export async function tracePacket(asked: Asked): Promise<number> {
  const read = new FlagReader(asked.values);
  requireRootToRead('trace FROM TO:PORT');
  const { mode } = await viewedConfiguration(read, true);
  const view = await viewOf(mode);
  const links = await readLinks();
  const { packet, source } = await packetOf(asked, read, links);
  const held = await view.read(familyOf(packet.to) === 4 ? 'ip' : 'ip6');
  if (!held)
    throw new KnownError('BAD_CONFIG', `Cannot follow a packet: the kernel holds no rules of mode ${mode} for IPv${familyOf(packet.to)}`, {
      hint: 'Is the proxy running here? Another mode is chosen by --mode',
    });
  if (read.isSet('live')) return await sendAndCompare(asked, read, { mode, held, links, packet, source });
  const { steps, fate } = predict(held, links, packet);
  if (asked.values.output === 'json') printJson({ mode, packet, steps, fate, passedOver: held.unread });
  else process.stdout.write(traceText(packet, steps, fate));
  return 0;
}

interface LiveTrace extends AskedPacket {
  readonly mode: string;
  readonly held: Held;
  readonly links: Links;
}

async function sendAndCompare(asked: Asked, read: FlagReader, { mode, held, links, packet: wanted, source }: LiveTrace): Promise<number> {
  const { followLive, openSender } = await import('./trace-live.ts');
  const waitMs = read.seconds('wait', 1, 60) * 1000;
  using sender = await openSender(read.optional('source-port') === undefined ? { ...wanted, sourcePort: 0 } : wanted, source.where);
  const packet: LivePacket = { ...wanted, sourcePort: sender.packet.sourcePort };
  const { steps, ways, fate } = predict(held, links, packet);
  const live = await followLive(sender, held, links.nameOf, waitMs);
  const comparison = compareLive(ways, fate, packet, live);
  if (asked.values.output === 'json') printJson({ mode, packet, steps, fate, passedOver: held.unread, live, compared: comparison });
  else process.stdout.write(liveText(packet, fate, live, comparison));
  return comparison.difference === undefined ? 0 : 1;
}
