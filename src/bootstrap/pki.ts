/**
 * The files of a cluster's public-key infrastructure, with kubeadm's names. What is already there is kept, so that a second
 * run never locks anybody out; only what is missing is made, and what was made for another user, server or address than now. Where the key of the
 * authority is kept elsewhere, as with kubeadm's external CA, nothing can be made, and all must be there. Every file is 0600.
 */
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { nodePartGroup, nodeParts, nodePartUser } from '../api/node-parts.ts';
import { CertificateStore } from '../client/certificate/certificate-store.ts';
import { KnownError } from '../errors/known-error.ts';
import { parseIp } from '../ip/ip.ts';
import {
  type CertificateRequest,
  createAuthority,
  createServiceAccountKey,
  issueCertificate,
  type KeyPair,
  loadAuthority,
} from '../x509/authority.ts';
import { certificatesOf } from '../x509/chain.ts';
import { findCertificate, formerAuthority, type Traces } from './former-authority.ts';
import { embedded, keptIn, kubeconfigText } from './kubeconfig-text.ts';
import { readIfThere, readUnlessEmpty, writeSecret } from './secret-file.ts';

export interface ClusterPkiOptions {
  /** Where ca.crt, apiserver.crt, sa.key, admin.conf and the others go. */
  readonly dir: string;
  /** Where the kubeconfigs go, when it is another directory. */
  readonly kubeconfigDir?: string;
  readonly cluster: string;
  /** The URL written into kubeconfigs. */
  readonly server: string;
  /** Addresses and names under which the API server is reached, besides the usual ones of the kubernetes Service. */
  readonly addresses: readonly string[];
  readonly names: readonly string[];
  /** The first address of the Service range. */
  readonly serviceAddress: string;
  readonly clusterDomain: string;
  readonly now: number;
}

export interface NodePkiOptions {
  readonly pkiDir: string;
  /** Receives the kubeconfigs and the kubelet's serving certificate. */
  readonly dir: string;
  readonly cluster: string;
  readonly server: string;
  readonly node: string;
  readonly addresses: readonly string[];
  readonly now: number;
}

async function readParts(dir: string, name: string): Promise<Partial<KeyPair>> {
  const [certPem, keyPem] = await Promise.all(['crt', 'key'].map((end) => readUnlessEmpty(join(dir, `${name}.${end}`))));
  return { ...(certPem === undefined ? {} : { certPem }), ...(keyPem === undefined ? {} : { keyPem }) };
}

/** The key first: a certificate without its key is that of an authority which is kept elsewhere, and not what somebody was killed over. */
async function writePair(dir: string, name: string, pair: KeyPair): Promise<void> {
  await writeSecret(join(dir, `${name}.key`), pair.keyPem);
  await writeSecret(join(dir, `${name}.crt`), pair.certPem);
}

/** Who signs what is missing. */
export interface Issuer {
  readonly certPem: string;
  /** What is there was made by somebody else, who may have named more groups. */
  readonly isExternal: boolean;
  /** Throws BAD_CONFIG where the key is not here, naming the file that could not be made. */
  readonly issue: (request: CertificateRequest, path: string, now: number) => Promise<KeyPair>;
}

/** The authority kept in FILE.crt and FILE.key, made when it is not there, from what is left of it where there are `traces`. */
export async function ensureAuthority(dir: string, file: string, commonName: string, now: number, traces: Traces = {}): Promise<Issuer> {
  const { certPem, keyPem } = await readParts(dir, file);
  const keyPath = join(dir, `${file}.key`);
  if (certPem !== undefined && keyPem === undefined) {
    if ((await readIfThere(keyPath)) === '') throw emptied(keyPath, `the certificate beside it is kept: ${file}.crt`);
    return externalAuthority(certPem, keyPath);
  }
  const known = keyPem === undefined ? undefined : (certPem ?? (await findCertificate(traces, keyPem)));
  const former = { commonName, certPath: join(dir, `${file}.crt`), keyPem };
  const authority =
    known !== undefined && keyPem !== undefined
      ? await loadAuthority({ certPem: known, keyPem })
      : await createAuthority(commonName, now, await formerAuthority(traces, former));
  if (certPem === undefined) await writePair(dir, file, authority);
  return {
    certPem: authority.certPem,
    isExternal: false,
    issue: (request, _path, at) => issueCertificate(authority, request, at),
  };
}

