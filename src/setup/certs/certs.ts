/** The certificates of a machine, with kubeadm's names, and when each ends. */
import { X509Certificate } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { messageOf, systemCode } from '../../errors/known-error.ts';
import { issuerOf } from '../../x509/chain.ts';

export interface CertsDirs {
  /** ca.crt, apiserver.crt and the others; and kubeconfigs, where they lie beside them. */
  readonly pkiDir: string;
  /** admin.conf and the others. */
  readonly kubeconfigDir: string;
  /** What the kubelet asked for. */
  readonly certDir: string;
}

export interface FoundCertificate {
  /** `apiserver`, `admin.conf`, `kubelet-client-current` */
  readonly name: string;
  readonly path: string;
  readonly kind: 'authority' | 'certificate' | 'kubeconfig' | 'rotated';
  /** PEM; undefined for what cannot be read. */
  readonly certPem?: string;
  readonly leaf?: X509Certificate;
  readonly problem?: string;
  /** The one of those that were found that has signed it; an authority that has signed itself has none. */
  readonly issuer?: FoundCertificate;
  /** Why some do not trust it, though it can be read and has not ended; a new one would not have this. */
  readonly flaw?: string;
}

/** Throws what the system answers for a directory that is there and cannot be read. */
export async function findCertificates({ pkiDir, kubeconfigDir, certDir }: CertsDirs): Promise<FoundCertificate[]> {
  const files = async (dir: string, end: string): Promise<string[]> =>
    (await namesIn(dir)).filter((name) => name.endsWith(end)).map((name) => join(dir, name));
  const configDirs = [...new Set([kubeconfigDir, pkiDir])];
  const certificates = [...(await files(pkiDir, '.crt')), ...(await files(join(pkiDir, 'etcd'), '.crt'))];
  const configs = (
    await Promise.all(configDirs.map(async (dir) => [...(await files(dir, '.conf')), ...(await files(dir, '.kubeconfig'))]))
  ).flat();
  const rotated = [...(await files(certDir, '-current.pem')), ...(await files(certDir, '.crt'))].filter(
    (path) => !certificates.includes(path),
  );
  const read = [
    ...configs.map((path) => look(path, 'kubeconfig', nameOf(path), certificateIn)),
    ...certificates.map((path) => look(path, 'certificate', nameOf(path, pkiDir), async (text) => text)),
    ...rotated.map((path) => look(path, 'rotated', nameOf(path), async (text) => text)),
  ];
  const found = (await Promise.all(read)).filter((one) => one !== undefined);
  const authorities = found.filter(({ kind }) => kind === 'authority');
  return await Promise.all(found.map((one) => withIssuer(one, authorities)));
}

/** Where the key of a certificate is. */
export function keyPathOf({ path }: Pick<FoundCertificate, 'path'>): string {
  return path.replace(/\.crt$/, '.key');
}

async function withIssuer(one: FoundCertificate, authorities: readonly FoundCertificate[]): Promise<FoundCertificate> {
  const { leaf } = one;
  const leaves = authorities.flatMap((authority) => authority.leaf ?? []);
  const found = leaf && issuerOf(leaf, leaves);
  const issuer = authorities.find((authority) => found !== undefined && authority.leaf === found);
  if (!issuer) return one;
  const flaw = await flawOf(one, issuer);
  return { ...one, issuer, ...(flaw === undefined ? {} : { flaw }) };
}

/** Once names of authorities that others had made were written as another kind of string; never in what a kubelet rotates. */
async function flawOf({ kind, certPem = '' }: FoundCertificate, issuer: FoundCertificate): Promise<string | undefined> {
  if (kind !== 'certificate' && kind !== 'kubeconfig') return undefined;
  const { hasNameOf } = await import('../../x509/issuer-name.ts');
  if (hasNameOf(certPem, issuer.certPem ?? '')) return undefined;
  const name = commonNameOf(issuer.leaf?.subject ?? '');
  return `it spells the name of its authority "${name}" in another encoding: kubectl and others in Go do not trust it`;
}

async function namesIn(dir: string): Promise<string[]> {
  try {
    return (await readdir(dir)).toSorted();
  } catch (err) {
    if (systemCode(err) === 'ENOENT') return [];
    throw err;
  }
}

/** `etcd/server.crt` is `etcd-server`, as kubeadm calls it. */
function nameOf(path: string, dir?: string): string {
  const name = dir === undefined ? (path.split('/').at(-1) ?? '') : path.slice(dir.length).replace(/^\/+/, '').replaceAll('/', '-');
  return name.replace(/\.(crt|pem)$/, '');
}

/** The client certificate that a kubeconfig holds itself; undefined when it names a file, or has none. */
async function certificateIn(text: string): Promise<string | undefined> {
  const config = parse(text) as { readonly users?: readonly { readonly user?: { readonly 'client-certificate-data'?: string } }[] };
  const data = config.users?.[0]?.user?.['client-certificate-data'];
  return data === undefined ? undefined : Buffer.from(data, 'base64').toString();
}

async function look(
  path: string,
  kind: FoundCertificate['kind'],
  name: string,
  certificate: (text: string) => Promise<string | undefined>,
): Promise<FoundCertificate | undefined> {
  try {
    const certPem = await certificate(await readFile(path, 'utf8'));
    if (certPem === undefined) return undefined;
    const leaf = new X509Certificate(certPem);
    return { name, path, kind: leaf.ca ? 'authority' : kind, certPem, leaf };
  } catch (err) {
    return { name, path, kind, problem: messageOf(err) };
  }
}

/** CN of a subject or an issuer as node gives them. */
export function commonNameOf(subject: string): string {
  return /^CN=(.*)$/m.exec(subject)?.[1] ?? subject.replaceAll('\n', ',');
}
