/** Certificate requests. */
import { isDeepStrictEqual } from 'node:util';
import type { CertificateSigningRequest } from '../schema/types.ts';
import { duplicates, eachOf, type FieldError, forbidden, invalid, oneOf, required } from './field-error.ts';

const minCertificateSeconds = 600;

export function certificateErrors({ spec }: CertificateSigningRequest): FieldError[] {
  const errors: FieldError[] = [];
  if (!spec?.request) errors.push(required('spec.request'));
  if (!spec?.signerName) errors.push(required('spec.signerName'));
  else if (!/^[^/]+\/[^/]+/.test(spec.signerName)) {
    errors.push(
      invalid('spec.signerName', spec.signerName, "must be a fully qualified domain and path of the form 'example.com/signer-name'"),
    );
  }
  if (!spec?.usages?.length) errors.push(required('spec.usages', 'usages must be specified'));
  const seconds = spec?.expirationSeconds;
  if (seconds !== undefined && seconds < minCertificateSeconds) {
    errors.push(
      invalid('spec.expirationSeconds', seconds, `may not specify a duration less than ${minCertificateSeconds} seconds (10 minutes)`),
    );
  }
  return errors;
}

type Condition = NonNullable<NonNullable<CertificateSigningRequest['status']>['conditions']>[number];

const at = 'status.conditions';
const decisions = ['Approved', 'Denied'];

/** Of an update of `approval`: what was decided stays decided. */
export function certificateApprovalErrors(next: CertificateSigningRequest, old: CertificateSigningRequest): FieldError[] {
  const [now, before] = [next.status?.conditions ?? [], old.status?.conditions ?? []];
  const types = now.map((one) => one.type);
  return [
    ...eachOf(now, at, conditionErrors),
    ...(decisions.every((type) => types.includes(type))
      ? [
          invalid(
            at,
            types.findLast((type) => decisions.includes(type)),
            'Approved and Denied conditions are mutually exclusive',
          ),
        ]
      : []),
    ...duplicates(types, (index) => `${at}[${index}].type`),
    ...[...decisions, 'Failed']
      .filter((type) => ofType(now, type).length < ofType(before, type).length)
      .map((type) => forbidden(at, `updates may not remove a condition of type "${type}"`)),
  ];
}

/** Of an update of `status`: who signs is not who decides, and signs once. */
export function certificateStatusErrors(next: CertificateSigningRequest, old: CertificateSigningRequest): FieldError[] {
  const [now, before] = [next.status?.conditions ?? [], old.status?.conditions ?? []];
  const errors = certificateApprovalErrors(next, old);
  for (const type of decisions) {
    const [mine, theirs] = [ofType(now, type), ofType(before, type)];
    if (mine.length > theirs.length) errors.push(forbidden(at, `updates may not add a condition of type "${type}"`));
    else if (mine.length === theirs.length && !isDeepStrictEqual(mine, theirs))
      errors.push(forbidden(at, `updates may not modify a condition of type "${type}"`));
  }
  if (old.status?.certificate && next.status?.certificate !== old.status.certificate)
    errors.push(forbidden('status.certificate', 'updates may not modify existing certificate content'));
  return errors;
}

function conditionErrors({ type, status }: Condition, path: string): FieldError[] {
  const supported = [...decisions, 'Failed'].includes(type) ? ['True'] : ['False', 'True', 'Unknown'];
  return [...(type ? [] : [required(`${path}.type`)]), ...oneOf(status, `${path}.status`, supported)];
}

function ofType(conditions: readonly Condition[], type: string): Condition[] {
  return conditions.filter((one) => one.type === type);
}
