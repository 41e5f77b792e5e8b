/**
 * exec and attach over WebSocket: the channel protocols of kubectl 1.30 and later (v5.channel.k8s.io) and of older clients, translated
 * to the SPDY streams of the runtime. The first byte of a message is its channel: 0 stdin, 1 stdout, 2 stderr, 3 error (a Status), 4
 * resize; with v5 also 255, which closes the channel named by the next byte.
 */
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { Status } from '../../api/schema/types.ts';
import { pacedSend } from './paced-send.ts';
import { SpdyClient, type SpdyStream, upgradeToSpdy } from './spdy-client.ts';

export const commandProtocols: readonly string[] = [
  'v5.channel.k8s.io',
  'v4.channel.k8s.io',
  'v3.channel.k8s.io',
  'v2.channel.k8s.io',
  'channel.k8s.io',
];

export interface CommandStreams {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

const channels = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4 } as const;
const closeChannel = 255;

/** Joins the WebSocket with the stream that the runtime serves at `url`. Resolves when the command has ended or the client has gone. */
export async function serveCommand(ws: WebSocket, url: string, streams: CommandStreams): Promise<void> {
  // What the client sends before the runtime is joined must not be lost.
  ws.pause();
  const { socket, head } = await upgradeToSpdy(new URL(url), 'v4.channel.k8s.io');
  if (ws.readyState !== ws.OPEN) {
    socket.destroy();
    return;
  }
  const session = new CommandSession(ws, socket, head);
  await session.open(streams);
  await session.ended;
}

class CommandSession {
  readonly #ws: WebSocket;
  readonly #spdy: SpdyClient;
  readonly #send: (message: Buffer) => void;
  readonly #ended = Promise.withResolvers<void>();
  /** Before version 4 the error channel had text for people, and nothing when all went well. */
  readonly #knowsStatus: boolean;
  readonly #outcome: Buffer[] = [];
  /** The runtime has said how it ended. */
  #told = false;
  /** Streams that the client writes to, by channel. */
  readonly #inputs = new Map<number, SpdyStream>();

  constructor(ws: WebSocket, socket: Socket, head: Buffer) {
    this.#ws = ws;
    this.#knowsStatus = ws.protocol === 'v4.channel.k8s.io' || ws.protocol === 'v5.channel.k8s.io';
    this.#send = pacedSend(ws, { pause: () => this.#spdy.pause(), resume: () => this.#spdy.resume() });
    const data = (name: string, bytes: Buffer): void => this.#fromRuntime(name, bytes);
    this.#spdy = new SpdyClient(socket, { data, drained: () => ws.resume(), close: () => this.#close() }, head);
    ws.on('close', () => {
      this.#spdy.destroy();
      this.#ended.resolve();
    });
  }

  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** Opens the streams, and lets the client speak then. */
  async open({ stdin, stdout, stderr, tty }: CommandStreams): Promise<void> {
    this.#spdy.resume();
    const wanted = ['error', stdin && 'stdin', stdout && 'stdout', stderr && !tty && 'stderr', tty && 'resize'].filter(
      (name) => name !== false,
    );
    const opened = await Promise.all(wanted.map(async (name) => ({ name, stream: await this.#spdy.open(name) })));
    for (const { name, stream } of opened) if (name === 'stdin' || name === 'resize') this.#inputs.set(channels[name], stream);
    // Older clients learn from an empty message that the streams are there.
    if (this.#ws.protocol !== 'v5.channel.k8s.io' && stdout) this.#toClient(channels.stdout, Buffer.alloc(0));
    this.#ws.on('message', (message) => this.#fromClient(message as Buffer));
    this.#ws.resume();
  }

  #toClient(channel: number, bytes: Buffer): void {
    this.#send(Buffer.concat([Buffer.from([channel]), bytes]));
  }

  #fromRuntime(name: string, bytes: Buffer): void {
    if (name === 'error') this.#told = true;
    if (name === 'error' && !this.#knowsStatus) this.#outcome.push(bytes);
    else this.#toClient(channels[name as keyof typeof channels] ?? channels.stdout, bytes);
  }

  #fromClient(message: Buffer): void {
    const channel = message[0] ?? channels.stdin;
    if (channel === closeChannel && this.#ws.protocol === 'v5.channel.k8s.io') {
      const closed = message[1] ?? channels.stdin;
      this.#inputs.get(closed)?.end();
      this.#inputs.delete(closed);
      return;
    }
    const stream = this.#inputs.get(channel);
    if (stream && message.length > 1 && !stream.write(message.subarray(1))) this.#ws.pause();
  }

  /** The runtime has gone. */
  #close(): void {
    if (!this.#told) this.#outcome.push(Buffer.from(JSON.stringify(lost)));
    const outcome = Buffer.concat(this.#outcome);
    const said = this.#knowsStatus ? outcome : failureText(outcome);
    if (said.length > 0 && this.#ws.readyState === this.#ws.OPEN) this.#toClient(channels.error, said);
    this.#ws.close(1000);
    this.#ended.resolve();
  }
}

const lost = {
  metadata: {},
  status: 'Failure',
  message: 'the connection to the container runtime was lost before the command ended',
  reason: 'InternalError',
  code: 500,
};

function failureText(said: Buffer): Buffer {
  try {
    const status = JSON.parse(said.toString()) as Status;
    return Buffer.from(status.status === 'Success' ? '' : (status.message ?? ''));
  } catch {
    return said;
  }
}
