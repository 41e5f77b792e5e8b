/** A command line as the values of flags: what is given there, else what the environment says, else the default. */
import { parseArgs } from 'node:util';
import { KnownError, messageOf } from '../errors/known-error.ts';
import { type Command, environmentName, type Invocation, type OptionSpec, type OptionSpecs, type Values } from './command.ts';
import { nearest } from './nearest.ts';

function usageError(message: string, path: string): KnownError {
  return new KnownError('USAGE', message, { hint: `See "${path} --help"` });
}

function fromEnvironment(name: string, spec: OptionSpec, text: string | undefined, path: string): string | boolean | undefined {
  if (text === undefined || spec.type === 'string') return text;
  if (['1', 'true', 'yes'].includes(text)) return true;
  if (['0', 'false', 'no', ''].includes(text)) return false;
  throw usageError(`Cannot read ${environmentName(name)}="${text}": it takes true or false`, path);
}

/** Words in place of parseArgs's, which are made for programmers. */
function argumentError(err: unknown, path: string, specs: OptionSpecs): KnownError {
  const said = messageOf(err);
  const unknown = /^Unknown option '(--?)([^']*)'/.exec(said);
  if (unknown) {
    const [, dashes = '', word = ''] = unknown;
    const names = Object.keys(specs).filter((name) => !specs[name]?.hidden);
    const near = nearest(word, [...names, ...names.map((name) => `no-${name}`)]);
    return new KnownError('USAGE', `Cannot run "${path}": there is no option "${dashes}${word}"`, {
      hint: near === undefined ? `See "${path} --help"` : `Did you mean "--${near}"? See "${path} --help"`,
    });
  }
  const incomplete = /^Option '(?:-\w, )?(--[\w-]+)(?: <value>)?' argument (missing|is ambiguous)/.exec(said);
  if (incomplete?.[2] === 'missing') return usageError(`Cannot run "${path}": ${incomplete[1]} needs a value`, path);
  if (incomplete)
    return new KnownError('USAGE', `Cannot run "${path}": ${incomplete[1]} needs a value, and what follows begins with a dash`, {
      hint: `Write ${incomplete[1]}=VALUE when the value itself begins with a dash`,
    });
  return usageError(`Cannot run "${path}": ${said.split('. ')[0] ?? ''}`, path);
}

function strayError(word: string, path: string, specs: OptionSpecs): KnownError {
  const [flag] = Object.entries(specs).find(([, { isForgotten }]) => isForgotten) ?? [];
  const meant = flag === undefined ? '' : `Did you mean "--${flag} ${word}"? `;
  return new KnownError('USAGE', `Cannot run "${path}": it takes no argument "${word}"`, { hint: `${meant}See "${path} --help"` });
}

/** Reads the arguments of one command. Booleans take `--no-NAME` too. `path` is how the command is called, for messages. */
export function parseInvocation(
  path: string,
  command: Pick<Command, 'options' | 'usage'>,
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Omit<Invocation, 'signal'> {
  const specs = command.options ?? {};
  const dashes = argv.indexOf('--');
  const parsed = readArguments(path, specs, dashes < 0 ? argv : argv.slice(0, dashes));
  // A word too many is a flag that was forgotten ("lab down two" for "--name two"): never to be passed over.
  const [stray] = command.usage === undefined ? parsed.positionals : [];
  if (stray !== undefined) throw strayError(stray, path, specs);
  const inherited = Object.keys(specs).filter((name) => parsed.values[name] === undefined && env[environmentName(name)] !== undefined);
  const values = Object.entries(specs).map(([name, spec]) => {
    const given = parsed.values[name];
    const value = given ?? fromEnvironment(name, spec, env[environmentName(name)], path) ?? spec.default;
    refuseNoChoice(given === undefined ? environmentName(name) : `--${name}`, spec, value, path);
    return [name, value];
  });
  return {
    values: Object.fromEntries(values) as Values<OptionSpecs>,
    positionals: parsed.positionals,
    rest: dashes < 0 ? [] : argv.slice(dashes + 1),
    given: Object.keys(specs).filter((name) => parsed.values[name] !== undefined),
    inherited,
  };
}

interface Arguments {
  readonly values: Readonly<Record<string, string | boolean | undefined>>;
  readonly positionals: readonly string[];
}

/** The words of a switch. Source: Go's strconv.ParseBool */
const trueWords = ['1', 't', 'T', 'true', 'TRUE', 'True'];
const falseWords = ['0', 'f', 'F', 'false', 'FALSE', 'False'];

/** As Go's programs have them: `--switch=false` is `--no-switch`, and `-v=2` is `-v2`. */
function asParseArgsHasIt(arg: string, specs: OptionSpecs): string {
  const short = /^-(\w)=(.*)$/s.exec(arg);
  if (short) return `-${short[1]}${short[2]}`;
  const [, name = '', value = ''] = /^--([\w-]+)=(\w+)$/.exec(arg) ?? [];
  if (specs[name]?.type !== 'boolean') return arg;
  if (trueWords.includes(value)) return `--${name}`;
  return falseWords.includes(value) ? `--no-${name}` : arg;
}

function readArguments(path: string, specs: OptionSpecs, args: readonly string[]): Arguments {
  const options = Object.fromEntries(
    Object.entries(specs).map(([name, { type, short, several = false }]) => [
      name,
      { type, multiple: several, ...(short === undefined ? {} : { short }) },
    ]),
  );
  try {
    const { values, positionals } = parseArgs({
      args: args.map((arg) => asParseArgsHasIt(arg, specs)),
      options,
      allowPositionals: true,
      allowNegative: true,
      strict: true,
    });
    const one = (value: unknown): string | boolean | undefined => (Array.isArray(value) ? value.join() : (value as string | boolean));
    return { values: Object.fromEntries(Object.entries(values).map(([name, value]) => [name, one(value)])), positionals };
  } catch (err) {
    throw argumentError(err, path, specs);
  }
}

function refuseNoChoice(where: string, { choices }: OptionSpec, value: string | boolean | undefined, path: string): void {
  if (choices === undefined || typeof value !== 'string' || choices.includes(value)) return;
  throw usageError(`Cannot use ${where}="${value}": it takes ${choices.join(', ')}`, path);
}
