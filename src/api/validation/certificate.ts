/** CertificateSigningRequests: what is asked for, and who may write which part of the status. */
import { X509Certificate } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { CertificateSigningRequest } from '../schema/types.ts';
import { legacyUnknownSignerName } from '../well-known.ts';
import { duplicates, eachOf, type FieldError, failing, forbidden, invalid, notSupported, oneOf, required, tooLong } from './field-error.ts';
import { isDns1123Label, isDns1123Subdomain } from './names.ts';

const minCertificateSeconds = 600;
const maxDomainBytes = 253;
const maxSignerBytes = 253 + 1 + 253 + 63 + 1;

const usages: readonly string[] = [
  ...['any', 'cert sign', 'client auth', 'code signing', 'content commitment', 'crl sign', 'data encipherment', 'decipher only'],
  ...['digital signature', 'email protection', 'encipher only', 'ipsec end system', 'ipsec tunnel', 'ipsec user', 'key agreement'],
  ...['key encipherment', 'microsoft sgc', 'netscape sgc', 'ocsp signing', 's/mime', 'server auth', 'signing', 'timestamping'],
];

/** Whether the request can be read and is signed with its own key is looked at in admission, where it is parsed. */
export function certificateErrors({ spec }: CertificateSigningRequest): FieldError[] {
  const { request = '', usages: given, signerName, expirationSeconds: seconds } = spec ?? {};
  const errors: FieldError[] = [];
  const pem = Buffer.from(request, 'base64').toString('latin1');
  if (!pem.includes('-----BEGIN CERTIFICATE REQUEST-----')) {
    errors.push(invalid('spec.request', request, 'PEM block type must be CERTIFICATE REQUEST'));
  }
  if (!given?.length) errors.push(required('spec.usages'));
  errors.push(
    ...eachOf(given, 'spec.usages', (usage, path) => (usages.includes(usage) ? [] : [notSupported(path, usage, usages)])),
    ...duplicates(given ?? [], 'spec.usages'),
  );
  if (signerName === legacyUnknownSignerName) {
    errors.push(invalid('spec.signerName', signerName, 'the legacy signerName is not allowed via this API version'));
  } else errors.push(...signerNameErrors(signerName, 'spec.signerName'));
  if (seconds !== undefined && seconds < minCertificateSeconds) {
    errors.push(
      invalid('spec.expirationSeconds', seconds, `may not specify a duration less than ${minCertificateSeconds} seconds (10 minutes)`),
    );
  }
  return errors;
}

/** `example.com/signer-name`: a domain of at least two labels, and a path. */
export function signerNameErrors(name: string | undefined, path: string): FieldError[] {
  if (!name) return [required(path)];
  const [domain = '', signer = '', ...more] = name.split('/');
  if (!name.includes('/') || more.length > 0) {
    return [invalid(path, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'")];
  }
  const labels = domain.split('.');
  const errors = domain.length > maxDomainBytes ? [tooLong(path, maxDomainBytes)] : [];
  errors.push(...firstWrong(labels, isDns1123Label, domain, path));
  if (labels.length < 2) errors.push(invalid(path, domain, 'should be a domain with at least two segments separated by dots'));
  errors.push(...firstWrong(signer.split('.'), isDns1123Subdomain, signer, path));
  return name.length > maxSignerBytes ? [...errors, tooLong(path, maxSignerBytes)] : errors;
}

function firstWrong(labels: readonly string[], check: (label: string) => string[], whole: string, path: string): FieldError[] {
  const wrong = labels.find((label) => check(label).length > 0);
  return wrong === undefined ? [] : check(wrong).map((text) => invalid(path, whole, `validating label ${JSON.stringify(wrong)}: ${text}`));
}

type Condition = NonNullable<NonNullable<CertificateSigningRequest['status']>['conditions']>[number];

const at = 'status.conditions';
const decisions = ['Approved', 'Denied'];

/** Errors of an update of `approval`: conditions may be added, not removed. */
export function certificateApprovalErrors(next: CertificateSigningRequest, old: CertificateSigningRequest): FieldError[] {
  const [now, before] = [next.status?.conditions ?? [], old.status?.conditions ?? []];
  const types = now.map((one) => one.type);
  const isBoth = decisions.every((type) => types.includes(type));
  const last = types.findLast((type) => decisions.includes(type));
  return [
    ...eachOf(now, at, conditionErrors),
    ...failing([[isBoth, () => invalid(at, last, 'Approved and Denied conditions are mutually exclusive')]]),
    ...duplicates(types, at, '.type'),
    ...[...decisions, 'Failed']
      .filter((type) => ofType(now, type).length < ofType(before, type).length)
      .map((type) => forbidden(at, `updates may not remove a condition of type "${type}"`)),
  ];
}

/** Errors of an update of `status`: a signer neither approves nor denies, and does not replace a certificate. */
export function certificateStatusErrors(next: CertificateSigningRequest, old: CertificateSigningRequest): FieldError[] {
  const [now, before] = [next.status?.conditions ?? [], old.status?.conditions ?? []];
  const errors = certificateApprovalErrors(next, old);
  for (const type of decisions) {
    const [mine, theirs] = [ofType(now, type), ofType(before, type)];
    if (mine.length > theirs.length) errors.push(forbidden(at, `updates may not add a condition of type "${type}"`));
    else if (mine.length === theirs.length && !isDeepStrictEqual(mine, theirs))
      errors.push(forbidden(at, `updates may not modify a condition of type "${type}"`));
  }
  const certificate = next.status?.certificate ?? '';
  if (certificate === (old.status?.certificate ?? '')) return errors;
  const problem = certificateProblem(Buffer.from(certificate, 'base64').toString('latin1'));
  if (problem !== undefined) errors.push(invalid('status.certificate', '<certificate data>', problem));
  if (old.status?.certificate) errors.push(forbidden('status.certificate', 'updates may not modify existing certificate content'));
  return errors;
}

const pemBlock = /-----BEGIN ([^-]*)-----\r?\n([\s\S]*?)-----END \1-----/g;

/** Why a text is no certificates in PEM; nothing at all is none, and fine. */
function certificateProblem(text: string): string | undefined {
  if (text === '') return undefined;
  const blocks = [...text.matchAll(pemBlock)];
  const other = blocks.find(([, type]) => type !== 'CERTIFICATE');
  if (other) return `only CERTIFICATE PEM blocks are allowed, found ${JSON.stringify(other[1])}`;
  if (blocks.some(([, , content]) => content?.includes(':'))) return 'no PEM block headers are permitted';
  if (blocks.length === 0) return 'must contain at least one CERTIFICATE PEM block';
  return blocks.every(([block]) => isCertificate(block)) ? undefined : 'x509: malformed certificate';
}

function isCertificate(block: string): boolean {
  try {
    return new X509Certificate(block).raw.length > 0;
  } catch {
    return false;
  }
}

function conditionErrors({ type, status }: Condition, path: string): FieldError[] {
  const supported = [...decisions, 'Failed'].includes(type) ? ['True'] : ['False', 'True', 'Unknown'];
  return [...(type ? [] : [required(`${path}.type`)]), ...oneOf(status, `${path}.status`, supported)];
}

function ofType(conditions: readonly Condition[], type: string): Condition[] {
  return conditions.filter((one) => one.type === type);
}
