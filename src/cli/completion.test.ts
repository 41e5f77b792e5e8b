import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import type { Command } from './command.ts';
import { completionScript, type Shell, shells } from './completion.ts';

const root: Command = {
  name: 'tool',
  summary: 'works',
  subcommands: [
    {
      name: 'lab',
      summary: 'somebody\'s `own` "place": $HOME [x]',
      subcommands: [
        { name: 'up', summary: 'starts it', options: { attach: { type: 'boolean', default: true, help: 'Reach it' } } },
        {
          name: 'show',
          summary: 'shows it',
          completes: { words: ['one', 'two'] },
          options: {
            output: { type: 'string', short: 'o', choices: ['json', 'yaml'], help: 'How' },
            name: { type: 'string', help: 'Which' },
            secret: { type: 'string', hidden: true, help: '' },
          },
        },
        { name: 'load', summary: 'reads a file', completes: { files: true } },
        { name: 'odd', summary: 'is not shown', hidden: true },
      ],
    },
    { name: 'up', summary: 'is another one' },
  ],
};

const dir = mkdtempSync(join(tmpdir(), 'completion-'));
after(() => rmSync(dir, { recursive: true }));
writeFileSync(join(dir, 'a-file'), '');
for (const shell of shells) writeFileSync(join(dir, shell), completionScript(shell, root));

/** What each shell offers for a line whose last word is being typed, sorted. */
const ask: Readonly<Record<Shell, (line: string) => string>> = {
  bash: (line) => {
    const words = line.split(' ').map((word) => `'${word}'`);
    const script = `compopt() { :; }; source ./bash; COMP_WORDS=(${words.join(' ')}); COMP_CWORD=${words.length - 1}; _tool; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return execFileSync('bash', ['-c', script], { cwd: dir, encoding: 'utf8' });
  },
  // Outside the line editor these functions have nothing to add to: they say what they were given.
  zsh: (line) => {
    const words = line.split(' ');
    const current = words.at(-1) ?? '';
    const stubs = `_describe() { print -l -- \${\${(P)\${@[-1]}}%%:*} }; _files() { print -l * }; compadd() { shift; print -l -- $@ }`;
    const script = `${stubs}; source ./zsh; words=(${words.map((word) => `'${word}'`).join(' ')}); CURRENT=${words.length}; _tool`;
    const offered = execFileSync('zsh', ['-fc', script], { cwd: dir, encoding: 'utf8' }).split('\n');
    return offered.filter((word) => word.startsWith(current)).join('\n');
  },
  fish: (line) => {
    const script = `source ./fish; complete -C '${line}'`;
    const offered = execFileSync('fish', ['--no-config', '-c', script], { cwd: dir, encoding: 'utf8' });
    return offered.replaceAll(/\t.*/g, '');
  },
};

function missing(shell: Shell): string | false {
  try {
    execFileSync(shell, ['--version'], { stdio: 'ignore' });
    return false;
  } catch {
    return `${shell} is not installed`;
  }
}

const files = ['a-file', 'bash', 'fish', 'zsh'];
const cases: [string, string, string[]][] = [
  ['commands', 'tool ', ['lab', 'up']],
  ['the beginning of a command', 'tool l', ['lab']],
  ['commands below one, without the hidden', 'tool lab ', ['load', 'show', 'up']],
  ['words of a command', 'tool lab show ', ['one', 'two']],
  ['options', 'tool lab show --', ['--help', '--name', '--output']],
  ['an option that can be turned off', 'tool lab up --no', ['--no-attach']],
  ['the values of an option', 'tool lab show --output ', ['json', 'yaml']],
  ['words behind an option with its value', 'tool lab show --output json t', ['two']],
  ['the command that was meant, not a value that is called like one', 'tool lab show --name up o', ['one']],
  ['files', 'tool lab load ', files],
];

for (const shell of shells)
  describe(`the completion of ${shell}`, { skip: missing(shell) }, () => {
    for (const [name, line, want] of cases)
      test(`offers ${name}`, () => {
        assert.deepEqual(ask[shell](line).split('\n').filter(Boolean).toSorted(), want);
      });
  });

test('fish is told the commands, words, options and values of each place', () => {
  const lines = completionScript('fish', root)
    .split('\n')
    .filter((line) => line.includes("__tool_at 'lab show'") || line.includes("__tool_at 'lab'"));
  const [show, lab] = [`-n "__tool_at 'lab show'"`, `-n "__tool_at 'lab'"`];
  assert.deepEqual(lines, [
    `complete -c tool -f ${lab} -a up -d 'starts it'`,
    `complete -c tool -f ${lab} -a show -d 'shows it'`,
    `complete -c tool -f ${lab} -a load -d 'reads a file'`,
    `complete -c tool ${lab} -l help -d 'What it does and takes'`,
    `complete -c tool -f ${show} -a one`,
    `complete -c tool -f ${show} -a two`,
    `complete -c tool ${show} -l output -x -a 'json yaml' -d 'How'`,
    `complete -c tool ${show} -l name -r -d 'Which'`,
    `complete -c tool ${show} -l help -d 'What it does and takes'`,
  ]);
});
