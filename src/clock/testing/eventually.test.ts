import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from './eventually.ts';

const brief = { timeoutMs: 20, pauseMs: 1 };

test('eventually() gives the first answer', async () => {
  const answers = [
    (): boolean => false,
    (): never => {
      throw new Error('not yet');
    },
    (): string => 'here',
    (): string => 'never asked for',
  ];
  assert.equal(await eventually('an answer', () => answers.shift()!()), 'here');
  assert.equal(answers.length, 1);
});

test('eventually() says what it waited for, and why it did not come', async () => {
  await assert.rejects(
    eventually('the pod', () => assert.equal(1, 2, 'one is not two'), brief),
    /^Error: Waited 20 ms in vain for the pod: AssertionError.*: one is not two/,
  );
  await assert.rejects(
    eventually('the pod', () => false, brief),
    /in vain for the pod: Error: it is not so/,
  );
});

test('eventually() without words throws what its last attempt threw', async () => {
  const reason = new Error('gone');
  await assert.rejects(
    eventually(() => Promise.reject(reason), brief),
    (err) => err === reason,
  );
});
