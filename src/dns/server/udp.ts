/** UDP. Under load a whole batch is taken and answered with two system calls; when little comes, or without koffi, node:dgram does it. */
import { createSocket, type Socket } from 'node:dgram';
import { messageOf } from '../../errors/known-error.ts';
import { familyOf } from '../../ip/ip.ts';
import { DatagramBatch, openUdpSocket, type Sender } from '../../linux/datagram-batch.ts';
import type { Log } from '../../observability/log.ts';
import type { Client } from '../plugin/plugin.ts';
import type { Responder } from './responder.ts';

export interface UdpOptions {
  readonly address: string;
  readonly port: number;
  readonly responder: Responder;
  /** False: node:dgram only. */
  readonly batch?: boolean;
  readonly log: Log;
}

/** Longer questions do not come by UDP. */
const batchSize = { size: 64, maxReceive: 1024, maxSend: 4096 };
/** At most this many batches before other things get their turn. */
const maxBatches = 8;

export interface UdpListener {
  /** What comes from now on is left unread; answers still go out. */
  stopReading(): void;
  close(): Promise<void>;
}

/** Listens. Rejects with the error of the system. */
export async function listenUdp(options: UdpOptions): Promise<UdpListener> {
  const { address, responder, log } = options;
  const family = familyOf(address);
  const fd = options.batch === false ? undefined : openUdpSocket(address, options.port);
  const socket = await bind(address, options.port, fd);
  const batch = fd === undefined ? undefined : new DatagramBatch(fd, batchSize);
  const later = (reply: Promise<Buffer>, port: number, to: string): void =>
    void reply.then((bytes) => (isOpen ? socket.send(bytes, port, to, ignore) : undefined));
  let isOpen = true;
  let inTick = 0;
  socket.on('close', () => {
    isOpen = false;
    // Behind whatever of this turn still reads there.
    setImmediate(() => batch?.close());
  });
  socket.on('error', (err) => log.warn(`UDP socket of the DNS server: ${messageOf(err)}`));
  socket.on('message', (message, from) => {
    const reply = responder.respond(message, 'udp', { family, address: from.address, port: from.port });
    if (reply instanceof Promise) later(reply, from.port, from.address);
    else if (reply) socket.send(reply, from.port, from.address, ignore);
    // Two in one turn of the event loop: there are likely more.
    if (!batch || !isOpen) return;
    if (inTick++ === 0) setImmediate(newTick);
    else drain(batch);
  });
  return {
    stopReading() {
      socket.removeAllListeners('message');
    },
    close: () => new Promise((done) => socket.close(() => done())),
  };

  function newTick(): void {
    inTick = 0;
  }

  function drain(from: DatagramBatch): void {
    for (let round = 0; round < maxBatches; round++) {
      const count = from.receive();
      for (let i = 0; i < count; i++) {
        const message = from.message(i);
        if (!message) continue;
        // The buffer is used again before a late answer is there.
        const client = new BatchClient(from, i, family);
        const reply = responder.respond(Buffer.from(message), 'udp', client);
        if (reply instanceof Promise) later(reply, client.port, client.address);
        else if (reply) {
          from.room().set(reply);
          from.queued(i, reply.length);
        }
      }
      from.send();
      if (count < from.size) return;
    }
  }
}

/** The sender of a datagram of a batch. Few plugins want its address: it becomes text when it is asked for, at the latest before the next batch. */
class BatchClient implements Client {
  readonly family: 4 | 6;
  readonly #batch: DatagramBatch;
  readonly #index: number;
  #sender: Sender | undefined;

  constructor(batch: DatagramBatch, index: number, family: 4 | 6) {
    this.#batch = batch;
    this.#index = index;
    this.family = family;
  }

  get address(): string {
    return this.#read().address;
  }

  get port(): number {
    return this.#read().port;
  }

  #read(): Sender {
    this.#sender ??= this.#batch.sender(this.#index);
    return this.#sender;
  }
}

/** The client is gone, or the socket is closing: there is nobody to tell. */
function ignore(): void {}

function bind(address: string, port: number, fd: number | undefined): Promise<Socket> {
  const family = familyOf(address);
  return new Promise((resolve, reject) => {
    const socket = createSocket({
      type: family === 6 ? 'udp6' : 'udp4',
      recvBufferSize: 4 * 1024 * 1024,
      // Clients are given as addresses: asking for them would cost a turn of the event loop each.
      lookup: (host, _options, done) => done(null, host, family),
    });
    socket.once('error', reject);
    const ready = (): void => {
      socket.off('error', reject);
      resolve(socket);
    };
    if (fd === undefined) socket.bind(port, address, ready);
    else socket.bind({ fd }, ready);
  });
}
