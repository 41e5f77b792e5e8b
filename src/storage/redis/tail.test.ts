import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { eventKey } from '../store.ts';
import { keys } from './library.ts';
import { headerBytes } from './record.ts';
import type { Session } from './session.ts';
import { Tail } from './tail.ts';

type Entries = readonly (readonly [Buffer, readonly Buffer[]])[];

/** An entry of a deletion, or the mark of a jump when there is no key. */
function entry(revision: number, key = `/${revision}`): readonly [Buffer, readonly Buffer[]] {
  const header = Buffer.alloc(headerBytes);
  header.writeBigUInt64BE(BigInt(revision), 8);
  return [Buffer.from(`${revision}-0`), ['k', key, 'v', header, 'p', ''].map((field) => Buffer.from(field))];
}

/** What a tail does that begins behind revision 10 and gets these answers; the words of its calls beside them. */
async function follow(
  ...answers: readonly { readonly log?: Entries; readonly recent?: Entries }[]
): Promise<{ told: string[]; asked: string[]; reached: number[] }> {
  const told: string[] = [];
  const asked: string[] = [];
  const reached: number[] = [];
  const left = [...answers];
  const session = {
    isOver: false,
    reach: async (revision: number) => void reached.push(revision),
    tail: {
      async callBuffer(...words: readonly string[]): Promise<unknown> {
        asked.push(`${words.includes('BLOCK') ? 'blocks' : 'looks'} ${words.slice(-2).join(' ')}`);
        const answer = left.shift();
        if (!answer) session.isOver = true;
        const streams = [[keys.log, answer?.log] as const, [keys.recent, answer?.recent] as const];
        return streams.flatMap(([name, entries]) => (entries ? [[Buffer.from(name), entries]] : []));
      },
    },
  };
  const tail = new Tail(10, {
    follow: (events, newest) =>
      told.push(`${events.map((event) => `${event.revision}${eventKey(event)}`).join(' ')} to ${newest.revision}`),
    miss: (revision) => told.push(`missed ${revision}`),
  });
  await tail.run(session as unknown as Session);
  return { told, asked, reached };
}

describe('Tail', () => {
  test('puts both streams into the order of their revisions', async () => {
    const { told, asked, reached } = await follow({ log: [entry(11), entry(13)], recent: [entry(12), entry(14)] }, { log: [entry(15)] });
    assert.deepEqual(told, ['11/11 12/12 13/13 14/14 to 14', '15/15 to 15']);
    assert.deepEqual(asked, ['blocks 10-0 10-0', 'blocks 13-0 14-0', 'blocks 15-0 14-0']);
    // Nobody is told before replicas have it.
    assert.deepEqual(reached, [14, 15]);
  });

  test('asks for the other stream when a call that blocked was answered by one', async () => {
    const { told, asked } = await follow({ log: [entry(12)] }, { recent: [entry(11)] });
    assert.deepEqual(told, ['11/11 12/12 to 12']);
    assert.deepEqual(asked, ['blocks 10-0 10-0', 'looks 12-0 10-0', 'blocks 12-0 11-0']);
  });

  test('says what it has missed when a revision is nowhere any more', async () => {
    const { told } = await follow({ log: [entry(14), entry(15)] }, {});
    assert.deepEqual(told, ['missed 13', '14/14 15/15 to 15']);
  });

  test('begins behind a jump of the revisions', async () => {
    const { told } = await follow({ log: [entry(1_000_010, '')] }, {}, { log: [entry(1_000_011)] });
    assert.equal(
      told.findLast((one) => one.startsWith('missed')),
      'missed 1000010',
    );
    assert.deepEqual(told.slice(-2), [' to 1000010', '1000011/1000011 to 1000011']);
  });
});