/** A key that nothing brings back, while others go by what it has signed. */
function emptied(path: string, why: string): KnownError {
  return new KnownError('BAD_CONFIG', `Cannot use ${path}: it is empty, as a power cut may leave a file of an older version, and ${why}`, {
    hint: `Put it back from a backup or from another control plane. Where there is neither, take away what is here: fairlead reset`,
  });
}

function externalAuthority(certPem: string, keyPath: string): Issuer {
  const issue: Issuer['issue'] = async ({ commonName }, path) => {
    throw new KnownError('BAD_CONFIG', `Cannot make ${path} for "${commonName}": ${keyPath}, the key of the authority, is not there`, {
      hint: `Put the key back, or bring ${path} from where it is kept; or take away what is here: fairlead reset`,
    });
  };
  return { certPem, isExternal: true, issue };
}

/** Whether a certificate names this user and these groups, and every name and address; it may name more of the latter, and of groups where `mayHaveMore`. */
function isFor(
  certPem: string | Buffer,
  { commonName, organizations = [], dnsNames = [], ips = [] }: CertificateRequest,
  mayHaveMore: boolean,
): boolean {
  const certificate = new X509Certificate(certPem);
  const named = certificate.subject.split('\n');
  const wanted = [`CN=${commonName}`, ...organizations.map((o) => `O=${o}`)];
  return (
    wanted.every((one) => named.includes(one)) &&
    (mayHaveMore || named.length === wanted.length) &&
    dnsNames.every((name) => certificate.checkHost(name) !== undefined) &&
    ips.every((ip) => certificate.checkIP(ip) !== undefined)
  );
}

/** Whether an authority of the same name has signed it that is gone, as when a power cut took it: nobody trusts it any more. Pure. */
function isOfFormer(certPem: string | Buffer, authorityPem: string): boolean {
  const certificate = new X509Certificate(certPem);
  const authorities = certificatesOf(authorityPem).map((pem) => new X509Certificate(pem));
  return authorities.some(({ subject }) => subject === certificate.issuer) && !authorities.some((one) => certificate.verify(one.publicKey));
}

/** NAME.crt and NAME.key, made when they are not there, do not fit each other, or are for somebody else. */
export async function ensurePair(issuer: Issuer, dir: string, name: string, request: CertificateRequest, now: number): Promise<void> {
  const { certPem, keyPem } = await readParts(dir, name);
  const isPair = certPem !== undefined && keyPem !== undefined && new X509Certificate(certPem).checkPrivateKey(createPrivateKey(keyPem));
  if (isPair && isFor(certPem, request, issuer.isExternal) && !isOfFormer(certPem, issuer.certPem)) return;
  await writePair(dir, name, await issuer.issue(request, join(dir, `${name}.crt`), now));
}

interface Subject {
  readonly user: string;
  readonly groups?: readonly string[];
}

async function ensureKubeconfig(
  issuer: Issuer,
  path: string,
  where: { readonly cluster: string; readonly server: string; readonly now: number },
  subject: Subject,
): Promise<void> {
  const request: CertificateRequest = { commonName: subject.user, organizations: subject.groups ?? [], usages: ['client'] };
  const present = await readUnlessEmpty(path);
  if (present !== undefined && isConfigFor(present, where.server, request, issuer)) return;
  const pair = await issuer.issue(request, path, where.now);
  await writeSecret(
    path,
    kubeconfigText({
      cluster: where.cluster,
      server: where.server,
      user: subject.user,
      caPem: issuer.certPem,
      credential: embedded(pair),
    }),
  );
}

