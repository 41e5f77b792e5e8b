/** `fairlead trace --live`: the packet is really sent, and what the kernel tells of it is put beside what its rules say. */
import { KnownError } from '../errors/known-error.ts';
import { familyOf, joinHostPort } from '../ip/ip.ts';
import { netnsWith, ownNetns } from '../linux/find-netns.ts';
import { FirstPacketSender } from '../linux/first-packet/first-packet.ts';
import type { RawProtocol } from '../linux/first-packet/segment.ts';
import { isErrno } from '../linux/netlink/netlink-error.ts';
import { PacketTrace } from '../linux/nftables/packet-trace.ts';
import type { Journey, TraceEvent } from '../linux/nftables/trace-event.ts';
import type { Live, SeenStep } from '../proxy/inspect/live.ts';
import type { FirstPacket, Held } from '../proxy/mode/view.ts';

/** NFPROTO_*, as nft writes them. */
const familyWords: Readonly<Record<number, string>> = { 1: 'inet', 2: 'ip', 5: 'netdev', 7: 'bridge', 10: 'ip6' };
const familyNumbers = { 4: 2, 6: 10 } as const;

export interface LivePacket extends FirstPacket {
  readonly protocol: RawProtocol;
}

/** Where it is to be sent: on this node, or in a namespace of it. `elsewhere` is what is known of one that is not here. Throws USAGE. */
export async function openSender(packet: LivePacket, elsewhere: string | undefined): Promise<FirstPacketSender> {
  const netns = packet.interface === undefined ? ownNetns : await netnsWith(packet.from);
  if (netns !== undefined) return new FirstPacketSender(netns, packet);
  throw new KnownError(
    'USAGE',
    `Cannot send from ${packet.from}: nothing on this node has that address${elsewhere ? `, ${elsewhere}` : ''}`,
    {
      hint: 'Run it on the node that has it (kubectl get pods -A -o wide); in the lab: fairlead lab exec NODE -- fairlead trace FROM TO --live',
    },
  );
}

/** What the kernel tells of rules, in the words of the mode. */
class RuleNames {
  readonly #trace: PacketTrace;
  readonly #held: Held;
  readonly #family: number;
  readonly #chains = new Map<string, ReturnType<PacketTrace['rules']>>();

  constructor(trace: PacketTrace, held: Held, family: number) {
    this.#trace = trace;
    this.#held = held;
    this.#family = family;
  }

  async stepOf({ family, table, chain, kind, handle, verdict }: TraceEvent): Promise<SeenStep> {
    const place = `${familyWords[family] ?? family} ${table} ${chain}`;
    const drops = verdict.kind === 'drop';
    if (kind === 'end') return { place, rule: 'policy drop', drops, isOther: true };
    const rules = this.#chains.get(place) ?? this.#trace.rules(family, table, chain);
    this.#chains.set(place, rules);
    const rule = (await rules).get(handle);
    const own = rule && family === this.#family ? this.#held.stepOf({ table, chain, ...rule }) : undefined;
    // What a map gave shows in where it leads.
    const found =
      verdict.chain !== undefined && own && !own.rule.includes(verdict.chain) ? { found: `${verdict.kind} ${verdict.chain}` } : {};
    if (own) return { ...own, ...found, drops, isOther: false };
    return { place, rule: rule?.text ?? `handle ${handle}: nft -a list chain ${place}`, drops, isOther: true };
  }
}

function endOf({ end }: Journey, nameOf: (index: number) => string | undefined): Pick<Live, 'end'> {
  if (!end) return {};
  const by = end.oif === 0 ? undefined : (nameOf(end.oif) ?? `interface ${end.oif}`);
  return { end: { header: end.header, ...(by === undefined ? {} : { by }) } };
}

function send(sender: FirstPacketSender): void {
  try {
    sender.send();
  } catch (err) {
    if (!isErrno(err, 'ENETUNREACH', 'EHOSTUNREACH')) throw err;
    const { from, to } = sender.packet;
    throw new KnownError('KERNEL_REFUSED', `Cannot send from ${from} to ${to}: there is no route`, {
      hint: `Without one no rule is ever asked: ip route get ${to}, where the packet is sent`,
      cause: err,
    });
  }
}

/** Sends it. `sender` has the packet, but for its source port. Throws KERNEL_FEATURE_MISSING. */
export async function followLive(
  sender: FirstPacketSender,
  held: Held,
  nameOf: (index: number) => string | undefined,
  waitMs: number,
): Promise<Live> {
  const { packet } = sender;
  const family = familyOf(packet.to);
  using trace = await PacketTrace.start(family === 4 ? 'ip' : 'ip6', packet);
  send(sender);
  const answer = await sender.answer(waitMs);
  const { journey, flow, isComplete } = await trace.told();
  if (!isComplete) process.stderr.write('note: some of what the kernel told was lost: steps may be missing\n');
  const names = new RuleNames(trace, held, familyNumbers[family]);
  const steps: SeenStep[] = [];
  for (const event of journey.met) steps.push(await names.stepOf(event));
  const tracked = flow && { by: joinHostPort(flow.reply.src, flow.reply.srcPort), to: joinHostPort(flow.reply.dst, flow.reply.dstPort) };
  return {
    steps,
    answer,
    ...endOf(journey, nameOf),
    ...(tracked ? { tracked } : {}),
    ...(held.untold === undefined ? {} : { untold: held.untold }),
  };
}
