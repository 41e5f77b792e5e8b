import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';

/** One question to a DNS server, from a port of its own or by `fd`, a bound socket of another namespace. Throws when nothing answers in time. */
export function askOverUdp(question: Uint8Array, server: string, timeoutMs: number, fd?: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(isIPv6(server.split('%')[0] ?? '') ? 'udp6' : 'udp4');
    const timer = setTimeout(() => finish(new Error(`${server} does not answer within ${timeoutMs} ms`)), timeoutMs);
    const finish = (result: Error | Buffer): void => {
      clearTimeout(timer);
      socket.close();
      if (result instanceof Error) reject(result);
      else resolve(result);
    };
    socket.on('error', finish);
    if (fd !== undefined) socket.bind({ fd });
    // A connected socket takes answers from the server only, and hears of a closed port at once.
    socket.connect(53, server, () => {
      socket.on('message', (bytes) => {
        if (bytes[0] === question[0] && bytes[1] === question[1]) finish(bytes);
      });
      socket.send(question);
    });
  });
}
