import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { choose } from './choice.ts';

describe('choose()', () => {
  const known = ['kubelet', 'proxy', 'dns'];
  const cases: [string, string, string[]][] = [
    ['takes all of them', '*', ['kubelet', 'proxy', 'dns']],
    ['leaves one out', '*,-proxy', ['kubelet', 'dns']],
    ['takes those that are named, in the known order', 'dns,kubelet', ['kubelet', 'dns']],
    ['takes none when only exclusions stand there, as upstream does', '-proxy', []],
    ['lets an exclusion win over the name itself', 'proxy,-proxy', []],
    ['takes none from an empty list', '', []],
  ];
  for (const [name, text, want] of cases)
    test(name, () => {
      assert.deepEqual(choose('parts', text, known), want);
    });

  test('refuses a name that nothing has, and tells the near one', () => {
    assert.throws(() => choose('parts', '*,-prox', known), /--parts="\*,-prox": there is no "prox"/);
    assert.throws(
      () => choose('parts', '*,-prox', known),
      (err: { hint?: string }) => /"proxy"/.test(err.hint ?? ''),
    );
  });
});
