/**
 * What is wrong with a living node, each with cause and cure, what is as it should be, and what could not be looked at: the preflight
 * checks, and those that only a node can be asked. Pure.
 */
import type { Facts } from '../preflight/facts.ts';
import type { Check, Finding } from '../preflight/finding.ts';
import { kernelChecks } from '../preflight/kernel-checks.ts';
import { machineChecks } from '../preflight/machine-checks.ts';
import { networkChecks } from '../preflight/network-checks.ts';
import { certificates } from './certificate-checks.ts';
import { controlPlane, node, services } from './cluster-checks.ts';
import { resolver } from './dns-checks.ts';
import type { DoctorFacts } from './facts.ts';
import { iptablesBackend } from './iptables-checks.ts';
import { pathMtu, podMtu } from './mtu-checks.ts';
import { plainRoutes } from './route-checks.ts';
import { type Examination, found, unseen, type Verdict } from './verdict.ts';
import { vxlanFirewall, vxlanPort } from './vxlan-checks.ts';

export interface Examined {
  readonly about: string;
  readonly result: 'fine' | 'wrong' | 'unseen';
  /** What was seen, or why nothing was; empty where findings say it. */
  readonly said: string;
  readonly findings: readonly Finding[];
}

function preflight(checks: readonly Check[], facts: Facts, isMeant: (id: string) => boolean): Finding[] {
  return checks
    .flatMap((check) => check(facts))
    .filter((one): one is Finding => typeof one === 'object')
    .filter(({ id }) => isMeant(id));
}

const isClock = (id: string): boolean => id === 'ClockSkew';

const examinations: readonly (readonly [string, Examination])[] = [
  [
    'machine',
    ({ machine }) =>
      found(
        preflight(machineChecks, machine, () => true),
        'rights, memory, cgroups, programs, runtime',
      ),
  ],
  [
    'kernel',
    ({ machine }) =>
      found(
        preflight(kernelChecks, machine, () => true),
        `what proxy mode ${machine.proxyMode} needs is there`,
      ),
  ],
  [
    'name, address, ports',
    ({ machine }) =>
      found(
        preflight(networkChecks, machine, (id) => !isClock(id)),
        `${[machine.nodeName, ...machine.addresses].join(', ')}`,
      ),
  ],
  ['services', services],
  ['control plane', controlPlane],
  [
    'time',
    ({ machine }) =>
      machine.skewMs === undefined
        ? unseen('the control plane has not said what time it is')
        : found(preflight(networkChecks, machine, isClock), "the clock is the control plane's"),
  ],
  ['node', node],
  ['certificates', certificates],
  ["pods' MTU", podMtu],
  ['MTU between nodes', pathMtu],
  ['routes to nodes', plainRoutes],
  ['VXLAN port', vxlanPort],
  ['VXLAN and firewalls', vxlanFirewall],
  ['DNS', resolver],
  ['iptables', iptablesBackend],
];

export function examine(facts: DoctorFacts): Examined[] {
  return examinations.map(([about, look]) => ({ about, ...examined(look(facts)) }));
}

function examined(verdict: Verdict): Omit<Examined, 'about'> {
  switch (verdict.kind) {
    case 'found':
      return { result: 'wrong', said: '', findings: verdict.findings };
    case 'fine':
      return { result: 'fine', said: verdict.said, findings: [] };
    case 'unseen':
      return { result: 'unseen', said: verdict.why, findings: [] };
  }
}

/** Warnings alone do not make a node ill. */
export function isHealthy(examined: readonly Examined[]): boolean {
  return examined.every(({ findings }) => findings.every(({ severity }) => severity === 'warning'));
}

/** Lines for people. */
export function reportText(examined: readonly Examined[]): string {
  const lines = examined.flatMap(({ about, result, said, findings }) => {
    if (result === 'fine') return [`✓ ${about}: ${said}`];
    if (result === 'unseen') return [`• ${about}: not looked at, ${said}`];
    return findings.map(({ id, severity, cause, cure }) => `${severity === 'error' ? '✗' : '!'} ${about}: ${cause} [${id}]\n    ${cure}`);
  });
  return lines.map((line) => `${line}\n`).join('');
}
