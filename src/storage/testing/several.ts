/** Of the conformance suite: what is made and deleted alongside a write, and what must hold for it. */
import assert from 'node:assert/strict';
import { eventKey, type NewRecord, type OldRecord, prefixEnd } from '../store.ts';
import { bytes, take, text } from './events.ts';
import type { On } from './subject.ts';

export function severalAtOnce(on: On): void {
  creations(on);
  deletions(on);
  provisos(on);
}

function records(...keys: readonly string[]): NewRecord[] {
  return keys.map((key) => ({ key, value: bytes(`of ${key}`) }));
}

function creations(on: On): void {
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

function deletions(on: On): void {
  on('put and delete delete what goes alongside, and a watch tells of all of it in order', async (subject) => {
    const { store } = subject;
    for (const key of ['/a', '/c', '/b', '/d']) await subject.put(key, `of ${key}`);
    const seen = take(store, '/', '0', subject.at(5), 6);
    const gone = (key: string, revision: number): OldRecord => ({ key, ifRevision: subject.at(revision) });
    const put = await store.put('/a', bytes('new'), { ifRevision: subject.at(1), alongside: [gone('/c', 2), ...records('/e')] });
    assert.ok(put.ok);
    const deleted = await store.delete('/a', { ifRevision: put.record.modRevision, alongside: [gone('/d', 4), gone('/b', 3)] });
    assert.deepEqual([deleted.ok, deleted.ok && text(deleted.record.value)], [true, 'new']);
    const events = await seen;
    assert.deepEqual(
      events.map((event) => [event.kind, eventKey(event), text(event.previous?.value)]),
      [
        ['put', '/a', 'of /a'],
        ['delete', '/c', 'of /c'],
        ['put', '/e', undefined],
        ['delete', '/a', 'new'],
        ['delete', '/d', 'of /d'],
        ['delete', '/b', 'of /b'],
      ],
    );
    assert.equal(deleted.ok && deleted.record.modRevision, events[3]?.revision);
    assert.equal(await store.revision(), events[5]?.revision);
    const left = await store.range('/', '0');
    assert.deepEqual(
      left.records.map(({ key }) => key),
      ['/e'],
    );
  });

  on('put and delete do nothing when one of those that shall go has another revision, and say which', async (subject) => {
    const { store } = subject;
    for (const key of ['/a', '/b', '/c']) await subject.put(key, '1');
    await subject.put('/c', '2');
    const alongside = [
      { key: '/b', ifRevision: subject.at(2) },
      { key: '/c', ifRevision: subject.at(3) },
    ];
    const ifRevision = subject.at(1);
    for (const refused of [
      await store.put('/a', bytes('2'), { ifRevision, alongside }),
      await store.put('/a', bytes('2'), { alongside }),
      await store.delete('/a', { ifRevision, alongside }),
      await store.delete('/a', { alongside }),
    ])
      assert.deepEqual([refused.ok, !refused.ok && text(refused.current?.value), !refused.ok && refused.taken], [false, '1', '/c']);
    const missing = await store.delete('/a', { alongside: [{ key: '/nothing', ifRevision: subject.at(2) }] });
    assert.equal(!missing.ok && missing.taken, '/nothing');
    assert.deepEqual([await subject.get('/a'), await subject.get('/b'), await subject.revision()], ['1', '1', 4]);
  });

  on('delete lets nothing go alongside when it is refused itself', async (subject) => {
    const { store } = subject;
    for (const key of ['/a', '/b']) await subject.put(key, '1');
    const alongside = [{ key: '/b', ifRevision: subject.at(2) }];
    const stale = await store.delete('/a', { ifRevision: subject.at(7), alongside });
    assert.deepEqual([stale.ok, !stale.ok && text(stale.current?.value), 'taken' in stale], [false, '1', false]);
    for (const ifRevision of [undefined, 0, subject.at(1)]) {
      const absent = await store.delete('/nothing', { ...(ifRevision === undefined ? {} : { ifRevision }), alongside });
      assert.deepEqual(absent, { ok: false, current: undefined });
    }
    assert.deepEqual([await subject.get('/b'), await subject.revision()], ['1', 2]);
  });
}

function provisos(on: On): void {
  on('put and delete are done while what they are provided with holds, and leave it as it is', async (subject) => {
    const { store } = subject;
    for (const key of ['/term', '/a', '/b']) await subject.put(key, '1');
    const seen = take(store, '/', '0', subject.at(4), 4);
    const provided = [
      { key: '/term', ifRevision: subject.at(1) },
      { key: '/none', ifRevision: 0 },
    ];
    const made = await store.put('/c', bytes('1'), { ifRevision: 0, provided, alongside: records('/d') });
    const changed = await store.put('/a', bytes('2'), { provided });
    const deleted = await store.delete('/b', { ifRevision: subject.at(3), provided });
    assert.deepEqual([made.ok, changed.ok, deleted.ok], [true, true, true]);
    const events = await seen;
    assert.deepEqual(
      events.map((event) => [event.kind, eventKey(event)]),
      [
        ['put', '/c'],
        ['put', '/d'],
        ['put', '/a'],
        ['delete', '/b'],
      ],
    );
    assert.equal(await store.revision(), events[3]?.revision);
    assert.equal((await store.get('/term'))?.modRevision, subject.at(1));
  });

  on('put and delete do nothing when what they are provided with does not hold, and say which', async (subject) => {
    const { store } = subject;
    for (const key of ['/term', '/a', '/b']) await subject.put(key, '1');
    await subject.put('/term', '2');
    const ifRevision = subject.at(2);
    for (const proviso of [
      { key: '/term', ifRevision: subject.at(1) },
      { key: '/term', ifRevision: 0 },
      { key: '/none', ifRevision: subject.at(1) },
    ]) {
      const provided = [{ key: '/b', ifRevision: subject.at(3) }, proviso];
      for (const refused of [
        await store.put('/a', bytes('2'), { provided }),
        await store.put('/a', bytes('2'), { ifRevision, provided, alongside: records('/d') }),
        await store.delete('/a', { provided }),
        await store.delete('/a', { ifRevision, provided }),
      ])
        assert.deepEqual(
          [refused.ok, !refused.ok && text(refused.current?.value), !refused.ok && refused.taken],
          [false, '1', proviso.key],
        );
      const creation = await store.put('/new', bytes('1'), { ifRevision: 0, provided });
      assert.deepEqual(creation, { ok: false, current: undefined, taken: proviso.key });
      const stale = await store.put('/a', bytes('2'), { ifRevision: 0, provided });
      assert.deepEqual([stale.ok, 'taken' in stale], [false, false]);
    }
    assert.deepEqual([await subject.get('/a'), await subject.get('/d'), await subject.revision()], ['1', undefined, 4]);
  });

  on('of writes provided with what another one changes, none is done after it', async (subject) => {
    const { store } = subject;
    await subject.put('/term', 'mine');
    const provided = [{ key: '/term', ifRevision: subject.at(1) }];
    const before = Array.from({ length: 20 }, (_, i) => store.put(`/a/${i}`, bytes('1'), { ifRevision: 0, provided }));
    const over = store.put('/term', bytes('yours'), { ifRevision: subject.at(1) });
    const after = Array.from({ length: 20 }, (_, i) => store.put(`/b/${i}`, bytes('1'), { ifRevision: 0, provided }));
    const [change, ...writes] = await Promise.all([over, ...before, ...after]);
    assert.ok(change.ok);
    for (const write of writes)
      if (write.ok) assert.ok(write.record.modRevision < change.record.modRevision);
      else assert.equal(write.taken, '/term');
    const late = await store.put('/c', bytes('1'), { ifRevision: 0, provided });
    assert.deepEqual(late, { ok: false, current: undefined, taken: '/term' });
  });
}
