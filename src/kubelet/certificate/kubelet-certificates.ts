/** The certificates that a running kubelet keeps: as whom it asks, and with what it serves. */
import { existsSync } from 'node:fs';
import { nodes } from '../../api/resource-types.ts';
import { ignoreNotFound } from '../../client/api-error.ts';
import { CertificateManager } from '../../client/certificate/certificate-manager.ts';
import { CertificateStore } from '../../client/certificate/certificate-store.ts';
import { Client } from '../../client/client.ts';
import { followKubeconfig } from '../../client/kubeconfig.ts';
import type { Clock } from '../../clock/clock.ts';
import { KnownError } from '../../errors/known-error.ts';
import type { Log } from '../../observability/log.ts';
import { clientCertificates, rejoin } from './bootstrap.ts';
import { clientCertificate, servingCertificate } from './wanted-certificates.ts';

interface KeeperOptions {
  readonly client: Client;
  readonly certDir: string;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Rotates the client certificate. Whoever uses the kubeconfig that names it follows. */
export function clientCertificateManager(
  options: KeeperOptions & { readonly bootstrapKubeconfig: string | undefined },
): CertificateManager {
  const { client, certDir, nodeName, bootstrapKubeconfig, ...rest } = options;
  const wanted = clientCertificate(nodeName);
  let newcomer: Client | undefined;
  return new CertificateManager({
    ...rest,
    what: 'client certificate',
    store: clientCertificates(certDir),
    wanted: async () => wanted,
    client: async (hasValid) => {
      if (hasValid) return client;
      if (bootstrapKubeconfig !== undefined && existsSync(bootstrapKubeconfig)) {
        newcomer ??= new Client({ ...(await followKubeconfig(bootstrapKubeconfig, options.clock)), userAgent: 'fairlead-kubelet' });
        return newcomer;
      }
      throw new KnownError('BAD_CONFIG', 'the one before has ended, and no bootstrap kubeconfig is there', { hint: rejoin });
    },
  });
}

/** The store of the certificates that a kubelet serves with. */
export function servingCertificates(certDir: string): CertificateStore {
  return new CertificateStore(certDir, 'kubelet-server');
}

/** Asks for a certificate under the addresses of the Node, and for another one when they change. Somebody has to approve it, as upstream. */
export function servingCertificateManager({ client, certDir, nodeName, ...rest }: KeeperOptions): CertificateManager {
  return new CertificateManager({
    ...rest,
    what: 'serving certificate',
    store: servingCertificates(certDir),
    wanted: async () => {
      const node = await client.get(nodes, nodeName).catch(ignoreNotFound);
      return servingCertificate(nodeName, node?.status?.addresses ?? []);
    },
    client: async () => client,
  });
}
