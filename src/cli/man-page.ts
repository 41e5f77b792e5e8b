/** The manual page of a program, from what its commands say of themselves. Pure. */
import { type Command, environmentName, type OptionSpec } from './command.ts';
import { presetText, valueName } from './help-text.ts';

export interface ManPage {
  readonly version: string;
  /** Of all commands: what a number means. */
  readonly exitCodes: readonly (readonly [number, string])[];
  readonly files: readonly (readonly [string, string])[];
}

/** Text as roff shows it in any locale: no escapes, no requests. */
function roff(text: string): string {
  return text
    .replaceAll('…', '...')
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/gm, '\\&$1');
}

function entry(term: string, text: string): string {
  return `.TP\n${term}\n${roff(text)}`;
}

function option([name, spec]: readonly [string, OptionSpec]): string {
  const short = spec.short ? `\\fB\\-${spec.short}\\fR, ` : '';
  const value = valueName(spec);
  return entry(`${short}\\fB\\-\\-${roff(name)}\\fR${value && ` \\fI${roff(value)}\\fR`}`, spec.help + presetText(spec));
}

function examples(lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['.PP\nExamples:\n.PP\n.RS 4\n.nf', ...lines.map(roff), '.fi\n.RE'];
}

/** A command that can be run, and those below it. */
function section(command: Command, path: string): string[] {
  if (command.hidden) return [];
  const below = (command.subcommands ?? []).flatMap((c) => section(c, `${path} ${c.name}`));
  if (!command.run) return below;
  const options = Object.entries(command.options ?? {}).filter(([, spec]) => !spec.hidden);
  const usage = command.usage ? ` ${command.usage}` : '';
  return [`.SS "${roff(path + usage)}"`, roff(command.summary), ...options.map(option), ...examples(command.examples ?? []), ...below];
}

export function manPage(root: Command, { version, exitCodes, files }: ManPage): string {
  const name = root.name;
  return `${[
    `.TH ${name.toUpperCase()} 1 "" "${name} ${version}" "${name}"`,
    `.SH NAME\n${name} \\- ${roff(root.summary)}`,
    `.SH SYNOPSIS\n\\fB${name}\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR]\n.br\n\\fB${name}\\fR \\fICOMMAND\\fR \\fB\\-\\-help\\fR`,
    '.SH COMMANDS',
    ...section(root, name),
    `.SH ENVIRONMENT\nEvery option is also an environment variable: \\fB\\-\\-log\\-level\\fR is \\fB${environmentName('log-level')}\\fR.`,
    '.SH FILES',
    ...files.map(([path, text]) => entry(`\\fI${roff(path)}\\fR`, text)),
    '.SH EXIT STATUS',
    ...exitCodes.map(([code, text]) => entry(`\\fB${code}\\fR`, text)),
  ].join('\n')}\n`;
}
