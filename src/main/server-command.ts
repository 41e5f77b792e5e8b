/** `fairlead server`. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, textFlag } from '../cli/command.ts';
import type { FlagReader } from './flag-reader.ts';
import { serverParts } from './part/parts.ts';
import { fileIn, type PartsCommand, partsCommand } from './parts-command.ts';

/** What may be left out, for another program to do it. */
const optional = ['controller-manager', 'scheduler'];

/** A file of the authority, unless its key is kept elsewhere: then whoever has it signs. */
const authorityFile =
  (name: string) =>
  (read: FlagReader): string | undefined =>
    existsSync(join(read.text('pki-dir'), 'ca.key')) ? join(read.text('pki-dir'), name) : undefined;

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
    parts: textFlag('LIST', `what runs beside the API server: ${optional.join(', ')}; "*,-scheduler" for all but one`, '*'),
  },
  choose: (read) => ['apiserver', ...read.choice('parts', optional), 'cluster-dns'],
  settled: {
    'controller-manager': {
      kubeconfig: fileIn('pki-dir', 'controller-manager.conf'),
      'root-ca-file': fileIn('pki-dir', 'ca.crt'),
      'cluster-signing-cert-file': authorityFile('ca.crt'),
      'cluster-signing-key-file': authorityFile('ca.key'),
    },
    scheduler: { kubeconfig: fileIn('pki-dir', 'scheduler.conf') },
    'cluster-dns': { kubeconfig: fileIn('pki-dir', 'admin.conf') },
  },
  // The parts run beside their server, so they go over loopback.
  apiServer: (read) => ({ server: `https://127.0.0.1:${read.port('secure-port')}`, serverName: 'localhost' }),
};

export const serverCommand: Command = partsCommand(server);
