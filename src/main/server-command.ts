/** `fairlead server`. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, textFlag } from '../cli/command.ts';
import { ownServer } from '../client/own-server.ts';
import type { FlagReader } from './flag-reader.ts';
import { serverParts } from './part/parts.ts';
import { fileIn, type PartsCommand, partsCommand } from './parts-command.ts';

/** Several servers share a store that is neither a file nor in memory. Then one of them does the work of each part. */
const elects = (read: FlagReader): string =>
  read.given('leader-elect') ?? String(!/^(sqlite|memory):/.test(read.optional('store') ?? 'sqlite:'));

/** What may be left out, for another program to do it. */
const optional = ['controller-manager', 'scheduler', 'cloud-controller-manager'];

/** A file of the authority, unless its key is kept elsewhere: then whoever has it signs. */
const authorityFile =
  (name: string) =>
  (read: FlagReader): string | undefined =>
    existsSync(join(read.text('pki-dir'), 'ca.key')) ? join(read.text('pki-dir'), name) : undefined;

const kubeconfigIn =
  (name: string) =>
  (read: FlagReader): string =>
    fileIn(read.optional('kubeconfig-dir') === undefined ? 'pki-dir' : 'kubeconfig-dir', name)(read);

export const server: PartsCommand = {
  name: 'server',
  summary: 'run the control plane: API server, controllers, scheduler, addresses for load balancers',
  examples: [
    'fairlead server --pki-dir /etc/kubernetes/pki --advertise-address 192.0.2.10',
    "fairlead server --parts='*,-scheduler' # beside a kube-scheduler",
    "fairlead server --controllers='*,-endpointslice-controller' # beside a controller of your own",
  ],
  parts: serverParts,
  options: {
    'kubeconfig-dir': textFlag(
      'DIR',
      'controller-manager.conf, scheduler.conf, cloud-controller-manager.conf and admin.conf (default: where the certificates are)',
    ),
    'leader-elect': {
      type: 'boolean',
      help: 'let one of several servers run controllers, scheduler and addresses for load balancers (default: when they share their store)',
    },
    parts: textFlag('LIST', `what runs beside the API server: ${optional.join(', ')}; "*,-scheduler" for all but one`, '*'),
  },
  choose: (read) => ['apiserver', ...read.choice('parts', optional), 'cluster-dns'],
  settled: {
    'controller-manager': {
      'leader-elect': elects,
      kubeconfig: kubeconfigIn('controller-manager.conf'),
      'root-ca-file': fileIn('pki-dir', 'ca.crt'),
      'cluster-signing-cert-file': authorityFile('ca.crt'),
      'cluster-signing-key-file': authorityFile('ca.key'),
    },
    scheduler: { 'leader-elect': elects, kubeconfig: kubeconfigIn('scheduler.conf') },
    'cloud-controller-manager': { 'leader-elect': elects, kubeconfig: kubeconfigIn('cloud-controller-manager.conf') },
    'cluster-dns': { kubeconfig: kubeconfigIn('admin.conf') },
  },
  apiServer: (read) => ownServer(read.text('bind-address'), read.port('secure-port')),
};

export const serverCommand: Command = partsCommand(server);
