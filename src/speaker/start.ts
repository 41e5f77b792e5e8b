/** Puts a speaker together: informers, the kernel, a socket for the others, and the key that all speakers have. */
import { createSocket, type Socket } from 'node:dgram';
import { nodes, secrets } from '../api/resource-types.ts';
import type { Secret } from '../api/schema/types.ts';
import { speakerSecret } from '../api/well-known.ts';
import type { Client } from '../client/client.ts';
import { EventRecorder } from '../client/event-recorder.ts';
import type { InformerSet } from '../client/informers.ts';
import { aborted } from '../clock/aborted.ts';
import type { Clock } from '../clock/clock.ts';
import { KnownError } from '../errors/known-error.ts';
import { familyOf } from '../ip/ip.ts';
import { MulticastGroups } from '../linux/multicast-groups.ts';
import { RTNLGRP, Rtnetlink } from '../linux/netlink/rtnetlink.ts';
import { PacketSocket } from '../linux/packet-socket.ts';
import { ensureSysctl } from '../linux/sysctl.ts';
import type { Log } from '../observability/log.ts';
import { Announcer, type Wire } from './announcer.ts';
import { readLinks } from './links.ts';
import { RollCall } from './roll-call.ts';
import { internalIps, Speaker } from './speaker.ts';

export interface StartOptions {
  readonly nodeName: string;
  /** UDP port at which speakers hear each other. */
  readonly port: number;
  readonly interfaces: readonly string[];
  readonly client: Client;
  readonly informers: InformerSet;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

class KernelWire implements Wire, Disposable {
  #groups: MulticastGroups | undefined;

  open(...[index, kind, onFrame]: Parameters<Wire['open']>): PacketSocket {
    return new PacketSocket(index, kind, onFrame);
  }

  join(group: string, index: number): void {
    this.#groups ??= new MulticastGroups();
    this.#groups.join(group, index);
  }

  leave(group: string, index: number): void {
    this.#groups?.leave(group, index);
  }

  [Symbol.dispose](): void {
    this.#groups?.[Symbol.dispose]();
  }
}

/** Throws PORT_TAKEN. */
export async function startSpeaker(options: StartOptions): Promise<{ readonly stopped: Promise<void> }> {
  const { nodeName, informers, client, clock, log, signal, interfaces, port } = options;
  const wire = new KernelWire();
  const netlink = new Rtnetlink();
  const notices = new Rtnetlink();
  const speaker = new Speaker({
    nodeName,
    informers,
    announcer: new Announcer(wire, { clock, log }),
    recorder: new EventRecorder({ client, component: 'fairlead-speaker', host: nodeName, clock, log }),
    interfaces,
    readLinks: () => readLinks(netlink),
    quieten: (links) => quieten(links, log),
    clock,
    log,
  });
  const others = new Others(informers, nodeName, port);
  const rollCall = new RollCall({
    nodeName,
    send: (datagram) => others.send(datagram),
    expected: () => speaker.expected(),
    onChange: () => speaker.poke(),
    clock,
  });
  await others.listen((datagram) => rollCall.hear(datagram));
  const setKey = ({ data }: Secret): void => rollCall.setKey(data?.key === undefined ? undefined : Buffer.from(data.key, 'base64'));
  informers.of(secrets, { namespace: 'kube-system', fieldSelector: `metadata.name=${speakerSecret}` }).on({ add: setKey, update: setKey });
  notices.subscribe([RTNLGRP.link, RTNLGRP.address4, RTNLGRP.address6], () => speaker.poke());
  notices.unref();
  void speaker.start(rollCall);
  const stopped = aborted(signal).then(async () => {
    await speaker.end();
    await others.close();
    for (const socket of [netlink, notices]) socket.close();
    wire[Symbol.dispose]();
  });
  return { stopped };
}

/** The speakers of the other nodes, at their InternalIPs. */
class Others {
  readonly #nodes;
  readonly #nodeName: string;
  readonly #port: number;
  readonly #sending = new Set<Promise<void>>();
  readonly #sockets: { readonly family: 4 | 6; readonly socket: Socket }[] = [];

  constructor(informers: InformerSet, nodeName: string, port: number) {
    this.#nodes = informers.of(nodes);
    this.#nodeName = nodeName;
    this.#port = port;
  }

  /** In both families, as far as the kernel has them. Throws PORT_TAKEN. */
  async listen(onDatagram: (datagram: Buffer) => void): Promise<void> {
    for (const family of [4, 6] as const) {
      const socket = createSocket({ type: `udp${family}`, ipv6Only: family === 6 });
      socket.on('message', onDatagram);
      try {
        await bound(socket, this.#port);
      } catch (err) {
        socket.close();
        if (family === 6) continue;
        throw new KnownError('PORT_TAKEN', `Cannot listen for other speakers on UDP port ${this.#port}`, {
          hint: `See who holds it: ss -lunp "sport = :${this.#port}"; another port, the same on all nodes, is --speaker-port`,
          cause: err,
        });
      }
      // What cannot be sent is lost, as datagrams are.
      socket.on('error', () => {});
      this.#sockets.push({ family, socket });
    }
  }

  /** To one address of each node. */
  send(datagram: Buffer): void {
    for (const node of this.#nodes.list()) {
      if (node.metadata.name === this.#nodeName) continue;
      const [ip] = internalIps(node);
      const found = ip === undefined ? undefined : this.#sockets.find(({ family }) => family === familyOf(ip));
      if (!found) continue;
      const sent: Promise<void> = new Promise<void>((resolve) => found.socket.send(datagram, this.#port, ip, () => resolve())).finally(() =>
        this.#sending.delete(sent),
      );
      this.#sending.add(sent);
    }
  }

  /** When all is sent: the last words are that others should take over. */
  async close(): Promise<void> {
    await Promise.all(this.#sending);
    for (const { socket } of this.#sockets) socket.close();
  }
}

function bound(socket: Socket, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(port, () => {
      socket.off('error', reject);
      resolve();
    });
  });
}

/** MetalLB asks for kube-proxy's strictARP. Here it is one link, and only when a proxy has given the node addresses of load balancers. */
function quieten(links: readonly string[], log: Log): void {
  for (const link of links) {
    const changed = [
      ensureSysctl(`net/ipv4/conf/${link}/arp_ignore`, '1'),
      // The node's own questions must not name such an address either.
      ensureSysctl(`net/ipv4/conf/${link}/arp_announce`, '2'),
    ];
    if (changed.includes(true))
      log.info(
        `Set arp_ignore=1 and arp_announce=2 on "${link}": this node has addresses of load balancers that one node alone is to answer for`,
      );
  }
}
