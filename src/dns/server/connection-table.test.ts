import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConnectionTable } from './connection-table.ts';

interface Fake {
  readonly name: string;
  isIdle: boolean;
}

const fake = (name: string, isIdle: boolean = true): Fake => ({ name, isIdle });

test('a client over its own limit loses the connection on which it asked nothing for the longest time, nobody else does', () => {
  const table = new ConnectionTable<Fake>({ total: 100, perClient: 2 });
  const [a, b, c, other] = [fake('a'), fake('b'), fake('c'), fake('other')];
  assert.equal(table.add(other, 'y'), undefined);
  assert.equal(table.add(a, 'x'), undefined);
  assert.equal(table.add(b, 'x'), undefined);
  table.touch(a);
  assert.equal(table.add(c, 'x'), b);
  assert.deepEqual([...table.connections], [other, a, c]);
});

test('over the limit of all, the idlest of all goes; one that waits for an answer only when all of them do', () => {
  const table = new ConnectionTable<Fake>({ total: 3, perClient: 2 });
  const [waiting, old, young] = [fake('waiting', false), fake('old'), fake('young')];
  table.add(waiting, 'w');
  table.add(old, 'o');
  table.add(young, 'y');
  assert.equal(table.add(fake('new'), 'n'), old);
  young.isIdle = false;
  const busy = fake('busy', false);
  assert.equal(table.add(busy, 'b')?.name, 'new');
  assert.equal(table.add(fake('last', false), 'l'), waiting);
  assert.equal(table.size, 3);
});

test('what has gone counts no more, and a question of a connection that is gone changes nothing', () => {
  const table = new ConnectionTable<Fake>({ total: 2, perClient: 1 });
  const a = fake('a');
  table.add(a, 'x');
  table.delete(a);
  table.touch(a);
  assert.equal(table.size, 0);
  assert.equal(table.add(fake('b'), 'x'), undefined);
});
