/** The control plane in one process: API server over SQLite, controllers, scheduler. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withoutHistory } from '../apiserver/cache/watch-feed.ts';
import { type ApiServerOptions, createApiServer } from '../apiserver/server.ts';
import { Client } from '../client/client.ts';
import { InformerSet } from '../client/informers.ts';
import { loadKubeconfig } from '../client/kubeconfig.ts';
import { registerWatchAge } from '../client/watch-age.ts';
import { aborted } from '../clock/aborted.ts';
import { systemClock } from '../clock/clock.ts';
import { startControllers } from '../controllers/start.ts';
import { KnownError, messageOf } from '../errors/known-error.ts';
import type { Log } from '../observability/log.ts';
import { startScheduler } from '../scheduler/scheduler.ts';
import { openStore } from '../storage/open.ts';
import { keepClusterDns } from './cluster-dns.ts';

async function readPem(dir: string, name: string): Promise<string> {
  try {
    return await readFile(join(dir, name), 'utf8');
  } catch (err) {
    throw new KnownError('BAD_CONFIG', `Cannot read "${join(dir, name)}": ${messageOf(err)}`, {
      hint: 'Make the certificates first: "fairlead lab up" does, and so does "kubeadm init phase certs all"',
      cause: err,
    });
  }
}

export interface ServerSettings {
  /** A URL. */
  readonly store: string;
  /** Go on with a store that lacks something that had been acknowledged. */
  readonly acceptDataLoss: boolean;
  readonly pkiDir: string;
  readonly bindAddress: string;
  readonly securePort: number;
  readonly advertiseAddress: string | undefined;
  readonly clusterCidr: string;
  readonly nodeCidrMaskSize: number;
  readonly serviceCidr: string;
  /** `30000-32767` */
  readonly nodePortRange: string;
  /** Empty for none. */
  readonly clusterDns: string;
  readonly issuer: string;
  readonly inflight: NonNullable<ApiServerOptions['inflight']>;
  /** Undefined for no limit. */
  readonly maxTokenSeconds: number | undefined;
  readonly extendTokens: boolean;
  readonly admission: NonNullable<ApiServerOptions['admission']>;
  /** By name. */
  readonly controllers: readonly string[];
  readonly runsScheduler: boolean;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export async function runServer(settings: ServerSettings): Promise<number> {
  const { log, signal, pkiDir: pki } = settings;
  const clock = systemClock;
  const [ca, cert, key, kubeletCert, kubeletKey] = await Promise.all(
    ['ca.crt', 'apiserver.crt', 'apiserver.key', 'apiserver-kubelet-client.crt', 'apiserver-kubelet-client.key'].map((name) =>
      readPem(pki, name),
    ),
  );
  const store = await openStore(settings.store, {
    clock,
    log: log.child({ part: 'store' }),
    withoutHistory,
    acceptDataLoss: settings.acceptDataLoss,
  });
  const api = await createApiServer({
    store,
    listen: { host: settings.bindAddress, port: settings.securePort },
    tls: { cert: cert ?? '', key: key ?? '', clientCa: ca ?? '' },
    serviceAccounts: {
      issuer: settings.issuer,
      keyFiles: [join(pki, 'sa.key'), join(pki, 'sa.pub')],
      maxExpirationSeconds: settings.maxTokenSeconds,
      extendExpiration: settings.extendTokens,
    },
    admission: settings.admission,
    inflight: settings.inflight,
    foreign: [
      ...(settings.controllers.length > 0 ? [] : (['controller-manager'] as const)),
      ...(settings.runsScheduler ? [] : (['scheduler'] as const)),
    ],
    serviceCidr: settings.serviceCidr,
    nodePortRange: settings.nodePortRange,
    // Not every PKI has it: it matters to programs beside this one.
    frontProxyCa: await readFile(join(pki, 'front-proxy-ca.crt'), 'utf8').catch(() => undefined),
    advertiseAddress: settings.advertiseAddress ?? settings.bindAddress,
    kubeletClient: { cert: kubeletCert ?? '', key: kubeletKey ?? '', ca: ca ?? '' },
    clock,
    log: log.child({ part: 'apiserver' }),
  });
  log.info(`API server listens on ${api.address.host}:${api.address.port}`);

  // The parts run beside their server, so they go over loopback, whatever the kubeconfig says for others.
  const server = `https://127.0.0.1:${api.address.port}`;
  const [forControllers, forScheduler] = await Promise.all(
    ['controller-manager.conf', 'scheduler.conf'].map(
      async (name) => new Client({ ...(await loadKubeconfig(join(pki, name))), server, serverName: 'localhost' }),
    ),
  );
  if (!forControllers || !forScheduler) return 2;
  // One copy of the cluster serves both; each writes under its own name.
  const informers = new InformerSet(forControllers, { clock, log: log.child({ part: 'informers' }) });
  registerWatchAge(api.metrics, () => informers.agesMs);
  const running = [
    informers.start(signal),
    startControllers(
      {
        client: forControllers,
        informers,
        clock,
        log: log.child({ part: 'controller-manager' }),
        signal,
        rootCa: ca ?? '',
        clusterCidr: settings.clusterCidr,
        nodeCidrMaskSize: settings.nodeCidrMaskSize,
      },
      settings.controllers,
    ),
    settings.runsScheduler
      ? startScheduler({ client: forScheduler, informers, clock, log: log.child({ part: 'scheduler' }), signal })
      : undefined,
    keepClusterDns({
      client: new Client({ ...(await loadKubeconfig(join(pki, 'admin.conf'))), server, serverName: 'localhost' }),
      address: settings.clusterDns,
      clock,
      log,
      signal,
    }),
  ];
  await aborted(signal);
  log.info('Stopping');
  await Promise.allSettled(running);
  await api.close();
  await store.close();
  return 0;
}
