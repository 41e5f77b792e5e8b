/** The text behind `--help`. */
import type { Command, OptionSpec } from './command.ts';

export function helpText(path: string, command: Command): string {
  const usage = command.usage ? ` ${command.usage}` : '';
  const sections = [
    [`${path}${usage}: ${command.summary}`],
    commandLines(path, command),
    optionLines(Object.entries(command.options ?? {}).filter(([, spec]) => !spec.hidden)),
    exampleLines(command.examples ?? []),
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

function commandLines(path: string, command: Command): string[] {
  const subcommands = (command.subcommands ?? []).filter((c) => !c.hidden);
  if (subcommands.length === 0) return [];
  const width = Math.max(...subcommands.map((c) => c.name.length));
  const lines = subcommands.map((c) => `  ${c.name.padEnd(width)}  ${c.summary}`);
  return ['Commands:', ...lines, '', `"${path} COMMAND --help" tells more about one.`];
}

/** What stands for the value of an option; empty where it takes none. */
export function valueName(spec: OptionSpec): string {
  return spec.type === 'boolean' ? '' : (spec.value ?? spec.choices?.join('|') ?? 'TEXT');
}

/** What follows the help of an option about its default. */
export function presetText({ default: preset }: OptionSpec): string {
  return preset === undefined || preset === false || preset === '' ? '' : ` (default ${preset})`;
}

function optionLines(options: readonly (readonly [string, OptionSpec])[]): string[] {
  if (options.length === 0) return [];
  const left = options.map(([name, spec]) => {
    const value = valueName(spec);
    return `  ${spec.short ? `-${spec.short}, ` : '    '}--${name}${value && ` ${value}`}`;
  });
  const width = Math.max(...left.map((text) => text.length));
  const lines = options.map(([, spec], i) => `${(left[i] ?? '').padEnd(width)}  ${spec.help}${presetText(spec)}`);
  return ['Options (each also as an environment variable, FAIRLEAD_NAME_OF_OPTION):', ...lines];
}

function exampleLines(examples: readonly string[]): string[] {
  if (examples.length === 0) return [];
  const pairs = examples.map((line) => line.split(' # ')).map(([text = '', why]) => [text.trimEnd(), why?.trim()] as const);
  const width = Math.max(...pairs.map(([text]) => text.length));
  return ['Examples:', ...pairs.map(([text, why]) => (why === undefined ? `  ${text}` : `  ${text.padEnd(width)}  # ${why}`))];
}
