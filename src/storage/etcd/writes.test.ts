import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { systemClock } from '../../clock/clock.ts';
import type { WriteResult } from '../store.ts';
import { bytes, text } from '../testing/events.ts';
import type { Endpoints, Repeat } from './endpoints.ts';
import { Unanswered } from './etcd-error.ts';
import { KeySpace } from './key-space.ts';
import { LeaseBuckets } from './lease-buckets.ts';
import type { Request } from './messages.ts';
import { Writes } from './writes.ts';

interface Kv {
  readonly value: string;
  readonly createRevision: number;
  readonly modRevision: number;
}

const lost = new Unanswered(new Error('the connection broke'), true);

/** An etcd whose answers to transactions are given: one after the other. */
function etcdThat(...answers: ({ succeeded?: boolean; doubtful?: boolean; standing?: Kv } | Error)[]) {
  const asked: { transaction: Request<'Txn'>; repeat: Repeat }[] = [];
  const call = async (method: string, transaction: Request<'Txn'>, repeat: Repeat = 'always'): Promise<unknown> => {
    assert.equal(method, 'Txn', 'the past is asked for where it can tell something only');
    asked.push({ transaction, repeat });
    const answer = answers.shift();
    if (answer === undefined || answer instanceof Error) throw answer ?? new Error('asked too often');
    const { succeeded = false, doubtful = false, standing } = answer;
    const kvs = standing ? [{ ...standing, key: '/a', value: bytes(standing.value), version: 1 }] : [];
    return { response: { header: { revision: 20 }, succeeded, responses: [{ responseRange: { kvs } }] }, doubtful };
  };
  const endpoints = { call } as unknown as Endpoints;
  const writes = new Writes(endpoints, new KeySpace('/registry', '/registry'), new LeaseBuckets(endpoints, systemClock));
  return { writes, asked };
}

function shown(result: WriteResult): unknown[] {
  const record = result.ok ? result.record : result.current;
  return [result.ok, record && text(record.value), record?.modRevision];
}

const at = (value: string, modRevision: number, createRevision = 1): Kv => ({ value, createRevision, modRevision });

describe('a write whose answer was lost', () => {
  test('over a known revision is repeated, without one or as a creation it is not', async () => {
    const { writes, asked } = etcdThat({ succeeded: true }, { succeeded: true }, { succeeded: true }, { standing: at('x', 3) }, {});
    await writes.put('/a', bytes('x'), { ifRevision: 5 });
    await writes.put('/a', bytes('x'), { ifRevision: 0 });
    await writes.put('/a', bytes('x'), {});
    await writes.delete('/a', { ifRevision: 5 });
    await writes.delete('/a', {}).catch(() => {});
    assert.deepEqual(
      asked.map(({ repeat }) => repeat),
      ['always', 'unsent', 'unsent', 'always', 'unsent'],
    );
  });

  test('knows itself by its value', async () => {
    const { writes } = etcdThat({ doubtful: true, standing: at('x', 12) });
    assert.deepEqual(shown(await writes.put('/a', bytes('x'), { ifRevision: 5 })), [true, 'x', 12]);
  });

  test('is in doubt when what stands there was made since, or nothing does', async () => {
    const { writes } = etcdThat({ doubtful: true, standing: at('y', 12, 6) }, { doubtful: true }, { standing: at('y', 12) });
    const inDoubt = (err: unknown): boolean => err instanceof Unanswered && err.doubtful;
    await assert.rejects(writes.put('/a', bytes('x'), { ifRevision: 5 }), inDoubt);
    await assert.rejects(writes.put('/a', bytes('x'), { ifRevision: 5 }), inDoubt);
    assert.deepEqual(shown(await writes.put('/a', bytes('x'), { ifRevision: 5 })), [false, 'y', 12], 'without doubt it lost');
  });

  test('as a creation is looked for: found, replaced, or perhaps still to come', async () => {
    const { writes, asked } = etcdThat(
      lost,
      { succeeded: true, standing: at('x', 12) },
      lost,
      { succeeded: true, standing: at('y', 12, 12) },
      lost,
      {
        succeeded: true,
      },
    );
    assert.deepEqual(shown(await writes.put('/a', bytes('x'), { ifRevision: 0 })), [true, 'x', 12]);
    assert.deepEqual(asked[1]!.transaction, { success: [{ requestRange: { key: '/a' } }] });
    await assert.rejects(writes.put('/a', bytes('x'), { ifRevision: 0 }), Unanswered);
    await assert.rejects(writes.put('/a', bytes('x'), { ifRevision: 0 }), lost);
    assert.equal(asked.length, 6);
  });

  test('as a creation that was certainly not sent is not looked for', async () => {
    const { writes, asked } = etcdThat(new Unanswered(new Error('no connection'), false));
    await assert.rejects(writes.put('/a', bytes('x'), { ifRevision: 0 }), Unanswered);
    assert.equal(asked.length, 1);
  });

  test('as a deletion is refused when what stands there is as old as what was to go, else in doubt', async () => {
    const { writes } = etcdThat(
      { doubtful: true, standing: at('y', 12, 5) },
      { doubtful: true, standing: at('y', 12, 12) },
      { doubtful: true },
      { standing: at('y', 12, 12) },
    );
    assert.deepEqual(shown(await writes.delete('/a', { ifRevision: 5 })), [false, 'y', 12]);
    await assert.rejects(writes.delete('/a', { ifRevision: 5 }), Unanswered);
    await assert.rejects(writes.delete('/a', { ifRevision: 5 }), Unanswered);
    assert.deepEqual(shown(await writes.delete('/a', { ifRevision: 5 })), [false, 'y', 12]);
  });
});
