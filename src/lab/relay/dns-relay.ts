/** Hands DNS messages on to the host's resolvers, unread: only the answer's way back is kept. */
import { createSocket, type Socket } from 'node:dgram';
import { connect, createServer, type Server, type Socket as TcpSocket } from 'node:net';
import type { Family } from '../../ip/ip.ts';
import type { Log } from '../../observability/log.ts';
import { askOverUdp } from '../ask-over-udp.ts';

const answerWithinMs = 3000;
/** More questions in flight than this means a loop or an attack; the resolver behind would suffer next. */
const maxInFlight = 1000;

/** SERVFAIL to a question (RFC 1035 §4.1.1): the same header with QR and RCODE 2, and the question section as it was. */
export function serverFailure(question: Uint8Array): Uint8Array {
  const answer = Uint8Array.from(question);
  answer[2] = (answer[2] ?? 0) | 0x80;
  answer[3] = ((answer[3] ?? 0) & 0xf0) | 2;
  return answer;
}

async function relayQuestion(question: Uint8Array, resolvers: () => readonly string[], log: Log): Promise<Uint8Array> {
  for (const server of resolvers())
    try {
      return await askOverUdp(question, server, answerWithinMs);
    } catch (err) {
      log.debug('A resolver of the host did not answer', { server, err });
    }
  return serverFailure(question);
}

/** `fd` is a socket of this family. */
export function serveDnsUdp(fd: number, family: Family, resolvers: () => readonly string[], log: Log): Socket {
  const socket = createSocket(`udp${family}`);
  let inFlight = 0;
  socket.on('message', (question, from) => {
    if (question.length < 12 || inFlight >= maxInFlight) return;
    inFlight++;
    void relayQuestion(question, resolvers, log)
      .then((answer) => socket.send(answer, from.port, from.address))
      .finally(() => inFlight--);
  });
  socket.on('error', (err) => log.error('The DNS relay stopped', { err }));
  socket.bind({ fd });
  return socket;
}

export function serveDnsTcp(fd: number, resolvers: () => readonly string[], log: Log): Server {
  const server = createServer((client) => {
    client.on('error', () => client.destroy());
    const [first] = resolvers();
    if (first === undefined) client.destroy();
    else pipeBoth(client, connect({ host: first, port: 53 }), log);
  });
  server.on('error', (err) => log.error('The DNS relay (TCP) stopped', { err }));
  server.listen({ fd });
  return server;
}

/** Joins two connections until either ends. */
export function pipeBoth(a: TcpSocket, b: TcpSocket, log: Log): void {
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    from.on('error', (err) => {
      log.debug('A relayed connection broke', { err });
      to.destroy();
    });
    from.on('close', () => to.destroy());
    from.pipe(to);
  }
}
