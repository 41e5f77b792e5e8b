/**
 * Sends writes, and finds out what became of one whose answer was lost. Each write has an id, which Redis keeps with its event: a
 * compare-and-swap is sent once more with the same id, and is then either found or made, never made twice. Another write cannot be sent
 * again, since the first copy may still be on its way.
 */
import { randomBytes } from 'node:crypto';
import { KnownError } from '../../errors/known-error.ts';
import type { FunctionName } from './library.ts';
import type { Link } from './link.ts';
import { idBytes } from './record.ts';
import { answerCode, failed, Unconfirmed } from './redis-error.ts';
import type { Session } from './session.ts';

/** An operation without its id, and without the place in the arguments of the revision since which it may have been made. */
export interface Operation {
  readonly name: FunctionName;
  /** Whether sending it twice is safe. */
  readonly repeatable: boolean;
  args(id: Buffer, since: string): readonly (string | Buffer)[];
}

export interface Written {
  readonly id: Buffer;
  readonly reply: readonly unknown[];
}

/** A reply that means: the events that would tell what became of the write are forgotten. */
const forgotten = 2;

export class Writes {
  readonly #link: Link;
  readonly #shown: string;
  readonly #newest: () => number;
  /** Each store has its own beginning of ids, and counts behind it. */
  readonly #origin = randomBytes(idBytes - 4);
  #count = 0;

  /** `newest` gives a revision that Redis has reached already. */
  constructor(link: Link, shown: string, newest: () => number) {
    this.#link = link;
    this.#shown = shown;
    this.#newest = newest;
  }

  nextId(): Buffer {
    const id = Buffer.alloc(idBytes);
    this.#origin.copy(id);
    id.writeUInt32BE(this.#count++ >>> 0, idBytes - 4);
    return id;
  }

  /** Throws STORE_FULL when there is no room, STORE_UNAVAILABLE when nobody knows or nothing was changed; its message says which. */
  async send(operation: Operation): Promise<Written> {
    const id = this.nextId();
    let since: string | undefined;
    for (;;) {
      const session = await this.#session(since);
      const before = String(this.#newest());
      try {
        const reply = (await session.write(operation.name, operation.args(id, since ?? ''))) as readonly unknown[];
        if (reply[0] === forgotten) throw this.#unknown(new Error('Redis has forgotten what became of it'));
        return { id, reply };
      } catch (err) {
        if (this.#fate(err, session, operation) === 'lost') since ??= before;
      }
    }
  }

  /** What became of an attempt that is to be repeated: nothing, or its answer was lost. Throws when it is not to be. */
  #fate(err: unknown, session: Session, { repeatable }: Operation): 'undone' | 'lost' {
    if (err instanceof KnownError) throw err;
    const answer = answerCode(err);
    const late = err instanceof Error && err.message === 'Command timed out';
    // A connection that broke, a primary that became a replica, a Redis that holds its answer back: the next attempt needs another session.
    const unconfirmed = err instanceof Unconfirmed;
    if (answer === 'READONLY' || answer === 'UNBLOCKED' || (answer === undefined && !unconfirmed)) session.end(err);
    if (answer === 'READONLY') return 'undone';
    if (answer !== undefined && answer !== 'UNBLOCKED') throw failed('write to', this.#shown, err);
    if (late || unconfirmed || !repeatable) throw this.#unknown(err);
    return 'lost';
  }

  /** The session, or what the lack of one means for a write that was sent before. */
  async #session(since: string | undefined): Promise<Session> {
    try {
      return await this.#link.session();
    } catch (err) {
      throw since === undefined ? err : this.#unknown(err);
    }
  }

  #unknown(err: unknown): KnownError {
    return failed('write to', this.#shown, err, 'whether it was written is unknown');
  }
}
