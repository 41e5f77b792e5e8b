/**
 * Pods that speak as much SCTP as it takes to see who is reached: an INIT is answered by an INIT ACK. By raw sockets, since few kernels have SCTP and
 * Node.js has none; the kernel's connection tracking and NAT cannot tell the difference.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { refusalOf } from '../../../src/linux/first-packet/first-packet.ts';
import { RawSocket } from '../../../src/linux/first-packet/raw-socket.ts';
import { answerOf, firstSegment, sctpCookie, sctpInitAck } from '../../../src/linux/first-packet/segment.ts';
import { IPPROTO } from '../../../src/linux/netlink/tracked-flow.ts';
import type { ProbeResult } from '../probe.ts';

const pauseMs = 2;
let lastPort = 20_000;

interface Host {
  readonly namespace: string;
  readonly ip: string;
  readonly socket: RawSocket;
}

export class SctpHosts {
  readonly #hosts: Host[] = [];

  add(namespace: string, ip: string): void {
    this.#hosts.push({ namespace, ip, socket: new RawSocket(namespace, IPPROTO.sctp, ip) });
  }

  /** Answers every INIT that has come, with who answers and whom as its cookie. */
  #answer(): void {
    for (const { namespace, ip, socket } of this.#hosts)
      for (let came = socket.receive(); typeof came !== 'string'; came = socket.receive()) {
        const { segment, from } = came;
        const answer = sctpInitAck(segment, `${ip}:${segment.readUInt16BE(2)} ${from}`);
        if (!answer) continue;
        using back = new RawSocket(namespace, IPPROTO.sctp, ip, from);
        back.send(answer);
      }
  }

  /** Sends an INIT from an address of a namespace, and reads what comes back. */
  async probe(namespace: string, from: string, to: string, port: number, timeoutMs: number): Promise<ProbeResult> {
    const ends = { from, sourcePort: ++lastPort, to, port };
    using socket = new RawSocket(namespace, IPPROTO.sctp, from, to);
    socket.send(firstSegment('sctp', ends, lastPort));
    for (const end = Date.now() + timeoutMs; Date.now() < end; await sleep(pauseMs)) {
      this.#answer();
      const came = socket.receive();
      if (typeof came === 'string') {
        if (refusalOf(came)) return { kind: 'refused' };
      } else if (answerOf('sctp', ends, came.segment) === 'answered') {
        const [by = '', client = ''] = sctpCookie(came.segment).split(' ');
        return { kind: 'answered', by, client };
      }
    }
    return { kind: 'silent' };
  }

  close(): void {
    for (const { socket } of this.#hosts.splice(0)) socket[Symbol.dispose]();
  }
}
