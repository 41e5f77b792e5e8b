/** The commands of `fairlead`, in the order of the help. Each file holds the flags alone, and loads what it runs only when it is run. */
import type { Command } from '../cli/command.ts';
import { partCommands } from './part-commands.ts';

/** Each is loaded when it is called: of all together the flags are some 75 modules. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  lab: async () => (await import('../lab/lab-command.ts')).labCommand,
  init: async () => (await import('./init-command.ts')).initCommand,
  join: async () => (await import('./join-command.ts')).joinCommand,
  upgrade: async () => (await import('./upgrade-command.ts')).upgradeCommand,
  reset: async () => (await import('./reset-command.ts')).resetCommand,
  token: async () => (await import('./token-command.ts')).tokenCommand,
  certs: async () => (await import('./certs-command.ts')).certsCommand,
  doctor: async () => (await import('./doctor-command.ts')).doctorCommand,
  snapshot: async () => (await import('./snapshot-command.ts')).snapshotCommand,
  store: async () => (await import('./store-command.ts')).storeCommand,
  server: async () => (await import('./server-command.ts')).serverCommand,
  agent: async () => (await import('./agent-command.ts')).agentCommand,
  ...partCommands,
  manifest: async () => (await import('./manifest-command.ts')).manifestCommand,
  rules: async () => (await import('./rules-command.ts')).rulesCommand,
  trace: async () => (await import('./trace-command.ts')).traceCommand,
  top: async () => (await import('./top-command.ts')).topCommand,
  completion: async () => (await import('./completion-command.ts')).completionCommand(programOf),
  version: async () => (await import('./version-command.ts')).versionCommand,
};

/** The program: with the one command that a line begins with, or with all for whoever asks what there is. */
export async function programOf(word = ''): Promise<Command> {
  const called = Object.hasOwn(commands, word) ? commands[word] : undefined;
  const subcommands = await Promise.all((called ? [called] : Object.values(commands)).map((load) => load()));
  return { name: 'fairlead', summary: 'a Kubernetes-compatible control plane and Linux data plane', subcommands };
}
