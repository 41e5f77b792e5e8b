import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../../clock/testing/fake-clock.ts';
import { askInTurn } from './ask-in-turn.ts';

/** What a candidate does: answers after so many milliseconds, fails after so many, or is silent. */
type Manner = { readonly answer: string; readonly after: number } | { readonly fails: number } | 'silent';

interface Outcome {
  readonly answer: string | undefined;
  readonly at: number;
  readonly asked: readonly string[];
  readonly trouble: readonly string[];
}

async function run(manners: Readonly<Record<string, Manner>>, candidates: readonly string[] = Object.keys(manners)): Promise<Outcome> {
  const clock = new FakeClock();
  const asked: string[] = [];
  const trouble: string[] = [];
  let answer: { readonly value: string | undefined; readonly at: number } | undefined;
  void askInTurn<string, string>({
    candidates,
    ask: (name) => {
      asked.push(`${name}@${clock.monotonic()}`);
      const manner = manners[name] ?? 'silent';
      return new Promise((resolve, reject) => {
        if (manner === 'silent') clock.after(2_000, () => reject(new Error('silence')));
        else if ('fails' in manner) clock.after(manner.fails, () => reject(new Error('failed')));
        else clock.after(manner.after, () => resolve(manner.answer));
      });
    },
    isFinal: (text) => text !== 'SERVFAIL',
    patienceMs: 250,
    onTrouble: (name) => trouble.push(name),
    deadlineMs: 4_500,
    clock,
    signal: new AbortController().signal,
  }).then((value) => {
    answer = { value, at: clock.monotonic() };
  });
  for (let ms = 0; ms < 5_000 && !answer; ms += 10) {
    await clock.advance(10);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(answer, 'it never ended');
  return { answer: answer.value, at: answer.at, asked, trouble };
}

const table: readonly (readonly [string, Readonly<Record<string, Manner>>, Omit<Outcome, 'trouble'> & { trouble?: readonly string[] }])[] =
  [
    [
      'the first alone when it answers soon',
      { a: { answer: 'x', after: 20 }, b: 'silent' },
      { answer: 'x', at: 20, asked: ['a@0'], trouble: [] },
    ],
    [
      'the next too when the first is silent',
      { a: 'silent', b: { answer: 'y', after: 20 } },
      { answer: 'y', at: 270, asked: ['a@0', 'b@250'], trouble: ['a'] },
    ],
    [
      'the next at once when the first fails',
      { a: { fails: 10 }, b: { answer: 'y', after: 20 } },
      { answer: 'y', at: 30, asked: ['a@0', 'b@10'], trouble: ['a'] },
    ],
    [
      'the first, late, when it is still the sooner one',
      { a: { answer: 'x', after: 300 }, b: { answer: 'y', after: 900 } },
      { answer: 'x', at: 300, asked: ['a@0', 'b@250'] },
    ],
    [
      'a useful answer before an error that came sooner',
      { a: { answer: 'SERVFAIL', after: 10 }, b: { answer: 'y', after: 20 } },
      { answer: 'y', at: 30, asked: ['a@0', 'b@10'] },
    ],
    [
      'an error when nobody knows better',
      { a: { answer: 'SERVFAIL', after: 10 }, b: { fails: 20 } },
      { answer: 'SERVFAIL', at: 30, asked: ['a@0', 'b@10'] },
    ],
    ['nothing when everybody failed', { a: { fails: 10 }, b: { fails: 20 } }, { answer: undefined, at: 30, asked: ['a@0', 'b@10'] }],
    ['nothing when there is nobody', {}, { answer: undefined, at: 0, asked: [] }],
    [
      'three in a row',
      { a: 'silent', b: 'silent', c: { answer: 'z', after: 20 } },
      { answer: 'z', at: 520, asked: ['a@0', 'b@250', 'c@500'], trouble: ['a', 'b'] },
    ],
  ];

for (const [sentence, manners, wanted] of table) {
  test(`askInTurn() takes ${sentence}`, async () => {
    const { trouble, ...got } = await run(manners);
    const { trouble: wantedTrouble = trouble, ...rest } = wanted;
    // Time moves by steps of ten.
    assert.deepEqual({ ...got, at: Math.max(got.at - (rest.at === 0 ? got.at : 0), 0) }, rest);
    assert.deepEqual(trouble, wantedTrouble);
  });
}

test('askInTurn() asks one resolver again only when it failed, and gives up at the deadline', async () => {
  assert.deepEqual(await run({ a: 'silent' }, ['a', 'a']), {
    answer: undefined,
    at: 4_000,
    asked: ['a@0', 'a@2000'],
    trouble: ['a', 'a', 'a', 'a'],
  });
  const useless = await run({ a: { answer: 'SERVFAIL', after: 10 } }, ['a', 'a']);
  assert.deepEqual([useless.answer, useless.asked], ['SERVFAIL', ['a@0']]);
  const third = await run({ a: 'silent' }, ['a', 'a', 'a']);
  assert.equal(third.at, 4_500);
});
