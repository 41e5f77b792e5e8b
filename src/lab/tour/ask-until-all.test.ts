import assert from 'node:assert/strict';
import { test } from 'node:test';
import { askUntilAll } from './ask-until-all.ts';

/** Answers one after the other; an Error is thrown, and the last one stays. */
function answering(...answers: readonly (string | Error)[]): () => Promise<string> {
  let i = 0;
  return () => {
    const answer = answers[Math.min(i++, answers.length - 1)]!;
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  };
}

test('askUntilAll() gives each answer once, sorted, as soon as all have answered', async () => {
  assert.equal(await askUntilAll(answering('pod=b', 'pod=b', 'pod=a', 'pod=c'), ['a', 'b'], 3), 'pod=a\npod=b');
});

test('askUntilAll() says how many requests failed on the way, and why', async () => {
  const get = answering(new Error('reset'), 'pod=a', new Error('refused'), 'pod=b');
  assert.equal(await askUntilAll(get, ['a', 'b'], 4), 'pod=a\npod=b\n(2 of 4 requests failed: refused)');
});

test('askUntilAll() names those that never answered', async () => {
  await assert.rejects(askUntilAll(answering('pod=a'), ['a', 'b', 'c'], 5), { message: 'b, c did not answer in 5 tries' });
  await assert.rejects(askUntilAll(answering(new Error('reset')), ['a'], 2), { message: 'a did not answer in 2 tries (reset)' });
});
