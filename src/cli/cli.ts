/** Runs the command that a line names, and says what went wrong in words for people. */
import { isKnownError, KnownError, messageOf, systemCode } from '../errors/known-error.ts';
import { type Command, environmentName, type Invocation } from './command.ts';
import { helpText } from './help-text.ts';
import { nearest } from './nearest.ts';
import { parseInvocation } from './parse-invocation.ts';

export interface RunOptions {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  readonly signal: AbortSignal;
}

/** Finds the command that the line names, below `root`. `help` may stand before any word: it is a `--help` behind all. */
function resolve(root: Command, argv: readonly string[]): { command: Command; path: string; argv: readonly string[] } {
  let command = root;
  let path = root.name;
  let rest = argv;
  for (;;) {
    const word = rest[0] === '--version' && command === root ? 'version' : rest[0];
    if (word === 'help' && command.subcommands) {
      rest = [...rest.slice(1), '--help'];
      continue;
    }
    const next = command.subcommands?.find((c) => c.name === word);
    if (!next) return { command, path, argv: rest };
    command = next;
    path = `${path} ${next.name}`;
    rest = rest.slice(1);
  }
}

/** What to do about errors of the machine that anything may run into. */
const systemHints: Readonly<Record<string, string>> = {
  EACCES: 'Run it as a user who may, or with sudo',
  EDQUOT: 'Free some space, then run it again',
  EMFILE: 'Raise the limit of open files: ulimit -n',
  ENOSPC: 'Free some space, then run it again',
  EPERM: 'Run it as root',
  ENOENT: 'Check the path',
  EROFS: 'The file system is mounted read-only',
};

/** The same, where it was a program that ran into it: its words are part of the message. */
const saidHints: readonly (readonly [RegExp, string])[] = [
  [/No space left on device/, 'Free some space, then run it again'],
  [/Read-only file system/, 'The file system is mounted read-only'],
];

/** What a person reads about an error: what failed, why, and what to do next. */
function describeError(err: unknown): string {
  const system = systemHints[systemCode(err) ?? ''];
  if (!isKnownError(err) && system !== undefined) return `Error: ${messageOf(err)}\n  next: ${system}\n`;
  if (!isKnownError(err)) return err instanceof Error && err.stack ? `${err.stack}\n` : `Error: ${messageOf(err)}\n`;
  // Many messages already end with what caused them.
  const why = err.cause === undefined ? '' : messageOf(err.cause);
  const cause = why === '' || err.message.includes(why) ? '' : `\n  because: ${why}`;
  const next = err.hint ?? saidHints.find(([said]) => said.test(err.message))?.[1];
  const hint = next === undefined ? '' : `\n  next: ${next}`;
  return `Error: ${err.message}${cause}${hint}\n`;
}

function unknownCommand(path: string, word: string, command: Command): KnownError {
  const names = (command.subcommands ?? []).filter((c) => !c.hidden).map((c) => c.name);
  const near = nearest(word, names);
  return new KnownError('USAGE', `Cannot run "${path} ${word}": there is no such command`, {
    hint: near === undefined ? `See "${path} --help"` : `Did you mean "${path} ${near}"? See "${path} --help"`,
  });
}

/** A value that is refused may be nobody's typing but a variable's that was set long ago. */
function originOf(err: unknown, invocation: Omit<Invocation, 'signal'> | undefined): string {
  const name = invocation?.inherited.find((option) => messageOf(err).includes(`--${option}`));
  return name === undefined ? '' : `  note: --${name} is set by the environment variable ${environmentName(name)}\n`;
}

/** Runs the command that `argv` names and gives the exit code. Never throws. */
export async function runCommand(root: Command, options: RunOptions): Promise<number> {
  const { command, path, argv } = resolve(root, options.argv);
  let invocation: Omit<Invocation, 'signal'> | undefined;
  try {
    const help = helpInstead(command, path, argv);
    if (help) return sayHelp(help, options);
    invocation = parseInvocation(path, command, argv, options.env);
    return (await command.run?.({ ...invocation, signal: options.signal })) ?? 0;
  } catch (err) {
    if (options.signal.aborted) {
      options.stderr(`Interrupted${command.interrupted === undefined ? '' : `: ${command.interrupted}`}\n`);
      return 130;
    }
    options.stderr(describeError(err) + originOf(err, invocation));
    return isKnownError(err, 'CHECK_FAILED') ? 1 : 2;
  }
}

interface Help {
  readonly text: string;
  readonly isAskedFor: boolean;
}

/** The help, where it is asked for or all that there is to say. Throws USAGE for a command that is not there. */
function helpInstead(command: Command, path: string, argv: readonly string[]): Help | undefined {
  const own = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv;
  const [word] = own;
  if (!command.run && word !== undefined && !word.startsWith('-')) throw unknownCommand(path, word, command);
  const isAskedFor = own.includes('--help') || own.includes('-h');
  if (command.run && !isAskedFor) return undefined;
  if (word !== undefined && !isAskedFor) throw unknownCommand(path, word, command);
  return { text: helpText(path, command), isAskedFor };
}

function sayHelp({ text, isAskedFor }: Help, { stdout, stderr }: RunOptions): number {
  (isAskedFor ? stdout : stderr)(text);
  return isAskedFor ? 0 : 2;
}

/** Runs a command as this process: its arguments, streams and signals. A second SIGINT ends it at once. */
export async function runProcess(root: Command): Promise<void> {
  const abort = new AbortController();
  const onSignal = (name: NodeJS.Signals): void => {
    if (abort.signal.aborted) process.exit(130);
    abort.abort(new Error(`ended by ${name}`));
  };
  // Whoever reads the output may have seen enough ("… | head"): 128 + SIGPIPE, as programs end that do not catch it.
  process.stdout.on('error', (err) => {
    if (systemCode(err) === 'EPIPE') process.exit(141);
    throw err;
  });
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  // The timers of a Clock do not keep a process alive, and a command may be waiting for nothing else.
  const alive = setInterval(() => {}, 0x7fffffff);
  const code = await runCommand(root, {
    argv: process.argv.slice(2),
    env: process.env,
    stdout: (text) => process.stdout.write(text),
    stderr: (text) => process.stderr.write(text),
    signal: abort.signal,
  });
  clearInterval(alive);
  // What the command left open (keep-alive sockets, timers) must not hold a finished command.
  process.exitCode = code;
  await Promise.all([process.stdout, process.stderr].map((stream) => new Promise<void>((done) => stream.write('', () => done()))));
  process.exit(code);
}
