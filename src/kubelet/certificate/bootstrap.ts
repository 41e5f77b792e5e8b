/**
 * A new node gets its client certificate by a bootstrap kubeconfig (TLS bootstrapping): upstream's pkg/kubelet/certificate/bootstrap, with its
 * files and their content.
 */
import { X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { ApiError } from '../../client/api-error.ts';
import { CertificateStore } from '../../client/certificate/certificate-store.ts';
import { requestCertificate } from '../../client/certificate/request-certificate.ts';
import { Client } from '../../client/client.ts';
import type { ClientConfig } from '../../client/client-config.ts';
import { loadKubeconfig } from '../../client/kubeconfig.ts';
import { BackOff } from '../../clock/back-off.ts';
import type { Clock } from '../../clock/clock.ts';
import { KnownError, messageOf } from '../../errors/known-error.ts';
import { makeFolder, putFile } from '../../linux/put-file.ts';
import type { Log } from '../../observability/log.ts';
import { clientCertificate } from './wanted-certificates.ts';

export interface BootstrapOptions {
  /** What the kubelet uses from then on; written when it is not there, or of no use any more. */
  readonly kubeconfig: string;
  readonly bootstrapKubeconfig: string | undefined;
  /** Where certificates are kept. */
  readonly certDir: string;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export const rejoin = 'Join this machine again: "fairlead token create --print-join-command" where the control plane runs tells how';

/** The store of a kubelet's client certificates. */
export function clientCertificates(certDir: string): CertificateStore {
  return new CertificateStore(certDir, 'kubelet-client');
}

/**
 * Resolves when the kubeconfig holds a client certificate that is good; a server that is away, or a token that is not known there yet, is waited for.
 * Throws BAD_CONFIG when there is none and no way to one.
 */
export async function bootstrap(options: BootstrapOptions): Promise<void> {
  const { kubeconfig, bootstrapKubeconfig, clock, log } = options;
  const problem = await problemOf(kubeconfig, clock.now());
  if (problem === undefined) return;
  if (bootstrapKubeconfig === undefined || !existsSync(bootstrapKubeconfig)) {
    const lacks = bootstrapKubeconfig === undefined ? 'no bootstrap kubeconfig is given' : `"${bootstrapKubeconfig}" is not there`;
    throw new KnownError('BAD_CONFIG', `Cannot use "${kubeconfig}": ${problem}, and ${lacks}`, { hint: rejoin });
  }
  log.info(`"${kubeconfig}": ${problem}; asking for a client certificate by "${bootstrapKubeconfig}"`);
  const config = await loadKubeconfig(bootstrapKubeconfig);
  const store = clientCertificates(options.certDir);
  const stored = await store.current().catch(() => undefined);
  if (!stored || stored.leaf.validToDate.getTime() <= clock.now()) await askUntilGiven(config, store, options);
  makeFolder(dirname(kubeconfig), 0o755);
  putFile(kubeconfig, kubeconfigText(config, store.currentPath), 0o600);
}

/** Why a kubeconfig is of no use; undefined when its certificate is good. One without a certificate is for a token. */
async function problemOf(path: string, now: number): Promise<string | undefined> {
  if (!existsSync(path)) return 'it is not there';
  try {
    const { cert } = await loadKubeconfig(path);
    const end = cert === undefined ? undefined : new X509Certificate(cert).validToDate;
    return end && end.getTime() <= now ? `its client certificate has ended at ${end.toISOString()}` : undefined;
  } catch (err) {
    return messageOf(err);
  }
}

async function askUntilGiven(config: ClientConfig, store: CertificateStore, options: BootstrapOptions): Promise<void> {
  const { nodeName, clock, log, signal, bootstrapKubeconfig } = options;
  const backOff = new BackOff({ durationMs: 2_000, capMs: 32_000, jitter: 0.1 });
  const client = new Client({ ...config, userAgent: 'fairlead-kubelet' });
  let said = '';
  try {
    for (;;) {
      try {
        const pair = await requestCertificate(client, clientCertificate(nodeName), { clock, log, signal });
        const { leaf } = await store.update(pair, clock.now());
        log.info(`Got a client certificate for node "${nodeName}", good until ${leaf.validToDate.toISOString()}`);
        return;
      } catch (err) {
        signal.throwIfAborted();
        const why = explain(err, config.server, bootstrapKubeconfig);
        log[why === said ? 'debug' : 'warn'](`Cannot get a client certificate yet: ${why}`);
        said = why;
        await clock.sleep(backOff.step(), signal);
      }
    }
  } finally {
    client.close();
  }
}

/** What went wrong, and for what a person can do something about, what. */
function explain(err: unknown, server: string, file: string | undefined): string {
  const why = messageOf(err);
  if (err instanceof ApiError && err.code === 401)
    return `${server} does not know the token in "${file}", or it has ended (${why}). ${rejoin}`;
  const hint = err instanceof KnownError ? err.hint : undefined;
  return hint === undefined ? why : `${why}. ${hint}`;
}

/** With upstream's names. */
function kubeconfigText({ server, ca, serverName, insecureSkipTlsVerify }: ClientConfig, pemPath: string): string {
  const cluster = {
    server,
    ...(ca === undefined ? {} : { 'certificate-authority-data': Buffer.from(ca).toString('base64') }),
    ...(serverName === undefined ? {} : { 'tls-server-name': serverName }),
    ...(insecureSkipTlsVerify ? { 'insecure-skip-tls-verify': true } : {}),
  };
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'default-cluster', cluster }],
    users: [{ name: 'default-auth', user: { 'client-certificate': pemPath, 'client-key': pemPath } }],
    contexts: [{ name: 'default-context', context: { cluster: 'default-cluster', namespace: 'default', user: 'default-auth' } }],
    'current-context': 'default-context',
    preferences: {},
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}
