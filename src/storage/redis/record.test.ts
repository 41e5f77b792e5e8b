import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bytes, text } from '../testing/events.ts';
import { decodeEntry, decodeRecord, encodeRecord, headerBytes, idBytes } from './record.ts';

const id = Buffer.alloc(idBytes, 7);
const record = (value: string, createRevision: number, modRevision: number): Buffer =>
  encodeRecord({ key: '/a', value: bytes(value), createRevision, modRevision }, id);
const entry = (revision: number, key: string, now: Buffer, before: Buffer = Buffer.alloc(0)): ReturnType<typeof decodeEntry> =>
  decodeEntry([Buffer.from(`${revision}-0`), ['k', key, 'v', now, 'p', before].map((field) => Buffer.from(field))]);

describe('a record of Redis', () => {
  test('has revisions, id and value, in this order', () => {
    const encoded = record('value', 3, 2 ** 40);
    assert.equal(
      encoded.toString('hex'),
      `0000000000000003${'0000010000000000'}${id.toString('hex')}${Buffer.from('value').toString('hex')}`,
    );
    const decoded = decodeRecord('/a', encoded);
    assert.deepEqual([decoded.key, text(decoded.value), decoded.createRevision, decoded.modRevision], ['/a', 'value', 3, 2 ** 40]);
    assert.equal(record('', 1, 1).length, headerBytes);
  });

  test('in an entry is a creation, a change, a deletion, or the mark of a jump', () => {
    const creation = entry(5, '/a', record('new', 5, 5));
    assert.deepEqual([creation.revision, creation.id.equals(id)], [5, true]);
    assert.ok(creation.event?.kind === 'put');
    assert.deepEqual([creation.event.revision, text(creation.event.record.value), creation.event.previous], [5, 'new', undefined]);
    const change = entry(6, '/a', record('newer', 5, 6), record('new', 5, 5));
    assert.ok(change.event?.kind === 'put');
    assert.deepEqual([text(change.event.previous?.value), change.event.previous?.modRevision], ['new', 5]);
    const deletion = entry(7, '/a', record('', 0, 7), record('newer', 5, 6));
    assert.ok(deletion.event?.kind === 'delete');
    assert.deepEqual([deletion.event.key, deletion.event.revision, text(deletion.event.previous?.value)], ['/a', 7, 'newer']);
    assert.deepEqual(entry(1_000_007, '', record('', 0, 1_000_007)).event, undefined);
  });
});
