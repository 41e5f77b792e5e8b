import assert from 'node:assert/strict';
import { test } from 'node:test';
import { helpText } from './help-text.ts';

test('helpText() says what a command does and takes, with what is worth saying of defaults', () => {
  const text = helpText('tool show', {
    name: 'show',
    summary: 'shows it',
    usage: '[NAME]',
    examples: ['tool show a # the first', 'tool show'],
    options: {
      output: { type: 'string', short: 'o', default: 'table', choices: ['table', 'json'], help: 'how' },
      range: { type: 'string', default: '', value: 'CIDR', help: 'where' },
      text: { type: 'string', help: 'words' },
      all: { type: 'boolean', default: false, help: 'also the rest' },
      colour: { type: 'boolean', default: true, help: 'coloured' },
      secret: { type: 'string', hidden: true, help: 'not shown' },
    },
  });
  assert.equal(
    text,
    `tool show [NAME]: shows it

Options (each also as an environment variable, FAIRLEAD_NAME_OF_OPTION):
  -o, --output table|json  how (default table)
      --range CIDR         where
      --text TEXT          words
      --all                also the rest
      --colour             coloured (default true)

Examples:
  tool show a  # the first
  tool show
`,
  );
});

test('helpText() lists the commands below one, and nothing that there is not', () => {
  const subcommands = [
    { name: 'a', summary: 'does one thing' },
    { name: 'other', summary: 'does another' },
    { name: 'odd', summary: 'is not shown', hidden: true },
  ];
  assert.equal(
    helpText('tool', { name: 'tool', summary: 'works', subcommands }),
    `tool: works

Commands:
  a      does one thing
  other  does another

"tool COMMAND --help" tells more about one.
`,
  );
});
