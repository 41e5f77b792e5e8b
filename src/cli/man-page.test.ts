import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Command } from './command.ts';
import { manPage } from './man-page.ts';

const run = async (): Promise<number> => 0;
const root: Command = {
  name: 'boat',
  summary: 'sails',
  subcommands: [
    {
      name: 'go',
      summary: 'leave',
      usage: 'WHERE',
      run,
      examples: ['boat go --fast # with wind', ".hidden 'file'"],
      options: {
        speed: { type: 'string', short: 's', value: 'KNOTS', help: 'how fast', default: '5' },
        sail: { type: 'string', choices: ['red', 'white'], help: 'red, or …' },
        'at-once': { type: 'boolean', help: 'a path such as C:\\x', default: false },
        secret: { type: 'boolean', help: 'nobody sees it', hidden: true },
      },
    },
    { name: 'crew', summary: 'people', subcommands: [{ name: 'hire', summary: 'take one on', run }] },
    { name: 'inner', summary: 'not for people', hidden: true, run },
  ],
};

test('manPage() holds every command that is shown, with what its help says, in the words of man(7)', () => {
  const page = manPage(root, { version: '1.2', exitCodes: [[0, 'fine']], files: [['/etc/boat-d', 'its settings']] });
  assert.equal(
    page,
    `.TH BOAT 1 "" "boat 1.2" "boat"
.SH NAME
boat \\- sails
.SH SYNOPSIS
\\fBboat\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR]
.br
\\fBboat\\fR \\fICOMMAND\\fR \\fB\\-\\-help\\fR
.SH COMMANDS
.SS "boat go WHERE"
leave
.TP
\\fB\\-s\\fR, \\fB\\-\\-speed\\fR \\fIKNOTS\\fR
how fast (default 5)
.TP
\\fB\\-\\-sail\\fR \\fIred|white\\fR
red, or ...
.TP
\\fB\\-\\-at\\-once\\fR
a path such as C:\\ex
.PP
Examples:
.PP
.RS 4
.nf
boat go \\-\\-fast # with wind
\\&.hidden 'file'
.fi
.RE
.SS "boat crew hire"
take one on
.SH ENVIRONMENT
Every option is also an environment variable: \\fB\\-\\-log\\-level\\fR is \\fBFAIRLEAD_LOG_LEVEL\\fR.
.SH FILES
.TP
\\fI/etc/boat\\-d\\fR
its settings
.SH EXIT STATUS
.TP
\\fB0\\fR
fine
`,
  );
});
