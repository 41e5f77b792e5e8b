/** Certificate requests. */
import type { CertificateSigningRequest } from '../schema/types.ts';
import { type FieldError, invalid, required } from './field-error.ts';

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
