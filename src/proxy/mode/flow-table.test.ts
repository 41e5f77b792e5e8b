import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FlowTable } from './flow-table.ts';

describe('FlowTable', () => {
  test('grown() gives what a flow carried more than in the round before, and all of one that is new', () => {
    const table = new FlowTable();
    assert.deepEqual(table.grown(7, 100, 200), { orig: 100, reply: 200 });
    assert.deepEqual(table.grown(0, 1, 2), { orig: 1, reply: 2 });
    table.endRound();
    assert.deepEqual(table.grown(7, 110, 220), { orig: 10, reply: 20 });
    assert.deepEqual(table.grown(0, 1, 2), { orig: 0, reply: 0 });
    table.endRound();
    assert.deepEqual(table.grown(7, 110, 225), { orig: 0, reply: 5 });
  });

  test('takes one that carried less, either way, for another that got the number', () => {
    const table = new FlowTable();
    table.grown(7, 100, 200);
    table.grown(8, 100, 200);
    table.endRound();
    assert.deepEqual(table.grown(7, 99, 300), { orig: 99, reply: 300 });
    assert.deepEqual(table.grown(8, 300, 199), { orig: 300, reply: 199 });
  });

  test('heeds a number once in a round', () => {
    const table = new FlowTable();
    table.grown(7, 100, 200);
    assert.equal(table.grown(7, 1, 1), undefined);
    table.endRound();
    assert.deepEqual(table.grown(7, 101, 200), { orig: 1, reply: 0 });
  });

  test('forgets those that a round has not seen', () => {
    const table = new FlowTable();
    for (let id = 1; id <= 3; id++) table.grown(id, id, id);
    table.endRound();
    table.grown(2, 2, 2);
    table.endRound();
    assert.equal(table.size, 1);
    assert.deepEqual(table.grown(1, 5, 5), { orig: 5, reply: 5 });
    assert.deepEqual(table.grown(2, 3, 3), { orig: 1, reply: 1 });
  });

  test('keeps thousands apart, also those whose numbers end alike, while it grows and shrinks', () => {
    const table = new FlowTable();
    const ids = Array.from({ length: 5000 }, (_, i) => (i % 2 === 0 ? i * 65_536 : i) >>> 0);
    for (const [i, id] of ids.entries()) assert.deepEqual(table.grown(id, i, 0), { orig: i, reply: 0 });
    table.endRound();
    assert.equal(table.size, 5000);
    for (const [i, id] of ids.slice(0, 100).entries()) assert.deepEqual(table.grown(id, i + 1, 0), { orig: 1, reply: 0 });
    table.endRound();
    assert.equal(table.size, 100);
    for (const [i, id] of ids.slice(0, 100).entries()) assert.deepEqual(table.grown(id, i + 3, 0), { orig: 2, reply: 0 });
  });
});
