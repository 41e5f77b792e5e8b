/** The commands of `fairlead`. Each file holds the flags alone, and loads what it runs only when it is run. */
import type { Command } from '../cli/command.ts';
import { labCommand } from '../lab/lab-command.ts';
import { agentCommand } from './agent-command.ts';
import { certsCommand } from './certs-command.ts';
import { completionCommand } from './completion-command.ts';
import { doctorCommand } from './doctor-command.ts';
import { initCommand } from './init-command.ts';
import { joinCommand } from './join-command.ts';
import { manifestCommand } from './manifest-command.ts';
import { partCommands } from './part-commands.ts';
import { resetCommand } from './reset-command.ts';
import { rulesCommand } from './rules-command.ts';
import { serverCommand } from './server-command.ts';
import { snapshotCommand } from './snapshot-command.ts';
import { storeCommand } from './store-command.ts';
import { tokenCommand } from './token-command.ts';
import { topCommand } from './top-command.ts';
import { traceCommand } from './trace-command.ts';
import { upgradeCommand } from './upgrade-command.ts';
import { versionCommand } from './version-command.ts';

export const root: Command = {
  name: 'fairlead',
  summary: 'a Kubernetes-compatible control plane and Linux data plane',
  subcommands: [
    labCommand,
    initCommand,
    joinCommand,
    upgradeCommand,
    resetCommand,
    tokenCommand,
    certsCommand,
    doctorCommand,
    snapshotCommand,
    storeCommand,
    serverCommand,
    agentCommand,
    ...partCommands,
    manifestCommand,
    rulesCommand,
    traceCommand,
    topCommand,
    completionCommand(() => root),
    versionCommand,
  ],
};
