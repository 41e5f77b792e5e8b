/** The shape of a command: its flags with their defaults and help, the commands below it, and what it runs. */

export interface OptionSpec {
  readonly type: 'string' | 'boolean';
  readonly help: string;
  readonly short?: string;
  readonly default?: string | boolean;
  /** What stands for the value in the help, such as `CIDR`. */
  readonly value?: string;
  /** The values it may have. */
  readonly choices?: readonly string[];
  /** It may be given several times: its value is all of them, with commas between. */
  readonly several?: boolean;
  /** Not shown in the help. */
  readonly hidden?: boolean;
  /** What a word was meant for that a command takes none of: "lab down two" is to be "lab down --name two". */
  readonly isForgotten?: boolean;
}

export interface TextFlag extends OptionSpec {
  readonly type: 'string';
}

/** One that always has a value. */
export interface PresetText extends TextFlag {
  readonly default: string;
}

export interface Switch extends OptionSpec {
  readonly type: 'boolean';
  readonly default: boolean;
}

/** A flag with a value, which the help calls `value`. */
export function textFlag(value: string, help: string): TextFlag;
export function textFlag(value: string, help: string, preset: string): PresetText;
export function textFlag(value: string, help: string, preset?: string): TextFlag {
  return { type: 'string', value, help, ...(preset === undefined ? {} : { default: preset }) };
}

/** A flag without a value. */
export function switchFlag(help: string, preset = false): Switch {
  return { type: 'boolean', help, default: preset };
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
  /** The options that the command line gives. */
  readonly given: readonly string[];
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
