import { parseArgs } from 'node:util';
import { KnownError, messageOf } from '../errors/known-error.ts';
import { nearest } from './nearest.ts';

export interface OptionSpec {
  readonly type: 'string' | 'boolean';
  readonly help: string;
  readonly short?: string;
  readonly default?: string | boolean;
  /** What stands for the value in the help, such as `CIDR`. */
  readonly value?: string;
  /** The values it may have. */
  readonly choices?: readonly string[];
  /** Not shown in the help. */
  readonly hidden?: boolean;
}

export type OptionSpecs = Readonly<Record<string, OptionSpec>>;

type ValueOf<S extends OptionSpec> = S extends { readonly type: 'boolean' }
  ? S extends { readonly default: boolean }
    ? boolean
    : boolean | undefined
  : S extends { readonly default: string }
    ? string
    : string | undefined;

export type Values<S extends OptionSpecs> = { readonly [K in keyof S]: ValueOf<S[K]> };

export interface Invocation<S extends OptionSpecs = OptionSpecs> {
  readonly values: Values<S>;
  readonly positionals: readonly string[];
  /** What stands after `--`. */
  readonly rest: readonly string[];
  /** The options whose value is the environment's. */
  readonly inherited: readonly string[];
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
}

export interface Command {
  readonly name: string;
  readonly summary: string;
  /** The positionals in the usage line, such as `NODE -- CMD`. A command without takes none. */
  readonly usage?: string;
  /** What a shell may complete its positionals with. */
  readonly completes?: { readonly words?: readonly string[]; readonly files?: boolean };
  /** Whole lines, each with what it does behind a `#`, for the help. */
  readonly examples?: readonly string[];
  readonly options?: OptionSpecs;
  readonly subcommands?: readonly Command[];
  /** Not shown in the help. */
  readonly hidden?: boolean;
  /** What is left when the command is interrupted, and how to go on. */
  readonly interrupted?: string;
  /** Gives the exit code; nothing is 0. */
  readonly run?: (invocation: Invocation) => Promise<number | undefined>;
}

/** Ties the type of `values` to the options of one command. */
export function defineCommand<const S extends OptionSpecs>(
  command: Omit<Command, 'options' | 'run'> & {
    readonly options: S;
    readonly run: (invocation: Invocation<S>) => Promise<number | undefined>;
  },
): Command {
  return command as unknown as Command;
}

/** `--pod-cidr` is also `FAIRLEAD_POD_CIDR`. */
export function environmentName(option: string): string {
  return `FAIRLEAD_${option.replaceAll('-', '_').toUpperCase()}`;
}

function usageError(message: string, path: string): KnownError {
  return new KnownError('USAGE', message, { hint: `See "${path} --help"` });
}

function fromEnvironment(name: string, spec: OptionSpec, text: string, path: string): string | boolean {
  if (spec.type === 'string') return text;
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

/** Reads the arguments of one command. Booleans take `--no-NAME` too. `path` is how the command is called, for messages. */
export function parseInvocation(
  path: string,
  command: Pick<Command, 'options' | 'usage'>,
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Omit<Invocation, 'signal'> {
  const specs = command.options ?? {};
  const dashes = argv.indexOf('--');
  const own = dashes < 0 ? [...argv] : argv.slice(0, dashes);
  const options = Object.fromEntries(
    Object.entries(specs).map(([name, spec]) => [name, { type: spec.type, ...(spec.short ? { short: spec.short } : {}) }]),
  );
  let parsed: { values: Record<string, unknown>; positionals: string[] };
  try {
    parsed = parseArgs({ args: own, options, allowPositionals: true, allowNegative: true, strict: true });
  } catch (err) {
    throw argumentError(err, path, specs);
  }
  // A word too many is a flag that was forgotten ("lab down two" for "--name two"): never to be passed over.
  const [stray] = command.usage === undefined ? parsed.positionals : [];
  if (stray !== undefined) throw usageError(`Cannot run "${path}": it takes no argument "${stray}"`, path);
  const inherited: string[] = [];
  const values: Record<string, string | boolean | undefined> = {};
  for (const [name, spec] of Object.entries(specs)) {
    const given = parsed.values[name];
    const outside = given === undefined ? env[environmentName(name)] : undefined;
    if (outside !== undefined) inherited.push(name);
    const value = given !== undefined ? given : outside !== undefined ? fromEnvironment(name, spec, outside, path) : spec.default;
    if (spec.choices && typeof value === 'string' && !spec.choices.includes(value)) {
      const where = outside === undefined ? `--${name}` : environmentName(name);
      throw usageError(`Cannot use ${where}="${value}": it takes ${spec.choices.join(', ')}`, path);
    }
    values[name] = value as string | boolean | undefined;
  }
  return {
    values: values as Values<OptionSpecs>,
    positionals: parsed.positionals,
    rest: dashes < 0 ? [] : argv.slice(dashes + 1),
    inherited,
  };
}

/** The text behind `--help`. */
export function helpText(path: string, command: Command): string {
  const lines = [`${path}${command.usage ? ` ${command.usage}` : ''}: ${command.summary}`];
  const subcommands = (command.subcommands ?? []).filter((c) => !c.hidden);
  if (subcommands.length > 0) {
    const width = Math.max(...subcommands.map((c) => c.name.length));
    lines.push('', 'Commands:', ...subcommands.map((c) => `  ${c.name.padEnd(width)}  ${c.summary}`));
    lines.push('', `"${path} COMMAND --help" tells more about one.`);
  }
  const options = Object.entries(command.options ?? {}).filter(([, spec]) => !spec.hidden);
  if (options.length > 0) {
    const left = options.map(([name, spec]) => {
      const value = spec.type === 'boolean' ? '' : ` ${spec.value ?? spec.choices?.join('|') ?? 'TEXT'}`;
      return `  ${spec.short ? `-${spec.short}, ` : '    '}--${name}${value}`;
    });
    const width = Math.max(...left.map((text) => text.length));
    lines.push('', 'Options (each also as an environment variable, FAIRLEAD_NAME_OF_OPTION):');
    options.forEach(([, spec], i) => {
      const preset = spec.default === undefined || spec.default === false || spec.default === '' ? '' : ` (default ${spec.default})`;
      lines.push(`${(left[i] ?? '').padEnd(width)}  ${spec.help}${preset}`);
    });
  }
  if (command.examples && command.examples.length > 0) {
    const width = Math.max(...command.examples.map((line) => line.split(' # ')[0]?.trimEnd().length ?? 0));
    lines.push('', 'Examples:');
    for (const line of command.examples) {
      const [text = '', why] = line.split(' # ');
      lines.push(why === undefined ? `  ${text}` : `  ${text.trimEnd().padEnd(width)}  # ${why.trim()}`);
    }
  }
  return `${lines.join('\n')}\n`;
}
