/**
 * Shell scripts that complete commands, options and values. Pure: everything that can follow is written out, as starting Node.js for
 * each press of Tab would be felt.
 */
import type { Command } from './command.ts';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

interface Word {
  readonly word: string;
  readonly help: string;
}

/** One command, and what may stand behind it. */
interface Place {
  /** `lab logs`; empty for the program itself. */
  readonly path: string;
  readonly subcommands: readonly Word[];
  readonly options: readonly Word[];
  /** Option → the values it takes; none where it is a word of the user's own. */
  readonly values: readonly { readonly option: string; readonly choices: readonly string[] }[];
  readonly words: readonly string[];
  readonly files: boolean;
}

/** Quoted for any of the three shells: no quote of either kind, no backslash, no line end. */
function plain(text: string): string {
  return text.replace(/['"\\`$\n:[\]]/g, ' ').trim();
}

function placesOf(command: Command, path: string): Place[] {
  const shown = (command.subcommands ?? []).filter((c) => !c.hidden);
  const specs = Object.entries(command.options ?? {}).filter(([, spec]) => !spec.hidden);
  const place: Place = {
    path,
    subcommands: shown.map((c) => ({ word: c.name, help: plain(c.summary) })),
    options: [
      ...specs.flatMap(([name, spec]) => [
        { word: `--${name}`, help: plain(spec.help) },
        ...(spec.type === 'boolean' && spec.default !== false ? [{ word: `--no-${name}`, help: plain(spec.help) }] : []),
      ]),
      { word: '--help', help: 'What it does and takes' },
    ],
    values: specs.flatMap(([name, spec]) =>
      spec.type === 'boolean'
        ? []
        : [`--${name}`, ...(spec.short ? [`-${spec.short}`] : [])].map((option) => ({ option, choices: spec.choices ?? [] })),
    ),
    words: command.completes?.words ?? [],
    files: command.completes?.files ?? false,
  };
  return [place, ...shown.flatMap((c) => placesOf(c, `${path} ${c.name}`.trim()))];
}

function list(words: readonly Word[]): string {
  return words.map(({ word }) => word).join(' ');
}

function knownPaths(places: readonly Place[]): string[] {
  return places.filter(({ path }) => path !== '').map(({ path }) => `'${path}'`);
}

/** Which command the words before the cursor name; the same few lines of bash and zsh, where `path` would be PATH. */
function pathFinder(places: readonly Place[]): string {
  return `  local at= word next
  for word in "\${before[@]}"; do
    next="\${at:+$at }$word"
    case $next in
    ${knownPaths(places).join(' | ')}) at=$next ;;
    esac
  done`;
}

function bash(name: string, places: readonly Place[]): string {
  const branches = places.map(({ path, subcommands, options, values, words, files }) => {
    const taking = values.map(({ option, choices }) => `    ${option}) words='${choices.join(' ')}'; value=1 ;;`);
    return `  '${path}')
    case $previous in
${taking.join('\n')}${taking.length > 0 ? '\n' : ''}    *) words='${[list(subcommands), words.join(' ')].filter(Boolean).join(' ')}'; flags='${list(options)}'; files=${files ? 1 : ''} ;;
    esac
    ;;`;
  });
  return `# bash completion of ${name}: source <(${name} completion bash)
_${name}() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} words= flags= files= value=
  local before=("\${COMP_WORDS[@]:1:COMP_CWORD-1}")
  COMPREPLY=()
  case " \${before[*]} " in *' -- '*) COMPREPLY=($(compgen -c -- "$current")); return ;; esac
${pathFinder(places)}
  case $at in
${branches.join('\n')}
  esac
  if [[ -z $value && $current == -* ]]; then words=$flags; files=; fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  if [[ -n $files || ( -n $value && -z $words ) ]]; then
    compopt -o filenames
    COMPREPLY+=($(compgen -f -- "$current"))
  fi
}
complete -F _${name} ${name} ${name}.sh
`;
}

function zsh(name: string, places: readonly Place[]): string {
  const described = (words: readonly Word[]): string => words.map(({ word, help }) => `'${word}:${help}'`).join(' ');
  const branches = places.map(({ path, subcommands, options, values, words, files }) => {
    const taking = values.map(({ option, choices }) =>
      choices.length > 0 ? `    ${option}) compadd -- ${choices.join(' ')}; return ;;` : `    ${option}) _files; return ;;`,
    );
    const own = [...subcommands, ...words.map((word) => ({ word, help: '' }))];
    return `  '${path}')
    case $previous in
${taking.join('\n')}${taking.length > 0 ? '\n' : ''}    esac
    flags=(${described(options)})
    words_=(${own.map(({ word, help }) => (help ? `'${word}:${help}'` : `'${word}'`)).join(' ')})
    files=${files ? 1 : ''}
    ;;`;
  });
  return `#compdef ${name} ${name}.sh
# zsh completion of ${name}: source <(${name} completion zsh)
_${name}() {
  local current=\${words[CURRENT]} previous=\${words[CURRENT-1]} files=
  local -a before flags words_
  before=(\${words[2,CURRENT-1]})
  if (( \${before[(I)--]} )); then _normal; return; fi
${pathFinder(places)}
  case $at in
${branches.join('\n')}
  esac
  if [[ $current == -* ]]; then _describe -V option flags; return; fi
  if (( \${#words_} )); then _describe -V command words_; fi
  if [[ -n $files ]]; then _files; fi
}
(( $+functions[compdef] )) && compdef _${name} ${name} ${name}.sh
`;
}

function fish(name: string, places: readonly Place[]): string {
  const lines = places.flatMap(({ path, subcommands, options, values, words, files }) => {
    const when = `-n "__${name}_at '${path}'"`;
    const choices = new Map(values.map(({ option, choices: of }) => [option, of]));
    return [
      ...subcommands.map(({ word, help }) => `complete -c ${name} -f ${when} -a ${word} -d '${help}'`),
      ...words.map((word) => `complete -c ${name} -f ${when} -a ${word}`),
      ...(files ? [`complete -c ${name} -F ${when}`] : []),
      ...options.map(({ word, help }) => {
        const of = choices.get(word);
        const value = of === undefined ? '' : of.length > 0 ? ` -x -a '${of.join(' ')}'` : ' -r';
        return `complete -c ${name} ${when} -l ${word.slice(2)}${value} -d '${help}'`;
      }),
    ];
  });
  return `# fish completion of ${name}: ${name} completion fish | source
function __${name}_at
  set -l path ''
  for word in (commandline -opc)[2..-1]
    set -l next (string trim -- "$path $word")
    if contains -- $next ${knownPaths(places).join(' ')}
      set path $next
    end
  end
  test "$path" = "$argv[1]"
end
complete -c ${name} -f
${lines.join('\n')}
`;
}

/** The script that a shell reads to complete `root`, which is called by its name. */
export function completionScript(shell: Shell, root: Command): string {
  return { bash, zsh, fish }[shell](root.name, placesOf(root, ''));
}
