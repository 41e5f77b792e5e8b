/** A TCP connection to an echo that is held open while things change. */
import { connect, type Socket } from 'node:net';

export interface Held {
  /** Sends a line and reads it back. Rejects when the connection is broken, or nothing comes for a minute. */
  echo(text: string): Promise<string>;
  end(): void;
}

const limitMs = 60_000;

function answer(socket: Socket, length: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const settle = (act: () => void): void => {
      clearTimeout(timer);
      socket.off('data', onData).off('error', onError).off('close', onClose);
      act();
    };
    const onData = (chunk: Buffer): void => {
      text += chunk.toString();
      if (text.length >= length) settle(() => resolve(text));
    };
    const onError = (err: Error): void => settle(() => reject(err));
    const onClose = (): void => settle(() => reject(new Error('the connection was closed')));
    const timer = setTimeout(() => settle(() => reject(new Error('no answer for a minute'))), limitMs);
    socket.on('data', onData).on('error', onError).on('close', onClose);
  });
}

export async function hold(host: string, port: number): Promise<Held> {
  const socket = connect({ host, port });
  // Said by whoever waits for an answer.
  socket.on('error', () => {});
  const echo = async (text: string): Promise<string> => {
    const read = answer(socket, text.length);
    socket.write(text);
    return await read;
  };
  await echo('hello');
  return { echo, end: () => socket.destroy() };
}
