import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../clock/testing/fake-clock.ts';
import { KnownError } from '../errors/known-error.ts';
import { runCommand } from './cli.ts';
import { type Command, defineCommand } from './command.ts';
import { renderOutput } from './output.ts';
import { Progress } from './progress.ts';

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function run(root: Command, argv: string[], env: Record<string, string> = {}): Promise<Ran> {
  let [out, err] = ['', ''];
  const signal = new AbortController().signal;
  const code = await runCommand(root, { argv, env, signal, stdout: (t) => (out += t), stderr: (t) => (err += t) });
  return { code, out, err };
}

const seen: unknown[] = [];
const up = defineCommand({
  name: 'up',
  summary: 'starts it',
  usage: 'WHAT',
  examples: ['fairlead up a # starts a', 'fairlead up --no-attach a'],
  options: {
    'pod-cidr': { type: 'string', default: '10.244.0.0/16', value: 'CIDR', help: 'The range of pods' },
    attach: { type: 'boolean', default: true, help: 'Reach it from here' },
    egress: { type: 'string', default: 'none', choices: ['none', 'nat'], help: 'The way out' },
  },
  async run({ values, positionals, rest }) {
    seen.push({ ...values, positionals, rest });
    return undefined;
  },
});
const failing: Command = {
  name: 'fail',
  summary: 'fails',
  run: async () => {
    throw new KnownError('PORT_TAKEN', 'Cannot listen on "10.0.0.1:53": it is taken', { hint: 'End the other program' });
  },
};
const checking: Command = {
  name: 'check',
  summary: 'finds something',
  run: async () => {
    throw new KnownError('CHECK_FAILED', 'Two of three checks failed');
  },
};
const full: Command = {
  name: 'full',
  summary: 'meets a full disk',
  run: async () => {
    throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  },
};
const picky = defineCommand({
  name: 'picky',
  summary: 'dislikes its size',
  options: { size: { type: 'string', default: '1', help: 'How large' }, name: { type: 'string', help: 'Which', isForgotten: true } },
  async run({ values }) {
    throw new KnownError('USAGE', `Cannot use --size="${values.size}": it is no size`, { cause: new Error('it is no size') });
  },
});
const copying: Command = {
  name: 'copy',
  summary: 'runs a program that meets a full disk',
  run: async () => {
    throw new KnownError('COMMAND_FAILED', 'Cannot run "cp a b": exit code 1: cp: error writing b: No space left on device');
  },
};
const root: Command = { name: 'fairlead', summary: 'guides', subcommands: [up, failing, checking, full, picky, copying] };

