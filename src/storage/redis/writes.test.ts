import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isKnownError, KnownError } from '../../errors/known-error.ts';
import type { Link } from './link.ts';
import { Unconfirmed } from './redis-error.ts';
import { Writes } from './writes.ts';

function reply(message: string): Error {
  return Object.assign(new Error(message), { name: 'ReplyError' });
}

/** Sends one write over sessions that answer so, one after the other; a session that was not ended is given again. */
async function send(repeatable: boolean, ...answers: readonly (Error | readonly unknown[])[]): Promise<{ told: unknown; log: string[] }> {
  const log: string[] = [];
  const left = [...answers];
  let number = 0;
  const begin = (): { isOver: boolean; write(name: string, args: readonly unknown[]): Promise<unknown>; end(): void } => {
    const name = `session ${++number}`;
    return {
      isOver: false,
      async write(_name, [since]) {
        log.push(`${name}${since === '' ? '' : ` since ${String(since)}`}`);
        const answer = left.shift() ?? new KnownError('STORE_UNAVAILABLE', 'there is no more');
        if (answer instanceof Error) throw answer;
        return answer;
      },
      end() {
        this.isOver = true;
      },
    };
  };
  let session = begin();
  const link = {
    async session() {
      if (session.isOver) session = begin();
      return session;
    },
  };
  const writes = new Writes(link as unknown as Link, 'redis://host/0', () => 7);
  const told = await writes.send({ name: 'put', repeatable, args: (_id, since) => [since] }).then(
    ({ reply: answer }) => answer,
    (err: unknown) => err,
  );
  return { told, log };
}

const isUnknown = (err: unknown): boolean =>
  isKnownError(err, 'STORE_UNAVAILABLE') && /whether it was written is unknown/.test(err.message);

describe('Writes', () => {
  test('repeat a compare-and-swap whose answer was lost on another session, and ask what became of the first', async () => {
    const { told, log } = await send(true, new Error('Connection is closed.'), new Error('Connection is closed.'), [1, 8, 8]);
    assert.deepEqual(
      [told, log],
      [
        [1, 8, 8],
        ['session 1', 'session 2 since 7', 'session 3 since 7'],
      ],
    );
  });

  test('never repeat a write without a condition', async () => {
    const { told, log } = await send(false, new Error('Connection is closed.'), [1, 8, 8]);
    assert.ok(isUnknown(told), String(told));
    assert.deepEqual(log, ['session 1']);
  });

  test('repeat what a replica refused on another session, with nothing to ask', async () => {
    const { told, log } = await send(false, reply("READONLY You can't write against a read only replica."), [1, 8, 8]);
    assert.deepEqual(
      [told, log],
      [
        [1, 8, 8],
        ['session 1', 'session 2'],
      ],
    );
  });

  test('repeat a compare-and-swap that a primary gave up waiting for', async () => {
    const { told, log } = await send(true, reply('UNBLOCKED force unblock from blocking operation'), [1, 8, 8]);
    assert.deepEqual(
      [told, log],
      [
        [1, 8, 8],
        ['session 1', 'session 2 since 7'],
      ],
    );
  });

  for (const [what, err] of [
    ['that Redis was late with', new Error('Command timed out')],
    ['that replicas did not confirm', new Unconfirmed('0 of 1 replicas confirmed it')],
  ] as const)
    test(`do not repeat one ${what}: its outcome is unknown`, async () => {
      const { told, log } = await send(true, err, [1, 8, 8]);
      assert.ok(isUnknown(told), String(told));
      assert.deepEqual(log, ['session 1']);
    });

  test('say so when nobody knows any more what became of the first', async () => {
    const { told } = await send(true, new Error('Connection is closed.'), [2]);
    assert.ok(isUnknown(told), String(told));
  });

  test('tell what Redis refused, which changed nothing', async () => {
    const { told, log } = await send(true, reply('OOM command not allowed'), [1, 8, 8]);
    assert.ok(isKnownError(told, 'STORE_FULL') && !isUnknown(told));
    assert.deepEqual(log, ['session 1']);
  });

  test('give each write another id', () => {
    const writes = new Writes({} as Link, '', () => 0);
    const ids = Array.from({ length: 1_000 }, () => writes.nextId().toString('hex'));
    assert.equal(new Set(ids).size, 1_000);
    assert.ok(ids.every((id) => id.length === 24));
  });
});
