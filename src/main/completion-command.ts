import { type Command, defineCommand } from '../cli/command.ts';
import { completionScript, shells } from '../cli/completion.ts';
import { KnownError } from '../errors/known-error.ts';

/** `fairlead completion …`, of the program that `root` gives. */
export function completionCommand(root: () => Promise<Command>): Command {
  return defineCommand({
    name: 'completion',
    summary: 'print a script that completes commands in a shell',
    usage: shells.join('|'),
    examples: ['source <(fairlead completion bash) # in ~/.bashrc', 'fairlead completion fish | source # in config.fish'],
    completes: { words: shells },
    options: {},
    async run({ positionals }) {
      const shell = shells.find((name) => name === positionals[0]);
      if (shell === undefined || positionals.length > 1)
        throw new KnownError('USAGE', 'Cannot complete commands: name one shell', { hint: `One of ${shells.join(', ')}` });
      process.stdout.write(completionScript(shell, await root()));
      return 0;
    },
  });
}
