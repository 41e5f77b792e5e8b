/**
 * The certificate of an authority that a power cut has left empty. Every kubeconfig has it as well, and all that is here was signed under its name: one of
 * another name in its place would make nobody trust anybody.
 */
import { createPublicKey, X509Certificate } from 'node:crypto';
import { basename } from 'node:path';
import { KnownError } from '../errors/known-error.ts';
import type { FormerAuthority } from '../x509/authority.ts';
import { certificateOfKey, certificatesOf } from '../x509/chain.ts';
import { readIfThere, readUnlessEmpty } from './secret-file.ts';

/** Where an authority is known by more than its own files. */
export interface Traces {
  /** Paths of kubeconfigs, which have its certificate. */
  readonly kubeconfigs?: readonly string[];
  /** Paths of certificates that it has signed, which have its name. */
  readonly signed?: readonly string[];
}

/** As JSON and as YAML have it. */
const embedded = /certificate-authority-data"?:\s*"?([A-Za-z0-9+/=]+)/g;

/** The bundle in a kubeconfig with the certificate of this key, which comes first in it; undefined where there is none. Pure. */
export function bundleOfKey(kubeconfig: string, keyPem: string): string | undefined {
  for (const [, data = ''] of kubeconfig.matchAll(embedded)) {
    const bundle = Buffer.from(data, 'base64').toString();
    const own = certificateOfKey(bundle, keyPem);
    if (own === undefined) continue;
    const all = certificatesOf(bundle);
    return all[0] === own ? bundle : [own, ...all.filter((pem) => pem !== own)].map((pem) => `${pem}\n`).join('');
  }
  return undefined;
}

/** The lost certificate itself, from where else it is. */
export async function findCertificate({ kubeconfigs = [] }: Traces, keyPem: string): Promise<string | undefined> {
  const texts = await Promise.all(kubeconfigs.map(readUnlessEmpty));
  return texts.flatMap((text) => bundleOfKey(text ?? '', keyPem) ?? [])[0];
}

/**
 * What one of this name in place of the authority of `certPath` must take over. Throws BAD_CONFIG where it could be nothing, and what is here is from an authority of
 * another name: nobody would trust that any more.
 */
export async function formerAuthority(
  { signed = [] }: Traces,
  { commonName, certPath, keyPem }: { readonly commonName: string; readonly certPath: string; readonly keyPem: string | undefined },
): Promise<FormerAuthority> {
  const there = (await Promise.all(signed.map(readUnlessEmpty))).flatMap((pem) => pem ?? []);
  const key = keyPem === undefined ? undefined : createPublicKey(keyPem);
  // Where the key is gone as well, all that it has signed is made anew under this name.
  const wasEmptied = key === undefined && (await readIfThere(certPath)) === '';
  const signedPem = key === undefined ? there.find(() => wasEmptied) : there.find((pem) => new X509Certificate(pem).verify(key));
  const names = there.map((pem) => new X509Certificate(pem).issuer);
  const other = signedPem === undefined ? names.find((name) => name !== `CN=${commonName}`) : undefined;
  if (other !== undefined) throw lost(certPath, other);
  return { keyPem, signedPem };
}

function lost(certPath: string, name: string): KnownError {
  const quoted = name.replaceAll('\n', ', ');
  return new KnownError(
    'BAD_CONFIG',
    `Cannot make ${certPath}: certificates here are from "${quoted}", and nobody would trust them any more`,
    {
      hint: `Put ${basename(certPath)} and its key back from a backup or from another control plane. Where there is neither, take away what is here: fairlead reset`,
    },
  );
}
