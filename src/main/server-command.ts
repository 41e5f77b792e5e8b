/** `fairlead server`. */
import { join } from 'node:path';
import type { Command } from '../cli/command.ts';
import type { FlagReader } from './flag-reader.ts';
import { serverParts } from './part/parts.ts';
import { type PartsCommand, partsCommand } from './parts-command.ts';

/** What may be left out, for another program to do it. */
const optional = ['controller-manager', 'scheduler'];

const inPki =
  (name: string) =>
  (read: FlagReader): string =>
    join(read.text('pki-dir'), name);

export const server: PartsCommand = {
  name: 'server',
  summary: 'run the control plane: API server, controllers, scheduler',
  examples: [
    'fairlead server --pki-dir /etc/kubernetes/pki --advertise-address 192.0.2.10',
    "fairlead server --parts='*,-scheduler' # beside a kube-scheduler",
    "fairlead server --controllers='*,-endpointslice-controller' # beside a controller of your own",
  ],
  parts: serverParts,
  options: {
    parts: {
      type: 'string',
      default: '*',
      value: 'LIST',
      help: `what runs beside the API server: ${optional.join(', ')}; "*,-scheduler" for all but one`,
    },
  },
  choose: (read) => ['apiserver', ...read.choice('parts', optional), 'cluster-dns'],
  settled: {
    'controller-manager': { kubeconfig: inPki('controller-manager.conf'), 'root-ca-file': inPki('ca.crt') },
    scheduler: { kubeconfig: inPki('scheduler.conf') },
    'cluster-dns': { kubeconfig: inPki('admin.conf') },
  },
  // The parts run beside their server, so they go over loopback.
  apiServer: (read) => ({ server: `https://127.0.0.1:${read.port('secure-port')}`, serverName: 'localhost' }),
};

export const serverCommand: Command = partsCommand(server);
