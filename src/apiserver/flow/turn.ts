/** One request on its way through flow control. Exempt requests have none. */
import type { Duplex } from 'node:stream';
import { serviceUnavailable } from '../status/status-error.ts';
import type { FlowControl } from './flow-control.ts';
import type { Flow } from './levels.ts';
import type { Seat } from './priority-level.ts';

export class Turn {
  readonly #control: FlowControl;
  readonly #flow: Flow;
  readonly #width: number;
  readonly #held: (() => void)[] = [];
  #seat: Seat | undefined;
  #ended = false;

  constructor(control: FlowControl, flow: Flow, width: number) {
    this.#control = control;
    this.#flow = flow;
    this.#width = width;
  }

  /** Takes a seat, now (undefined) or later. Throws 429. */
  begin(): Promise<void> | undefined {
    if (this.#seat) return undefined;
    const seat = this.#control.enter(this.#flow, this.#width);
    if (seat instanceof Promise) return seat.then((later) => this.#sit(later));
    this.#seat = seat;
    return undefined;
  }

  #sit(seat: Seat): void {
    this.#seat = seat;
    if (!this.#ended) return;
    this.pause();
    throw serviceUnavailable('the client has gone');
  }

  /** Leaves the seat to others while nothing is done for the request. */
  pause(): void {
    this.#seat?.leave();
    this.#seat = undefined;
  }

  /** Room for the body. Throws 429. */
  reserveBody(bytes: number): void {
    this.#held.push(this.#control.reserveBody(this.#flow, bytes));
  }

  /** What follows may last for hours. Throws 429. */
  beginLasting(): void {
    this.#held.push(this.#control.beginLasting(this.#flow));
  }

  /** The answer is complete, or the client has gone. */
  end(): void {
    this.#ended = true;
    this.pause();
    for (const giveBack of this.#held.splice(0)) giveBack();
  }
}

/** Throws 503 for a client that has gone: nobody would tell of the end of what is taken for it from now on. */
export function refuseGone(client: { readonly destroyed: boolean }): void {
  if (client.destroyed) throw serviceUnavailable('the client has gone');
}

/** The turn of a request that leaves HTTP: counted until its connection closes. Throws 429, and 503 when it is closed. */
export async function beginConnection(control: FlowControl, flow: Flow, socket: Duplex): Promise<void> {
  refuseGone(socket);
  if (flow.level === 'exempt') return;
  const turn = new Turn(control, flow, 1);
  socket.once('close', () => turn.end());
  await turn.begin();
  turn.beginLasting();
  turn.pause();
}
