import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isKnownError } from '../errors/known-error.ts';
import type { OptionSpecs } from './command.ts';
import { parseInvocation } from './parse-invocation.ts';

const options: OptionSpecs = {
  size: { type: 'string', short: 's', default: '1', help: '' },
  mode: { type: 'string', choices: ['a', 'b'], help: '' },
  'in-place': { type: 'boolean', help: '' },
  file: { type: 'string', short: 'f', several: true, help: '' },
};

function parse(argv: readonly string[], env: Record<string, string> = {}): ReturnType<typeof parseInvocation> {
  return parseInvocation('tool do', { options, usage: 'FILE' }, argv, env);
}

describe('parseInvocation()', () => {
  const values: (readonly [what: string, argv: readonly string[], env: Record<string, string>, want: object])[] = [
    ['defaults', [], {}, { size: '1', mode: undefined, 'in-place': undefined }],
    ['a short name', ['-s', '2'], {}, { size: '2' }],
    ['the last of several', ['--size', '2', '--size=3'], {}, { size: '3' }],
    ['all of several, where each counts', ['-f', 'a', '--file=b,c'], {}, { file: 'a,b,c' }],
    ['one of what may be several', ['-f', 'a'], {}, { file: 'a' }],
    ["a short name as Go's programs take it", ['-s=2'], {}, { size: '2' }],
    ['a switch with a value', ['--in-place=true'], {}, { 'in-place': true }],
    ['a switch that a value turns off', ['--in-place=false'], {}, { 'in-place': false }],
    ...['1', 't', 'T', 'TRUE', 'True'].map((word) => [`"${word}" as Go does`, [`--in-place=${word}`], {}, { 'in-place': true }] as const),
    ...['0', 'f', 'F', 'FALSE', 'False'].map(
      (word) => [`"${word}" as Go does`, [`--in-place=${word}`], {}, { 'in-place': false }] as const,
    ),
    ['a text that is a word of switches', ['--size=true'], {}, { size: 'true' }],
    ['text of the environment, also none', [], { FAIRLEAD_SIZE: '' }, { size: '' }],
  ];
  for (const [word, want] of Object.entries({ 1: true, true: true, yes: true, 0: false, false: false, no: false, '': false }))
    values.push([`"${word}" of the environment as ${want}`, [], { FAIRLEAD_IN_PLACE: word }, { 'in-place': want }]);
  for (const [what, argv, env, want] of values)
    test(`reads ${what}`, () => {
      const { values: read } = parse(argv, env);
      assert.deepEqual({ ...read, ...want }, read);
    });

  test("tells what is the environment's, and what stands behind --", () => {
    const { inherited, positionals, rest } = parse(['x', '--size', '2', '--', '--mode', '--'], { FAIRLEAD_SIZE: '9', FAIRLEAD_MODE: 'a' });
    assert.deepEqual({ inherited, positionals, rest }, { inherited: ['mode'], positionals: ['x'], rest: ['--mode', '--'] });
    assert.deepEqual([parse([]).rest, parse(['--', 'x']).rest], [[], ['x']]);
  });

  const refusals: readonly (readonly [argv: string[], env: Record<string, string>, says: string, hint: string])[] = [
    [['--sise'], {}, 'Cannot run "tool do": there is no option "--sise"', 'Did you mean "--size"? See "tool do --help"'],
    [['--no-in-plac'], {}, 'Cannot run "tool do": there is no option "--no-in-plac"', 'Did you mean "--no-in-place"? See "tool do --help"'],
    [['-x'], {}, 'Cannot run "tool do": there is no option "-x"', 'See "tool do --help"'],
    [['-s'], {}, 'Cannot run "tool do": --size needs a value', 'See "tool do --help"'],
    [
      ['--size', '--mode'],
      {},
      'Cannot run "tool do": --size needs a value, and what follows begins with a dash',
      'Write --size=VALUE when the value itself begins with a dash',
    ],
    [['--in-place=x'], {}, `Cannot run "tool do": Option '--in-place' does not take an argument`, 'See "tool do --help"'],
    [['--mode', 'c'], {}, 'Cannot use --mode="c": it takes a, b', 'See "tool do --help"'],
    [[], { FAIRLEAD_MODE: 'c' }, 'Cannot use FAIRLEAD_MODE="c": it takes a, b', 'See "tool do --help"'],
    [[], { FAIRLEAD_IN_PLACE: 'x' }, 'Cannot read FAIRLEAD_IN_PLACE="x": it takes true or false', 'See "tool do --help"'],
  ];
  for (const [argv, env, says, hint] of refusals)
    test(`refuses ${JSON.stringify(argv)} with ${JSON.stringify(env)}`, () => {
      assert.throws(
        () => parse(argv, env),
        (err) => {
          assert.ok(isKnownError(err, 'USAGE'));
          assert.deepEqual([err.message, err.hint], [says, hint]);
          return true;
        },
      );
    });
});
