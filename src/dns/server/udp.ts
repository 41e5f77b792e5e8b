/** UDP. Under load a whole batch is taken and answered with two system calls; when little comes, or without koffi, node:dgram does it. */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { messageOf } from '../../errors/known-error.ts';
import { familyOf } from '../../ip/ip.ts';
import { DatagramBatch, openUdpSocket, type Sender } from '../../linux/datagram-batch.ts';
import type { Log } from '../../observability/log.ts';
import type { Client } from '../plugin/plugin.ts';
import type { Responder } from './responder.ts';

export interface ListenOptions {
  readonly address: string;
  readonly port: number;
  readonly responder: Responder;
  readonly log: Log;
}

export interface UdpOptions extends ListenOptions {
  /** False: node:dgram only. */
  readonly batch?: boolean;
}

/** Longer questions do not come by UDP. */
const batchSize = { size: 64, maxReceive: 1024, maxSend: 4096 };
/** At most this many batches before other things get their turn. */
const maxBatches = 8;

/** Listens. Rejects with the error of the system. */
export async function listenUdp(options: UdpOptions): Promise<UdpServer> {
  const { address, port } = options;
  const fd = options.batch === false ? undefined : openUdpSocket(address, port);
  const socket = await bind(address, port, fd);
  return new UdpServer(socket, fd === undefined ? undefined : new DatagramBatch(fd, batchSize), options);
}

export class UdpServer {
  readonly #socket: Socket;
  readonly #batch: DatagramBatch | undefined;
  readonly #responder: Responder;
  readonly #family: 4 | 6;
  #isOpen = true;
  #inTick = 0;

  constructor(socket: Socket, batch: DatagramBatch | undefined, { address, responder, log }: UdpOptions) {
    this.#socket = socket;
    this.#batch = batch;
    this.#responder = responder;
    this.#family = familyOf(address);
    socket.on('close', () => {
      // Behind whatever of this turn still reads there.
      setImmediate(() => batch?.close());
    });
    socket.on('error', (err) => log.warn(`UDP socket of the DNS server: ${messageOf(err)}`));
    socket.on('message', (message, from) => this.#take(message, from));
  }

  /** What comes from now on is left unread; answers still go out. */
  stopReading(): void {
    this.#socket.removeAllListeners('message');
  }

  close(): Promise<void> {
    // The socket throws from now on, not only when it has closed.
    this.#isOpen = false;
    return new Promise((done) => this.#socket.close(() => done()));
  }

  #take(message: Buffer, { address, port }: RemoteInfo): void {
    const client = { family: this.#family, address, port };
    const reply = this.#responder.respond(message, 'udp', client);
    if (reply instanceof Promise) this.#sendLater(reply, client);
    else if (reply) this.#socket.send(reply, port, address, ignore);
    // Two in one turn of the event loop: there are likely more.
    if (!this.#batch || !this.#isOpen) return;
    if (this.#inTick++ > 0) this.#takeBatches(this.#batch);
    else
      setImmediate(() => {
        this.#inTick = 0;
      });
  }

  #takeBatches(batch: DatagramBatch): void {
    for (let round = 0; round < maxBatches; round++) {
      const count = batch.receive();
      for (let i = 0; i < count; i++) this.#answer(batch, i);
      batch.send();
      if (count < batch.size) return;
    }
  }

  #answer(batch: DatagramBatch, index: number): void {
    const message = batch.message(index);
    if (!message) return;
    const client = new BatchClient(batch, index, this.#family);
    // The buffer is used again before a late answer is there.
    const reply = this.#responder.respond(Buffer.from(message), 'udp', client);
    if (reply instanceof Promise) this.#sendLater(reply, client);
    else if (reply) {
      batch.room().set(reply);
      batch.queued(index, reply.length);
    }
  }

  #sendLater(reply: Promise<Buffer>, client: Client): void {
    // Read now: a batch forgets its senders.
    const { address, port } = client;
    void reply.then((bytes) => {
      if (this.#isOpen) this.#socket.send(bytes, port, address, ignore);
    });
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
