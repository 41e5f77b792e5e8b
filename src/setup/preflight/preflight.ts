/** Looks at the machine and says what stands in the way, before anything of it is touched. */
import { KnownError } from '../../errors/known-error.ts';
import type { Steps } from '../steps.ts';
import { check, withIgnored } from './check.ts';
import type { Facts } from './facts.ts';
import type { Finding } from './finding.ts';

/** Tells each finding that was not told before, then throws CHECK_FAILED where one of them is an error that was not ignored. */
export function refuseObstacles(facts: Facts, ignored: readonly string[], steps: Pick<Steps, 'warn'>, told: Set<string>): void {
  const findings = withIgnored(check(facts), ignored);
  for (const finding of findings) {
    const line = lineOf(finding);
    if (!told.has(line)) steps.warn(line);
    told.add(line);
  }
  const errors = findings.filter(({ severity }) => severity === 'error');
  if (errors.length === 0) return;
  const ids = [...new Set(errors.map(({ id }) => id))].join(',');
  throw new KnownError('CHECK_FAILED', `Cannot make a node of this machine: ${errors.map(({ cause }) => cause).join('; ')}`, {
    hint: `${errors.map(({ cure }) => cure).join('; ')}. At your own risk: --ignore-preflight-errors=${ids}`,
  });
}

function lineOf({ id, severity, cause, cure }: Finding): string {
  return `[${severity === 'error' ? 'ERROR' : 'WARNING'} ${id}] ${cause}. ${cure}`;
}