/** What `kubeconfigText` has not written is somebody else's, and stays as it is. */
function isConfigFor(text: string, server: string, request: CertificateRequest, issuer: Pick<Issuer, 'certPem'>): boolean {
  if (!text.startsWith('{')) return true;
  const config = JSON.parse(text) as {
    readonly clusters?: readonly { readonly cluster: { readonly server?: string } }[];
    readonly users?: readonly { readonly user: { readonly 'client-certificate-data'?: string } }[];
  };
  const data = config.users?.[0]?.user['client-certificate-data'];
  const isThere = config.clusters?.[0]?.cluster.server === server;
  if (data === undefined) return true;
  const certificate = Buffer.from(data, 'base64');
  return isThere && isFor(certificate, request, false) && !isOfFormer(certificate, issuer.certPem);
}

async function ensureServiceAccountKey(dir: string): Promise<void> {
  const [keyPem, pubPem] = await Promise.all(['sa.key', 'sa.pub'].map((name) => readUnlessEmpty(join(dir, name))));
  if (keyPem === undefined && pubPem !== undefined && (await readIfThere(join(dir, 'sa.key'))) === '')
    throw emptied(join(dir, 'sa.key'), 'tokens are known by its other half: sa.pub');
  if (keyPem !== undefined && pubPem !== undefined) return;
  const made = keyPem ?? (await createServiceAccountKey());
  if (keyPem === undefined) await writeSecret(join(dir, 'sa.key'), made);
  await writeSecret(join(dir, 'sa.pub'), String(createPublicKey(made).export({ type: 'spki', format: 'pem' })));
}

/** That of the cluster. `kubeconfigs` are those that are made by it here. */
function clusterAuthority(dir: string, kubeconfigs: readonly string[], now: number): Promise<Issuer> {
  const signed = ['apiserver.crt', 'apiserver-kubelet-client.crt'].map((name) => join(dir, name));
  return ensureAuthority(dir, 'ca', 'kubernetes', now, { kubeconfigs, signed });
}

/** Who each kubeconfig of a control plane is for. */
export const clusterKubeconfigs: Readonly<Record<string, Subject>> = {
  'admin.conf': { user: 'kubernetes-admin', groups: ['kubeadm:cluster-admins'] },
  // Past RBAC, for the day when somebody has deleted a binding too many: nobody can take this from the group `system:masters`.
  'super-admin.conf': { user: 'kubernetes-super-admin', groups: ['system:masters'] },
  'controller-manager.conf': { user: 'system:kube-controller-manager' },
  'scheduler.conf': { user: 'system:kube-scheduler' },
  'cloud-controller-manager.conf': { user: 'system:cloud-controller-manager' },
};

/** Of a certificate that is there: one in its place is for them as well, as there are kubeconfigs that lead to them. */
async function formerNames(path: string): Promise<{ readonly dnsNames: readonly string[]; readonly ips: readonly string[] }> {
  const text = await readUnlessEmpty(path);
  const names = text === undefined ? [] : (new X509Certificate(text).subjectAltName ?? '').split(', ');
  const of = (kind: string): string[] => names.flatMap((name) => (name.startsWith(kind) ? [name.slice(kind.length)] : []));
  return { dnsNames: of('DNS:'), ips: of('IP Address:').flatMap((ip) => parseIp(ip) ?? []) };
}

/** What the API server shows to servers behind it; where its authority's key is not here, that is brought by hand, or there is none. */
async function ensureFrontProxy(dir: string, now: number): Promise<void> {
  const issuer = await ensureAuthority(dir, 'front-proxy-ca', 'front-proxy-ca', now, { signed: [join(dir, 'front-proxy-client.crt')] });
  if (!issuer.isExternal)
    await ensurePair(issuer, dir, 'front-proxy-client', { commonName: 'front-proxy-client', usages: ['client'] }, now);
}

