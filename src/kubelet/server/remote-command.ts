/**
 * exec and attach over WebSocket: the channel protocols of kubectl 1.30 and later (v5.channel.k8s.io) and of older clients, translated
 * to the SPDY streams of the runtime. The first byte of a message is its channel: 0 stdin, 1 stdout, 2 stderr, 3 error (a Status), 4
 * resize; with v5 also 255, which closes the channel named by the next byte.
 */
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

const channels: Readonly<Record<string, number>> = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4 };
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
  const { promise, resolve } = Promise.withResolvers<void>();
  let told = false;
  // Before version 4 the error channel had text for people, and nothing when all went well.
  const knowsStatus = ws.protocol === 'v4.channel.k8s.io' || ws.protocol === 'v5.channel.k8s.io';
  const outcome: Buffer[] = [];
  const sendPaced = pacedSend(ws, { pause: () => spdy.pause(), resume: () => spdy.resume() });
  const send = (channel: number, bytes: Buffer): void => {
    const message = Buffer.allocUnsafe(bytes.length + 1);
    message[0] = channel;
    bytes.copy(message, 1);
    sendPaced(message);
  };
  const spdy = new SpdyClient(
    socket,
    {
      data: (name, bytes) => {
        if (name === 'error') told = true;
        if (name === 'error' && !knowsStatus) outcome.push(bytes);
        else send(channels[name] ?? 1, bytes);
      },
      drained: () => ws.resume(),
      close: () => {
        if (!told) outcome.push(Buffer.from(JSON.stringify(lost)));
        const said = knowsStatus ? Buffer.concat(outcome) : failureText(Buffer.concat(outcome));
        if (said.length > 0 && ws.readyState === ws.OPEN) send(3, said);
        ws.close(1000);
        resolve();
      },
    },
    head,
  );
  ws.on('close', () => {
    spdy.destroy();
    resolve();
  });
  spdy.resume();
  const wanted = [
    'error',
    streams.stdin && 'stdin',
    streams.stdout && 'stdout',
    streams.stderr && !streams.tty && 'stderr',
    streams.tty && 'resize',
  ];
  const opened = await Promise.all(wanted.filter((name) => name !== false).map(async (name) => ({ name, stream: await spdy.open(name) })));
  const inputs = new Map<number, SpdyStream>();
  for (const { name, stream } of opened) if (name === 'stdin' || name === 'resize') inputs.set(channels[name] ?? 0, stream);

  // Older clients learn from empty messages on their channels that the streams are there.
  if (ws.protocol !== 'v5.channel.k8s.io')
    for (const [name, channel] of Object.entries(channels)) if (name === 'stdout' && streams.stdout) send(channel, Buffer.alloc(0));
  ws.on('message', (data) => {
    const bytes = data as Buffer;
    const channel = bytes[0] ?? 0;
    if (channel === closeChannel && ws.protocol === 'v5.channel.k8s.io') {
      const closed = bytes[1] ?? 0;
      inputs.get(closed)?.end();
      inputs.delete(closed);
      return;
    }
    const stream = inputs.get(channel);
    if (stream && bytes.length > 1 && !stream.write(bytes.subarray(1))) ws.pause();
  });
  ws.resume();
  await promise;
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
