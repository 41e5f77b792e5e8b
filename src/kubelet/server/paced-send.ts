/** Sends on a WebSocket no faster than its client reads: a slow one must not make the kubelet keep what a pod has to say. */
import type { WebSocket } from 'ws';

/** Bytes that may wait for the client before the source is held up; it goes on when half of them have left. */
const highWater = 1 << 20;

export function pacedSend(ws: WebSocket, source: { pause(): void; resume(): void }): (message: Buffer) => void {
  let held = false;
  const left = (): void => {
    if (!held || ws.bufferedAmount > highWater / 2) return;
    held = false;
    source.resume();
  };
  return (message) => {
    ws.send(message, left);
    if (held || ws.bufferedAmount <= highWater) return;
    held = true;
    source.pause();
  };
}
