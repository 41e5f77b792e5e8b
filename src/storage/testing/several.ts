/** Of the conformance suite: what is made alongside a write. */
import assert from 'node:assert/strict';
import { eventKey, type NewRecord, prefixEnd } from '../store.ts';
import { bytes, take, text } from './events.ts';
import type { On } from './subject.ts';

export function severalAtOnce(on: On): void {
  const records = (...keys: readonly string[]): NewRecord[] => keys.map((key) => ({ key, value: bytes(`of ${key}`) }));

  on('put makes what comes alongside, and a watch tells of all of it in order', async (subject) => {
    const { store } = subject;
    await subject.put('/a', 'old');
    const seen = take(store, '/', '0', subject.at(2), 4);
    const put = await store.put('/a', bytes('new'), { ifRevision: subject.at(1), alongside: records('/c', '/b') });
    assert.deepEqual(subject.revisionsOf(put), [1, 2]);
    await subject.put('/d', 'later');
    const events = await seen;
    assert.deepEqual(events.map(eventKey), ['/a', '/c', '/b', '/d']);
    const revisions = events.map(({ revision }) => revision);
    assert.deepEqual(
      revisions,
      revisions.toSorted((a, b) => a - b),
    );
    assert.equal(await store.revision(), revisions[3]);
    for (const [i, key] of ['/c', '/b'].entries()) {
      const record = await store.get(key);
      assert.deepEqual(
        [text(record?.value), record?.createRevision, record?.modRevision],
        [`of ${key}`, revisions[i + 1], revisions[i + 1]],
      );
    }
    assert.equal((await take(store, '/d', '/e', revisions[2]! + 1, 1))[0]?.revision, revisions[3]);
  });

  on('put makes nothing when one of those alongside exists, and says which', async (subject) => {
    await subject.put('/b', 'mine');
    const creation = await subject.store.put('/a', bytes('1'), { ifRevision: 0, alongside: records('/c', '/b') });
    assert.deepEqual(creation, { ok: false, current: undefined, taken: '/b' });
    const over = await subject.store.put('/b', bytes('2'), { ifRevision: subject.at(1), alongside: records('/b2') });
    assert.ok(over.ok);
    const again = await subject.store.put('/b', bytes('3'), { alongside: records('/b2') });
    assert.deepEqual([again.ok, !again.ok && text(again.current?.value), !again.ok && again.taken], [false, '2', '/b2']);
    assert.deepEqual([await subject.get('/a'), await subject.get('/c'), await subject.get('/b')], [undefined, undefined, '2']);
  });

  on('put makes nothing alongside when it is refused itself', async (subject) => {
    await subject.put('/a', 'mine');
    await subject.put('/c', 'mine');
    const refused = await subject.store.put('/a', bytes('2'), { ifRevision: 0, alongside: records('/b', '/c') });
    assert.deepEqual([refused.ok, !refused.ok && text(refused.current?.value), 'taken' in refused], [false, 'mine', false]);
    assert.equal(await subject.get('/b'), undefined);
    assert.equal(await subject.revision(), 2);
  });

  on('of many who want one record alongside, one has it', async (subject) => {
    const all = await Promise.all(
      Array.from({ length: 50 }, (_, i) => subject.store.put(`/a/${i}`, bytes('1'), { ifRevision: 0, alongside: records('/one') })),
    );
    assert.equal(all.filter(({ ok }) => ok).length, 1);
    assert.equal((await subject.store.range('/a/', prefixEnd('/a/'))).count, 1);
  });
}
