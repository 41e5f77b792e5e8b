import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Complaints } from './complaints.ts';

test('Complaints are said once, again when they change, and once more when they are over', () => {
  const said: string[] = [];
  const complaints = new Complaints({ warn: (text) => said.push(text) });
  const now = (...pairs: [string, string][]): string[] => {
    said.length = 0;
    complaints.are(new Map(pairs));
    return [...said];
  };
  assert.deepEqual(now(['a', 'one'], ['b', 'two']), ['one', 'two']);
  assert.deepEqual(now(['a', 'one'], ['b', 'two']), []);
  assert.deepEqual(now(['a', 'other']), ['other', 'Over: two']);
  assert.deepEqual(now(), ['Over: other']);
  assert.deepEqual(now(['a', 'one']), ['one']);
});
