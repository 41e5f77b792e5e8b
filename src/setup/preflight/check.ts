/**
 * What stands in the way of a node on this machine, each with its cause and its cure. Ids are kubeadm's where it has one, for
 * --ignore-preflight-errors. Pure.
 */
import type { Facts } from './facts.ts';
import type { Check, Finding } from './finding.ts';
import { kernelChecks } from './kernel-checks.ts';
import { machineChecks } from './machine-checks.ts';
import { networkChecks } from './network-checks.ts';
import { storeChecks } from './store-checks.ts';

const checks: readonly Check[] = [...machineChecks, ...kernelChecks, ...networkChecks, ...storeChecks];

export function check(facts: Facts): Finding[] {
  return checks.flatMap((one) => one(facts).filter((finding): finding is Finding => typeof finding === 'object'));
}

/** Those that stand in the way when `ignored` (ids in any case, or `all`) do not: the others are warnings. */
export function withIgnored(findings: readonly Finding[], ignored: readonly string[]): Finding[] {
  const ids = new Set(ignored.map((id) => id.toLowerCase()));
  const isIgnored = (id: string): boolean => ids.has('all') || ids.has(id.toLowerCase());
  return findings.map((finding) => (isIgnored(finding.id) ? { ...finding, severity: 'warning' } : finding));
}
