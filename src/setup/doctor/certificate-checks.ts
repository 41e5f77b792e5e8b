/** When the certificates of this machine end. Pure. */
import { error, type Finding, warning } from '../preflight/finding.ts';
import type { CertificateFact } from './facts.ts';
import { type Examination, found, unseen } from './verdict.ts';

/** Of its life: a month of a year. The kubelet rotates its own before, when a fifth is left or a tenth. */
const lateShare = 1 / 12;

/** Undefined for one that holds for long enough. */
export function judgeCertificate(fact: CertificateFact, now: number): Finding | undefined {
  const { name, path, starts, ends, problem, flaw } = fact;
  const id = `Certificate-${name}`;
  const cure = cureOf(fact, now);
  if (problem !== undefined) return error(id, `${path} cannot be read: ${problem}`, 'Put back what was there, or: fairlead certs renew');
  if (now >= ends) return error(id, `${name} ended on ${day(ends)}`, cure);
  if (now < starts) return error(id, `${name} does not hold before ${day(starts)}`, 'Is the clock of this machine right?');
  if (flaw !== undefined) return error(id, `${path}: ${flaw}`, `${cure}; then start what uses it again`);
  return ends - now < (ends - starts) * lateShare ? warning(id, `${name} ends on ${day(ends)}`, cure) : undefined;
}

/** For a kubelet that can no longer ask for another itself: pods live on. */
export const credentialAgain =
  'A new one comes by the line that "fairlead token create --print-join-command" prints on a control plane, run here again: what it does not name stays as it is; on a control plane itself by "fairlead init"';

function cureOf({ name, path, kind, ends, isRenewable }: CertificateFact, now: number): string {
  if (kind === 'rotated' && name.startsWith('kubelet-client') && now >= ends) return credentialAgain;
  if (kind === 'rotated') return 'Its kubelet should have got another: see the log of the agent, and kubectl get csr';
  if (kind === 'authority') return 'An authority is not renewed by itself: plan another before it ends';
  return isRenewable ? `fairlead certs renew ${name}` : `Bring another ${path} from where the key of its authority is kept`;
}

function day(ms: number): string {
  return new Date(ms).toISOString();
}

export const certificates: Examination = ({ certificates: all, certificatesProblem, now }) => {
  if (certificatesProblem !== undefined) return unseen(certificatesProblem);
  if (all.length === 0) return unseen('there are none here');
  const first = Math.min(...all.map(({ ends }) => ends));
  return found(
    all.map((one) => judgeCertificate(one, now)),
    `none of ${all.length} ends before ${day(first)}`,
  );
};
