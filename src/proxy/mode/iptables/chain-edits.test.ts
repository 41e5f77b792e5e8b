/** EDITS_SEED=N repeats a run. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { seededRandom } from '../../../clock/testing/seeded-random.ts';
import type { RuleEdit } from '../../../linux/iptables/section.ts';
import { chainEdits, editsAtATime } from './chain-edits.ts';

const seed = Number(process.env.EDITS_SEED ?? Date.now() % 2 ** 32);
const isSame = (a: string, b: string): boolean => a === b;
const mark = '-d 10.96.0.1/32 -j KUBE-MARK-MASQ';

/** As they are rendered, with the count of those behind in place of a chance. */
function chain(endpoints: readonly string[], { marks = [mark], sticky = false } = {}): string[] {
  return [
    ...marks,
    ...(sticky ? endpoints.map((one) => `-m recent --rcheck --name ${one} -j KUBE-SEP-${one}`) : []),
    ...endpoints.map((one, i) => `${i === endpoints.length - 1 ? '' : `--one-in ${endpoints.length - i} `}-j KUBE-SEP-${one}`),
  ];
}

function done(rules: readonly string[], edits: readonly RuleEdit[]): string[] {
  const edited = [...rules];
  for (const edit of edits) {
    assert.ok(edit.at >= 1 && edit.at <= edited.length, `no place ${edit.at}`);
    edited.splice(edit.at - 1, edit.kind === 'insert' ? 0 : 1, ...(edit.kind === 'remove' ? [] : [edit.rule]));
  }
  return edited;
}

const letters = (text: string): string[] => [...text];

describe('chainEdits()', () => {
  const cases: readonly (readonly [what: string, before: string, after: string, edits: string])[] = [
    ['nothing', 'abc', 'abc', ''],
    ['one in the place of another', 'abc', 'axc', 'replace 3'],
    ['one more in front', 'abc', 'xabc', 'insert 2'],
    ['two more in front, each before what is there', 'abc', 'xyabc', 'insert 2, insert 3'],
    ['one fewer in front', 'abc', 'bc', 'remove 2'],
    ['one fewer, whose place the first takes', 'abcd', 'bad', 'remove 2, replace 3'],
  ];
  for (const [what, before, after, expected] of cases)
    test(what, () => {
      const edits = chainEdits(chain(letters(before)), chain(letters(after)), isSame) ?? [];
      assert.equal(edits.map(({ kind, at }) => `${kind} ${at}`).join(', '), expected);
    });

  test('a chain that leads nowhere, or in another order, is written anew', () => {
    assert.equal(chainEdits([mark], chain(['a']), isSame), undefined);
    assert.equal(chainEdits(chain(['a']), [mark], isSame), undefined);
    assert.equal(chainEdits([...chain(['a']), mark], chain(['a']), isSame), undefined);
    assert.equal(chainEdits(chain(['a', 'b'], { sticky: true }).toReversed(), chain(['a']), isSame), undefined);
  });

  test(`any chain comes to any other, and wherever one stops each packet finds an endpoint by the right chance (EDITS_SEED=${seed})`, () => {
    const below = seededRandom(seed);
    const some = (): string[] => [...new Set(Array.from({ length: below(30) + 1 }, () => String(below(60))))];
    const options = (): Parameters<typeof chain>[1] => ({
      marks: Array.from({ length: below(3) }, (_, i) => `${mark}${i}`),
      sticky: below(2) === 0,
    });
    for (let run = 0; run < 200; run++) {
      const [held, wanted] = [chain(some(), options()), chain(some(), options())];
      const edits = chainEdits(held, wanted, isSame) ?? assert.fail();
      assert.deepEqual(done(held, edits), wanted);
      for (let stop = 0; stop <= edits.length; stop++) {
        const choices = done(held, edits.slice(0, stop)).filter((rule) => rule.includes('-j KUBE-SEP-') && !rule.includes('recent'));
        const counts = choices.map((rule) => Number(/--one-in (\d+)/.exec(rule)?.[1] ?? 1));
        assert.equal(counts.at(-1), 1);
        // While some come in front, those behind them are not counted by all.
        assert.ok(counts.every((count, i) => count >= choices.length - i));
      }
    }
  });

  test('between transactions very many that come in front have the right chance, too', () => {
    const many = Array.from({ length: 2 * editsAtATime + 10 }, (_, i) => `x${i}`);
    const [held, wanted] = [chain(['a', 'b']), chain([...many, 'a', 'b'])];
    const edits = chainEdits(held, wanted, isSame) ?? [];
    for (let end = editsAtATime; end < edits.length; end += editsAtATime) {
      const choices = done(held, edits.slice(0, end)).slice(1);
      assert.deepEqual(choices, wanted.slice(-choices.length));
    }
    assert.deepEqual(done(held, edits), wanted);
  });
});
