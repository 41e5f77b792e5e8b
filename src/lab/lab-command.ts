import type { Command } from '../cli/command.ts';
import { down } from './command/down.ts';
import { exec } from './command/exec.ts';
import { images } from './command/images.ts';
import { kubeconfig } from './command/kubeconfig.ts';
import { load } from './command/load.ts';
import { logs } from './command/logs.ts';
import { status } from './command/status.ts';
import { tour } from './command/tour.ts';
import { up } from './command/up.ts';

/** `fairlead lab …`. */
export const labCommand: Command = {
  name: 'lab',
  summary: 'nodes as network namespaces on one machine',
  subcommands: [up, down, status, logs, exec, images, load, kubeconfig, tour],
};
