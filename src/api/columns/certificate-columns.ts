/** Tables of certificate requests. */
import type { Columns } from '../registry/resource-row.ts';
import type { CertificateSigningRequest } from '../schema/types.ts';
import { humanDuration } from './age.ts';
import { age, column, columnsOf } from './columns.ts';

export const certificateColumns: Columns<CertificateSigningRequest> = columnsOf<CertificateSigningRequest>([
  age(),
  column('SignerName', ({ spec }) => spec.signerName),
  column('Requestor', ({ spec }) => spec.username ?? ''),
  column('RequestedDuration', ({ spec }) => (spec.expirationSeconds ? humanDuration(spec.expirationSeconds * 1000) : '<none>')),
  column('Condition', ({ status }) => {
    const holds = (type: string): boolean => status?.conditions?.some((one) => one.type === type) ?? false;
    const answer = holds('Denied') ? 'Denied' : holds('Approved') ? 'Approved' : 'Pending';
    return [answer, ...(holds('Failed') ? ['Failed'] : []), ...(status?.certificate ? ['Issued'] : [])].join(',');
  }),
]);