/** Makes whatever the control plane's PKI directory lacks. */
export async function ensureClusterPki(options: ClusterPkiOptions): Promise<void> {
  const { dir, kubeconfigDir = dir, now } = options;
  const kubeconfigs = [...Object.keys(clusterKubeconfigs), 'kubelet.conf'].map((name) => join(kubeconfigDir, name));
  const authority = await clusterAuthority(dir, kubeconfigs, now);
  const former = await formerNames(join(dir, 'apiserver.crt'));
  const apiserver: CertificateRequest = {
    commonName: 'kube-apiserver',
    dnsNames: [
      ...new Set([
        'localhost',
        'kubernetes',
        'kubernetes.default',
        'kubernetes.default.svc',
        `kubernetes.default.svc.${options.clusterDomain}`,
        ...options.names,
        ...former.dnsNames,
      ]),
    ],
    ips: [...new Set(['127.0.0.1', options.serviceAddress, ...options.addresses, ...former.ips])],
    usages: ['server'],
  };
  // A user of its own with a role for kubelets alone: whoever leads the API server to another server than a kubelet gains nothing there.
  const kubeletClient: CertificateRequest = { commonName: 'kube-apiserver-kubelet-client', usages: ['client'] };
  await Promise.all([
    ensurePair(authority, dir, 'apiserver', apiserver, now),
    ensurePair(authority, dir, 'apiserver-kubelet-client', kubeletClient, now),
    ensureFrontProxy(dir, now),
    ensureServiceAccountKey(dir),
    ...Object.entries(clusterKubeconfigs).map(([name, subject]) =>
      ensureKubeconfig(authority, join(kubeconfigDir, name), options, subject),
    ),
  ]);
}

/** Makes whatever a node's directory lacks: one kubeconfig per part, the kubelet's serving certificate, ca.crt. */
export async function ensureNodePki(options: NodePkiOptions): Promise<void> {
  const { dir, node, now } = options;
  const kubeconfigs = ['kubelet', ...nodeParts].map((part) => join(dir, `${part}.kubeconfig`));
  const authority = await clusterAuthority(options.pkiDir, kubeconfigs, now);
  const serving: CertificateRequest = {
    commonName: `system:node:${node}`,
    organizations: ['system:nodes'],
    dnsNames: [node],
    ips: options.addresses,
    usages: ['server'],
  };
  const kubeconfig = (part: string, user: string, group: string): Promise<void> =>
    ensureKubeconfig(authority, join(dir, `${part}.kubeconfig`), options, { user, groups: [group] });
  await Promise.all([
    writeSecret(join(dir, 'ca.crt'), authority.certPem),
    ensurePair(authority, dir, 'kubelet', serving, now),
    kubeconfig('kubelet', `system:node:${node}`, 'system:nodes'),
    ...nodeParts.map((part) => kubeconfig(part, nodePartUser(part, node), nodePartGroup(part))),
  ]);
}

export interface NodeCredentialOptions {
  readonly pkiDir: string;
  /** What every part of the node uses. */
  readonly kubeconfig: string;
  /** Where its kubelet keeps the certificate, and rotates it. */
  readonly certDir: string;
  readonly cluster: string;
  readonly server: string;
  readonly node: string;
  readonly now: number;
}

/** What a node gets by a token, for the one that has the authority's key; anew where it has ended, as its kubelet can no longer ask for another then. */
export async function ensureNodeCredential(options: NodeCredentialOptions): Promise<void> {
  const { kubeconfig, cluster, server, node, now } = options;
  const store = new CertificateStore(options.certDir, 'kubelet-client');
  // What cannot be read, as a power cut leaves it, is made anew.
  const end = (await store.current().catch(() => undefined))?.leaf.validToDate.getTime() ?? 0;
  if ((await readUnlessEmpty(kubeconfig)) !== undefined && end > now) return;
  const authority = await clusterAuthority(options.pkiDir, [kubeconfig], now);
  const user = `system:node:${node}`;
  const request: CertificateRequest = { commonName: user, organizations: ['system:nodes'], usages: ['client'] };
  await store.update(await authority.issue(request, kubeconfig, now), now);
  const credential = keptIn(store.currentPath);
  await writeSecret(kubeconfig, kubeconfigText({ cluster, server, user, caPem: authority.certPem, credential }));
}
