/** Asks an API server for a certificate, and waits for it (client-go's util/certificate/csr). */
import { certificateSigningRequests } from '../../api/resource-types.ts';
import type { CertificateSigningRequest } from '../../api/schema/types.ts';
import { onAbort } from '../../clock/aborted.ts';
import type { Clock } from '../../clock/clock.ts';
import { KnownError } from '../../errors/known-error.ts';
import { type Log, silentLog } from '../../observability/log.ts';
import { newRequest, type OwnNames } from '../../x509/new-request.ts';
import type { Client } from '../client.ts';
import { Informer } from '../informer.ts';

/** What is asked for. */
export interface WantedCertificate {
  readonly names: OwnNames;
  /** `kubernetes.io/kube-apiserver-client-kubelet` */
  readonly signerName: string;
  readonly usages: readonly string[];
  /** At least 600; without, as long as the signer gives. */
  readonly expirationSeconds?: number;
}

export interface IssuedCertificate {
  readonly certPem: string;
  readonly keyPem: string;
}

interface RequestOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly log?: Log;
}

/** Who approves by hand has so long; then another request is made. */
const patienceMs = 15 * 60_000;

/**
 * Rejects with ApiError when the server does not take the request, CERTIFICATE_REFUSED when it was denied or has failed, TIMED_OUT when nobody has
 * decided within a quarter of an hour, and with the signal's reason.
 */
export async function requestCertificate(client: Client, wanted: WantedCertificate, options: RequestOptions): Promise<IssuedCertificate> {
  const { names, signerName, usages, expirationSeconds } = wanted;
  const { requestPem, keyPem } = newRequest(names);
  const made = await client.create(certificateSigningRequests, {
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { name: '', generateName: 'csr-' },
    spec: { request: Buffer.from(requestPem).toString('base64'), signerName, usages: [...usages], expirationSeconds },
  });
  options.log?.debug(`Certificate signing request "${made.metadata.name}" waits to be approved and issued`);
  return { certPem: await issued(client, made, options), keyPem };
}

/** The certificate of a request, once it is approved and signed. */
async function issued(
  client: Client,
  { metadata: { name } }: CertificateSigningRequest,
  { clock, signal, log = silentLog }: RequestOptions,
): Promise<string> {
  const decided = Promise.withResolvers<string>();
  const ended = new AbortController();
  using _ended = onAbort(signal, () => decided.reject(signal.reason));
  const timer = clock.after(patienceMs, () => decided.reject(timedOut(name)));
  const look = (request: CertificateSigningRequest): void => {
    try {
      const certificate = certificateOf(request);
      if (certificate !== undefined) decided.resolve(certificate);
    } catch (err) {
      decided.reject(err);
    }
  };
  const informer = new Informer(client, certificateSigningRequests, { fieldSelector: `metadata.name=${name}`, clock, log });
  informer.on({ add: look, update: look, delete: () => decided.reject(refused(name, 'it was deleted')) });
  const running = informer.start(ended.signal);
  try {
    return await decided.promise;
  } finally {
    timer.cancel();
    ended.abort();
    await running;
  }
}

/** PEM; undefined while nobody has decided or signed. Throws CERTIFICATE_REFUSED. */
function certificateOf({ metadata: { name }, status }: CertificateSigningRequest): string | undefined {
  const { conditions = [], certificate } = status ?? {};
  const no = conditions.find(({ type }) => type === 'Denied' || type === 'Failed');
  if (no) throw refused(name, `it ${no.type === 'Denied' ? 'is denied' : 'failed'}, reason: ${no.reason}, message: ${no.message}`);
  if (!certificate || !conditions.some(({ type }) => type === 'Approved')) return undefined;
  return Buffer.from(certificate, 'base64').toString();
}

function refused(name: string, why: string): KnownError {
  return new KnownError('CERTIFICATE_REFUSED', `Cannot get a certificate by the signing request "${name}": ${why}`, {
    hint: `Look at it: kubectl describe csr ${name}`,
  });
}

function timedOut(name: string): KnownError {
  return new KnownError('TIMED_OUT', `Cannot get a certificate by the signing request "${name}": nobody has approved or signed it`, {
    hint: `kubectl certificate approve ${name}; and a controller manager must run that has the key of the authority`,
  });
}
