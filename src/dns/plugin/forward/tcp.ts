/** Asks a resolver over TCP. */
import { connect } from 'node:net';
import type { Clock } from '../../../clock/clock.ts';
import { framed } from '../../server/tcp-connection.ts';
import type { Upstream } from './resolver.ts';

/** One question over TCP (RFC 7766), when the answer did not fit. Rejects after `timeoutMs`. */
export function askTcp(upstream: Upstream, message: Buffer, timeoutMs: number, clock: Clock): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: upstream.address, port: upstream.port });
    const chunks: Buffer[] = [];
    let length = 0;
    const end = (): void => {
      timer.cancel();
      socket.destroy();
    };
    const fail = (err: Error): void => {
      end();
      reject(err);
    };
    const timer = clock.after(timeoutMs, () => fail(new Error('no answer in time')));
    socket.on('connect', () => socket.write(framed(message)));
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      length += chunk.length;
      const all = length >= 2 ? Buffer.concat(chunks) : undefined;
      if (!all || all.length < 2 + all.readUInt16BE(0)) return;
      end();
      resolve(all.subarray(2, 2 + all.readUInt16BE(0)));
    });
    socket.on('error', fail);
    socket.on('end', () => fail(new Error('the connection ended early')));
  });
}
