import assert from 'node:assert/strict';
import { test } from 'node:test';
import { firstMember } from './first-member.ts';

const urls = ['https://10.0.0.1:2379', 'https://10.0.0.2:2379', 'https://[fd00::3]:2379'];

test('firstMember() is the one on this machine, by either family or by name', () => {
  assert.deepEqual(firstMember(urls, new Set(['127.0.0.1', '10.0.0.2']), 0.9), { first: 1, home: 1 });
  assert.deepEqual(firstMember(urls, new Set(['fd00::3']), 0), { first: 2, home: 2 });
  assert.deepEqual(firstMember(['http://localhost:1', 'http://10.0.0.1:1'], new Set(), 0.9), { first: 0, home: 0 });
});

test('firstMember() is one by chance where this machine has none, or all', () => {
  assert.deepEqual(
    [0, 0.34, 0.99].map((chance) => firstMember(urls, new Set(), chance)),
    [{ first: 0 }, { first: 1 }, { first: 2 }],
  );
  const local = ['http://localhost:1', 'http://127.0.0.1:2', 'http://127.0.0.1:3'];
  assert.deepEqual(firstMember(local, new Set(['127.0.0.1']), 0.5), { first: 1 });
});
