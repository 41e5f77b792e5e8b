/** A command that runs parts: their flags, each once, beside its own; and what of them its own flags settle. */
import { join } from 'node:path';
import { type Command, type Invocation, type OptionSpec, type OptionSpecs, textFlag } from '../cli/command.ts';
import { systemClock } from '../clock/clock.ts';
import type { Log } from '../observability/log.ts';
import { FlagReader, type FlagValues } from './flag-reader.ts';
import type { Part, PartFlag, Setting } from './part/part.ts';
import { checkUpstreamFlags, upstreamLog } from './part/upstream-flags.ts';
import { type LogChoice, logFlags, processLog } from './process-log.ts';

/** Flags of a part by what the command's own flags say in their place. */
type Settled = Readonly<Record<string, (read: FlagReader) => string | undefined>>;

export interface PartsCommand {
  readonly name: string;
  readonly summary: string;
  readonly examples?: readonly string[];
  /** In the order in which they start. */
  readonly parts: readonly Part[];
  /** Its own flags. */
  readonly options?: OptionSpecs;
  /** Which of the parts run; all without. */
  readonly choose?: (read: FlagReader) => readonly string[];
  /** By part. */
  readonly settled?: Readonly<Record<string, Settled>>;
  readonly apiServer?: (read: FlagReader) => Setting['apiServer'];
  /** It has `secureServingFlags`, and pages under them. */
  readonly servesPages?: true;
  /** What is logged and how, where its own flags and files say more than those for every process. */
  readonly logAs?: (read: FlagReader) => Promise<LogChoice>;
  /** Done before the settings of any part are read: flags that it finds elsewhere, over those that were given, whose names `given` has. */
  readonly prepare?: (
    read: FlagReader,
    process: { readonly log: Log; readonly signal: AbortSignal; readonly given: readonly string[] },
  ) => Promise<FlagValues>;
  /** What stays when it ends. */
  readonly stays?: string;
  /** What it does in place of running the parts, when its own flags say so. */
  readonly instead?: (read: FlagReader) => (() => Promise<number>) | undefined;
}

/** For a command whose parts have no page of their own; empty for none. */
export function healthzFlag(preset: string): OptionSpecs {
  const help = 'where /healthz and /livez tell how the parts are, over plain HTTP; empty for none';
  return { 'healthz-bind-address': textFlag('HOST:PORT', help, preset) };
}

/** `port`: upstream's. */
export function secureServingFlags(port: string): OptionSpecs {
  return {
    ...healthzFlag(''),
    'bind-address': textFlag('IP', 'where --secure-port listens', '0.0.0.0'),
    'secure-port': textFlag('PORT', 'HTTPS with /healthz, /livez, /readyz and /metrics; 0 for none', port),
    'tls-cert-file': textFlag('FILE', 'certificate for it (default: one that is signed by itself and lives as long as the process)'),
    'tls-private-key-file': textFlag('FILE', 'its key'),
    'client-ca-file': textFlag('FILE', 'authority of those who read /metrics by a certificate'),
    'authentication-kubeconfig': textFlag('FILE', 'as whom tokens of those who read /metrics are reviewed (default: --kubeconfig)'),
    'authorization-kubeconfig': textFlag('FILE', 'as whom it is asked whether they may (default: --kubeconfig)'),
    'authorization-always-allow-paths': {
      ...textFlag('LIST', 'paths that anybody may read', '/healthz,/readyz,/livez'),
      several: true,
    },
  };
}

/** A file in the directory that a flag of the command names. */
export function fileIn(flag: string, name: string): (read: FlagReader) => string {
  return (read) => join(read.text(flag), name);
}

/** The name and form of a flag in a command. */
export function formOf(name: string, { among, ...alone }: PartFlag, isAlone: boolean): readonly [string, OptionSpec] {
  if (isAlone || !among) return [name, alone];
  const { name: called = name, ...different } = among;
  return [called, { ...alone, ...different }];
}

/** All flags of a command: its own, then those of the parts that nothing settles. A flag that several parts have is one. */
export function optionsOf({ parts, options = {}, settled = {} }: PartsCommand): OptionSpecs {
  const all: Record<string, OptionSpec> = { ...options };
  for (const part of parts)
    for (const [name, flag] of Object.entries(part.flags)) {
      if (parts.length > 1 && flag.among === false) continue;
      const [called, form] = formOf(name, flag, parts.length === 1);
      if (!Object.hasOwn(settled[part.name] ?? {}, name)) all[called] ??= form;
    }
  return all;
}

/** The flags of one part by its own names. */
export function readerFor(part: Part, command: PartsCommand, values: FlagValues): FlagReader {
  const read = new FlagReader(values);
  const settled = command.settled?.[part.name] ?? {};
  const called = (name: string): string => formOf(name, part.flags[name] ?? { type: 'string', help: '' }, command.parts.length === 1)[0];
  const own = Object.keys(part.flags).map((name) => [name, settled[name] ? settled[name](read) : values[called(name)]]);
  return new FlagReader(Object.fromEntries(own), called);
}

export function partsCommand(command: PartsCommand): Command {
  const { name, summary, examples = [], stays } = command;
  const run = async ({ values, given, inherited, signal }: Invocation): Promise<number> => {
    const read = new FlagReader(values);
    const instead = command.instead?.(read);
    if (instead) return await instead();
    const chosen = command.choose?.(read);
    const parts = command.parts.filter((part) => chosen?.includes(part.name) ?? true);
    const [log, logThreshold] = processLog(
      read.text('log-level'),
      read.text('log-format'),
      (await command.logAs?.(read)) ?? upstreamLog(read),
    );
    // Among several parts a flag of that name is another one's.
    for (const part of command.parts.length === 1 ? parts : [])
      checkUpstreamFlags(part.flags, readerFor(part, command, values), (words) => log.info(words, { part: part.name }));
    for (const part of parts)
      await part.prepare?.(readerFor(part, command, values), { clock: systemClock, log: log.child({ part: part.name }), signal });
    const found = await command.prepare?.(read, { log, signal, given: [...given, ...inherited] });
    const all = { ...values, ...found };
    // Loaded only now, so that other commands start fast.
    const pages = command.servesPages && (await (await import('./secure-serving.ts')).secureServingOf(new FlagReader(all)));
    const { runParts } = await import('./part/part-process.ts');
    return await runParts(
      parts.map((part) => ({ part, flags: readerFor(part, command, all) })),
      {
        setting: { parts: parts.map((part) => part.name), apiServer: command.apiServer?.(read) },
        pages,
        healthzAddress: command.options?.['healthz-bind-address'] && read.optional('healthz-bind-address'),
        farewell: stays === undefined ? 'Stopping' : `Stopping; ${stays} stay`,
        clock: systemClock,
        log,
        logThreshold,
        signal,
      },
    );
  };
  return { name, summary, examples, options: { ...optionsOf(command), ...logFlags }, run };
}