describe('cli', () => {
  const cases: { name: string; argv: string[]; env?: Record<string, string>; want: object }[] = [
    { name: 'defaults hold when nothing is given', argv: ['up'], want: { attach: true, 'pod-cidr': '10.244.0.0/16' } },
    { name: 'a flag is read', argv: ['up', '--pod-cidr', '10.1.0.0/16'], want: { 'pod-cidr': '10.1.0.0/16' } },
    { name: '--no- turns a flag off', argv: ['up', '--no-attach'], want: { attach: false } },
    { name: 'the environment is read', argv: ['up'], env: { FAIRLEAD_ATTACH: 'false' }, want: { attach: false } },
    { name: 'a flag wins over the environment', argv: ['up', '--attach'], env: { FAIRLEAD_ATTACH: '0' }, want: { attach: true } },
    { name: 'what follows -- is left alone', argv: ['up', 'a', '--', 'ls', '--all'], want: { positionals: ['a'], rest: ['ls', '--all'] } },
  ];
  for (const { name, argv, env, want } of cases) {
    test(name, async () => {
      seen.length = 0;
      assert.deepEqual(await run(root, argv, env), { code: 0, out: '', err: '' });
      assert.deepEqual({ ...(seen[0] as object), ...want }, seen[0]);
    });
  }

  const failures: { name: string; argv: string[]; code: number; says: RegExp }[] = [
    {
      name: 'an unknown flag is named',
      argv: ['up', '--atach'],
      code: 2,
      says: /no option "--atach"\n {2}next: Did you mean "--attach"\? See "fairlead up --help"/,
    },
    { name: 'an unknown command is named', argv: ['upp'], code: 2, says: /"fairlead upp": there is no such command/ },
    { name: 'a misspelt command is guessed', argv: ['chekc'], code: 2, says: /Did you mean "fairlead check"\?/ },
    { name: 'an unknown command has no help', argv: ['upp', '--help'], code: 2, says: /no such command/ },
    {
      name: 'a word too many is not passed over',
      argv: ['picky', 'two'],
      code: 2,
      says: /"fairlead picky": it takes no argument "two"\n {2}next: Did you mean "--name two"\? See "fairlead picky --help"/,
    },
    {
      name: 'a word too many, where no flag takes it, leads to the help',
      argv: ['fail', 'x'],
      code: 2,
      says: /no argument "x"\n {2}next: See "fairlead fail --help"/,
    },
    { name: 'a value that is missing is asked for', argv: ['picky', '--size'], code: 2, says: /: --size needs a value\n/ },
    { name: 'a value with a dash is explained', argv: ['picky', '--size', '-1'], code: 2, says: /next: Write --size=VALUE when/ },
    { name: 'a cause that the message names is not repeated', argv: ['picky'], code: 2, says: /^Error: [^\n]*: it is no size\n$/ },
    { name: 'a value outside its choices is named', argv: ['up', '--egress', 'x'], code: 2, says: /--egress="x": it takes none, nat/ },
    { name: 'no command shows the help', argv: [], code: 2, says: /Commands:/ },
    { name: 'a known error shows its hint', argv: ['fail'], code: 2, says: /taken\n {2}next: End the other program/ },
    { name: 'a full disk is no riddle', argv: ['full'], code: 2, says: /^Error: ENOSPC[^\n]*\n {2}next: Free some space/ },
    { name: 'a full disk that a program met is none either', argv: ['copy'], code: 2, says: /device\n {2}next: Free some space/ },
    { name: 'a failed check ends with 1', argv: ['check'], code: 1, says: /Two of three/ },
  ];
  for (const { name, argv, code, says } of failures) {
    test(name, async () => {
      const ran = await run(root, argv);
      assert.equal(ran.code, code);
      assert.match(ran.err, says);
    });
  }

  test('an error of the machine has its hint, one with a cause says it, any other keeps its stack', async () => {
    const said = async (err: unknown): Promise<string> => {
      const thrower: Command = {
        name: 'do',
        summary: '',
        run: async () => {
          throw err;
        },
      };
      return (await run({ ...root, subcommands: [thrower] }, ['do'])).err;
    };
    const failed = (code: string): Promise<string> => said(Object.assign(new Error(`${code}: no`), { code }));
    assert.equal(await failed('EROFS'), 'Error: EROFS: no\n  next: The file system is mounted read-only\n');
    assert.equal(await failed('EACCES'), 'Error: EACCES: no\n  next: Run it as a user who may, or with sudo\n');
    assert.equal(await failed('ENOENT'), 'Error: ENOENT: no\n  next: Check the path\n');
    const cp = new KnownError('COMMAND_FAILED', 'Cannot run "cp a b": Read-only file system');
    assert.equal(await said(cp), 'Error: Cannot run "cp a b": Read-only file system\n  next: The file system is mounted read-only\n');
    const because = new KnownError('STORE_IO', 'Cannot read "a"', { cause: new Error('it burns'), hint: 'Put it out' });
    assert.equal(await said(because), 'Error: Cannot read "a"\n  because: it burns\n  next: Put it out\n');
    assert.match(await said(new TypeError('a bug')), /^TypeError: a bug\n +at /);
    assert.equal(await said('text'), 'Error: text\n');
  });

  test('an interrupted command says what is left, and ends with 130', async () => {
    const abort = new AbortController();
    let err = '';
    const command = (interrupted: object): Command => ({
      name: 'do',
      summary: '',
      ...interrupted,
      run: async () => {
        abort.abort();
        throw new Error('ended');
      },
    });
    for (const interrupted of [{}, { interrupted: 'go on with "do"' }]) {
      const one = { ...root, subcommands: [command(interrupted)] };
      const code = await runCommand(one, { argv: ['do'], env: {}, signal: abort.signal, stdout: () => {}, stderr: (t) => (err += t) });
      assert.equal(code, 130);
    }
    assert.equal(err, 'Interrupted\nInterrupted: go on with "do"\n');
  });

  test('--version is the command version, and only in front', async () => {
    const version: Command = { name: 'version', summary: '', run: async () => 7 };
    const withVersion = { ...root, subcommands: [...(root.subcommands ?? []), version] };
    assert.equal((await run(withVersion, ['--version'])).code, 7);
    assert.match((await run(withVersion, ['up', '--version'])).err, /no option "--version"/);
  });

  test('--help behind -- is a word like any other', async () => {
    seen.length = 0;
    assert.deepEqual(await run(root, ['up', 'a', '--', '--help']), { code: 0, out: '', err: '' });
    assert.match((await run(root, ['up', 'a', '--help', '--', 'x'])).out, /^fairlead up WHAT: starts it/);
    assert.match((await run(root, ['up', '-h'])).out, /^fairlead up WHAT: starts it/);
  });

  test('a refused value says which variable it came from', async () => {
    const ran = await run(root, ['picky'], { FAIRLEAD_SIZE: 'x' });
    assert.match(ran.err, /--size="x"[^\n]*\n {2}note: --size is set by the environment variable FAIRLEAD_SIZE\n$/);
  });

  test('help may stand in front of a command', async () => {
    assert.deepEqual(await run(root, ['help', 'up']), await run(root, ['up', '--help']));
  });

  test('help that is asked for is an answer, and help in place of a command is none', async () => {
    const { code, out, err } = await run(root, ['--help']);
    assert.deepEqual([code, err, /Commands:/.test(out)], [0, '', true]);
    assert.deepEqual(await run(root, []), { code: 2, out: '', err: out });
  });

  test('--help lines up its examples', async () => {
    assert.match((await run(root, ['up', '--help'])).out, /Examples:\n {2}fairlead up a {14}# starts a\n {2}fairlead up --no-attach a\n$/);
  });

  test('--help names every option with its default', async () => {
    const ran = await run(root, ['up', '--help']);
    assert.match(ran.out, /--pod-cidr CIDR +The range of pods \(default 10\.244\.0\.0\/16\)/);
  });

  test('progress is a ✓ line on a terminal and a timestamped one elsewhere', async () => {
    for (const [terminal, want] of [
      [true, ' ✓ Nodes (1.5 s)\n'],
      [false, '2026-01-01T00:00:01.500Z ✓ Nodes (1.5 s)\n'],
    ] as const) {
      const clock = new FakeClock();
      let out = '';
      const progress = new Progress({ clock, terminal, colour: false, write: (t) => (out += t) });
      await progress.step('Nodes', () => clock.advance(1500));
      assert.equal(out, want);
    }
  });

  test('progress says what failed, what it found and what it warns of, in colour where that is wanted', async () => {
    let out = '';
    const write = (t: string): void => {
      out += t;
    };
    const plain = new Progress({ clock: new FakeClock(), terminal: true, colour: false, write });
    await assert.rejects(plain.step('Nodes', () => Promise.reject(new Error('no'))));
    await assert.rejects(
      plain.step(
        () => 'never said',
        () => Promise.reject(new Error('no')),
      ),
    );
    await plain.step(
      (n: number) => `${n} nodes`,
      async () => 3,
    );
    plain.note('found a');
    plain.warn('mind b');
    assert.equal(out, ' ✗ Nodes (0.0 s)\n ✓ 3 nodes (0.0 s)\n • found a\n ! mind b\n');
    out = '';
    const coloured = new Progress({ clock: new FakeClock(), terminal: true, colour: true, write });
    await coloured.step('Nodes', async () => {});
    coloured.note('a');
    assert.equal(out, ' \x1b[32m✓\x1b[0m Nodes\x1b[2m (0.0 s)\x1b[0m\n \x1b[36m•\x1b[0m a\x1b[2m\x1b[0m\n');
  });

  test('the same data prints as a table, as names and as JSON', () => {
    const items = [{ name: 'a', ip: '10.0.0.1' }];
    const columns = [
      { title: 'NAME', cell: (i: { name: string }) => i.name },
      { title: 'IP', cell: (i: { ip: string }) => i.ip, wide: true },
    ];
    const render = (format: 'table' | 'wide' | 'json' | 'name'): string =>
      renderOutput(format, items, items, columns as never, (i) => i.name);
    assert.equal(render('table'), 'NAME\na\n');
    assert.equal(render('wide'), 'NAME   IP\na      10.0.0.1\n');
    assert.equal(render('name'), 'a\n');
    assert.deepEqual(JSON.parse(render('json')), items);
  });
});
