/** When a certificate is replaced, and whether it is still the one that is wanted: pure (client-go's util/certificate). */
import type { X509Certificate } from 'node:crypto';
import { parseIp } from '../../ip/ip.ts';
import type { OwnNames } from '../../x509/new-request.ts';

/** Between 70 and 90 percent of its life, so that nodes that came at one time do not all ask at one time. `random` is from 0 up to 1. */
export function rotationDeadline({ validFromDate, validToDate }: X509Certificate, random: number): number {
  const [from, to] = [validFromDate.getTime(), validToDate.getTime()];
  return from + (to - from) * (0.7 + 0.2 * random);
}

/** Whether it has the name and all that is asked for; more does no harm. */
export function satisfies(certificate: X509Certificate, { commonName, organizations, dnsNames = [], ips = [] }: OwnNames): boolean {
  const subject = certificate.subject.split('\n');
  const alternatives = (certificate.subjectAltName ?? '').split(', ');
  const has = (kind: string, wanted: (name: string) => boolean): boolean =>
    alternatives.some((one) => one.startsWith(kind) && wanted(one.slice(kind.length)));
  return (
    subject.includes(`CN=${commonName}`) &&
    organizations.every((name) => subject.includes(`O=${name}`)) &&
    dnsNames.every((name) => has('DNS:', (one) => one === name)) &&
    ips.every((ip) => has('IP Address:', (one) => parseIp(one) === parseIp(ip)))
  );
}
