import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { changesOf } from './print.ts';
import { parseSave } from './ruleset.ts';
import type { Section } from './section.ts';

const held = parseSave('*nat\n:A - [0:0]\n:B - [0:0]\n-A A -s 10.0.0.1/32 -j B\n-A A -j RETURN\n-A B -j ACCEPT\nCOMMIT\n');

describe('changesOf()', () => {
  const cases: readonly [title: string, section: Omit<Section, 'table'>, commands: readonly string[]][] = [
    ['says nothing of a chain that has these rules in other words', { fill: new Map([['A', ['-s 10.0.0.1 -j B', '-j RETURN']]]) }, []],
    ['makes a chain that is not there', { fill: new Map([['C', ['-j A']]]) }, ['-t nat -N C', '-t nat -A C -j A']],
    [
      'takes out and adds what differs',
      { fill: new Map([['A', ['-j RETURN', '-j DROP']]]) },
      ['-t nat -D A -s 10.0.0.1/32 -j B', '-t nat -A A -j DROP'],
    ],
    [
      'writes a chain anew whose order differs',
      { fill: new Map([['A', ['-j RETURN', '-s 10.0.0.1/32 -j B']]]) },
      ['-t nat -F A', '-t nat -A A -j RETURN', '-t nat -A A -s 10.0.0.1/32 -j B'],
    ],
    [
      'removes and inserts',
      { remove: new Map([['B', ['-j ACCEPT']]]), insert: new Map([['B', ['-j DROP']]]) },
      ['-t nat -D B -j ACCEPT', '-t nat -I B -j DROP'],
    ],
    [
      'edits by places',
      {
        edit: new Map([
          [
            'A',
            [
              { kind: 'insert', at: 1, rule: '-j B' },
              { kind: 'replace', at: 3, rule: '-j DROP' },
              { kind: 'remove', at: 2 },
            ],
          ],
        ]),
      },
      ['-t nat -I A 1 -j B', '-t nat -R A 3 -j DROP', '-t nat -D A 2'],
    ],
    ['empties a chain before it drops it', { drop: ['B'] }, ['-t nat -D B -j ACCEPT', '-t nat -X B']],
  ];
  for (const [title, section, commands] of cases)
    test(title, () =>
      assert.deepEqual(
        Array.from(changesOf(held, [{ table: 'nat', ...section }]), ({ text }) => text),
        commands,
      ),
    );
});
