/** Gives certificates of a control plane new lives, by the authorities beside them. */
import { X509Certificate } from 'node:crypto';
import { parse } from 'yaml';
import { readIfThere, writeSecret } from '../../bootstrap/secret-file.ts';
import { KnownError } from '../../errors/known-error.ts';
import type { Authority, KeyPair } from '../../x509/authority.ts';
import { type FoundCertificate, keyPathOf } from './certs.ts';

export interface Renewed {
  readonly name: string;
  readonly path: string;
  readonly expires: Date;
}

/** Why one is left as it is. */
export interface Left {
  readonly name: string;
  readonly why: string;
}

/**
 * Renews those of the names, or all that can be without any. Authorities stay, as with kubeadm: everybody would have to trust another one; and what a
 * kubelet rotates by itself. Throws USAGE for a name that nothing has, BAD_CONFIG for one that was named and cannot be renewed.
 */
export async function renewCertificates(
  found: readonly FoundCertificate[],
  names: readonly string[],
  { pkiDir, now }: { readonly pkiDir: string; readonly now: number },
): Promise<{ readonly renewed: readonly Renewed[]; readonly left: readonly Left[] }> {
  const unknown = names.find((name) => !found.some((one) => one.name === name));
  if (unknown !== undefined)
    throw new KnownError('USAGE', `Cannot renew "${unknown}": there is no such certificate`, {
      hint: `There are ${found.map(({ name }) => name).join(', ')}`,
    });
  const renewed: Renewed[] = [];
  const left: Left[] = [];
  for (const one of found.filter(({ name }) => names.length === 0 || names.includes(name))) {
    const authority = one.issuer && (await authorityOf(one.issuer));
    const why = whyNot(one, authority !== undefined, pkiDir);
    if (why === undefined && authority) renewed.push(await renew(one, authority, now));
    else if (names.includes(one.name))
      throw new KnownError('BAD_CONFIG', `Cannot renew "${one.name}": ${why}`, { hint: `It is ${one.path}` });
    else left.push({ name: one.name, why: why ?? '' });
  }
  return { renewed, left };
}

function whyNot({ kind, problem, leaf }: FoundCertificate, hasAuthority: boolean, pkiDir: string): string | undefined {
  if (kind === 'authority') return 'it is an authority';
  if (kind === 'rotated') return 'the kubelet rotates it';
  if (problem !== undefined) return problem;
  return hasAuthority && leaf ? undefined : `the key of the authority that signed it is not in ${pkiDir}`;
}

/** Undefined where its key is not here. */
async function authorityOf(found: FoundCertificate): Promise<Authority | undefined> {
  const keyPem = await readIfThere(keyPathOf(found));
  if (keyPem === undefined) return undefined;
  const { loadAuthority } = await import('../../x509/authority.ts');
  return await loadAuthority({ certPem: found.certPem ?? '', keyPem });
}

async function renew({ name, path, kind, certPem = '' }: FoundCertificate, authority: Authority, now: number): Promise<Renewed> {
  const { renewCertificate } = await import('../../x509/renew.ts');
  const pair = await renewCertificate(authority, certPem, now);
  if (kind === 'kubeconfig') await writeSecret(path, await withPair((await readIfThere(path)) ?? '', pair));
  else {
    // The key first: whoever reads between the two finds a pair that does not fit, and looks again.
    await writeSecret(keyPathOf({ path }), pair.keyPem);
    await writeSecret(path, pair.certPem);
  }
  return { name, path, expires: new X509Certificate(pair.certPem).validToDate };
}

/** As JSON, which is YAML, too. */
async function withPair(text: string, { certPem, keyPem }: KeyPair): Promise<string> {
  const config = parse(text) as { readonly users: readonly { readonly user: Record<string, string> }[] };
  const [first, ...others] = config.users;
  const base64 = (pem: string): string => Buffer.from(pem).toString('base64');
  const user = { ...first?.user, 'client-certificate-data': base64(certPem), 'client-key-data': base64(keyPem) };
  return `${JSON.stringify({ ...config, users: [{ ...first, user }, ...others] }, null, 2)}\n`;
}
