/**
 * The socket to which the executable passes its calls: one JSON line in, one JSON line out, and an empty line in when that was taken;
 * one call per connection. Who may open it can attach links to any namespace of the machine, hence mode 0600.
 */
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { messageOf } from '../errors/known-error.ts';
import { type CallPlugin, callFrom, type PluginAnswer, type PluginCall, undoUnheard } from './plugin-call.ts';
import { formatCniError } from './spec/cni-error.ts';

/** A request with a long list of attachments stays far below. */
const maxRequest = 8 * 1024 * 1024;

/** Listens on the path, in place of a socket that an earlier process left. */
export function listenForCalls(path: string, call: CallPlugin): Promise<Server> {
  mkdirSync(dirname(path), { recursive: true });
  rmSync(path, { force: true });
  const server = createServer({ allowHalfOpen: true }, (socket) => serve(socket, call));
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    // The socket file is made within listen(): a mask set around it leaves no moment in which others may connect.
    const mask = process.umask(0o177);
    server.listen(path, () => resolve(server));
    process.umask(mask);
    chmodSync(path, 0o600);
  });
}

function serve(socket: Socket, call: CallPlugin): void {
  const parts: Buffer[] = [];
  let size = 0;
  // The runtime may give up on the executable at any moment; DEL follows.
  socket.on('error', () => socket.destroy());
  const gaveUp = (): void => void socket.destroy();
  socket.on('end', gaveUp);
  socket.on('data', (part) => {
    parts.push(part);
    size += part.length;
    if (size > maxRequest) socket.destroy();
    else if (part.includes(10)) {
      socket.removeAllListeners('data');
      socket.off('end', gaveUp);
      void answer(socket, Buffer.concat(parts).toString('utf8'), call);
    }
  });
}

async function answer(socket: Socket, line: string, call: CallPlugin): Promise<void> {
  try {
    const request = callFrom(line);
    const result = await call(request);
    if (!(await isTaken(socket, result, request))) await undoUnheard(request, result, call);
  } catch (err) {
    const error = { code: 6, message: `Cannot read the call: ${messageOf(err)}`, details: '' };
    socket.end(lineOf({ code: 1, stdout: formatCniError(error, '1.0.0') }));
  }
}

/**
 * Hands the answer over; false when the caller had given up. Only the caller itself knows whether the answer was in time, as that may lie
 * unread when it ends: so it says that it took it. One of an earlier version does not, and counts as being there until it is seen to be gone.
 */
async function isTaken(socket: Socket, result: PluginAnswer, { confirms }: PluginCall): Promise<boolean> {
  if (!confirms) {
    // It may have given up while this process was stuck, which is only seen when the event loop has had its turn.
    await new Promise((resolve) => setImmediate(resolve));
    if (socket.destroyed || socket.readableEnded) return false;
    socket.end(lineOf(result));
    return true;
  }
  if (socket.destroyed) return false;
  const taken = new Promise<boolean>((resolve) => {
    socket.once('data', () => resolve(true));
    socket.once('close', () => resolve(false));
  });
  socket.end(lineOf(result));
  return await taken;
}

function lineOf(answer: PluginAnswer): string {
  return `${JSON.stringify(answer)}\n`;
}
