/** Which plugins a write passes, in their order. A new plugin is a file in this folder and a line here. */
import { limitRanges, resourceQuotas } from '../../api/resource-types.ts';
import type { Clock } from '../../clock/clock.ts';
import { KnownError } from '../../errors/known-error.ts';
import type { AuthObjects } from '../auth/auth-objects.ts';
import type { ObjectStore } from '../resource/object-store.ts';
import { AdmissionChain, type AdmissionPlugin } from './admission.ts';
import { certificateRequests } from './certificate-requests.ts';
import { customResourceAdmission } from './custom-resources.ts';
import { defaultStorageClass } from './default-storage-class.ts';
import { defaultTolerationSeconds } from './default-toleration-seconds.ts';
import { denyServiceExternalIps } from './deny-service-external-ips.ts';
import { namespaceLifecycle } from './namespace-lifecycle.ts';
import { nodeRestriction } from './node-restriction.ts';
import { whereThereIs } from './on-demand.ts';
import { validatingPolicies } from './policy/policy-admission.ts';
import { policyParams } from './policy-params.ts';
import { priorityAdmission } from './priority.ts';
import { privilegeEscalation } from './privilege-escalation.ts';
import { runtimeClassAdmission } from './runtime-class.ts';
import { serviceAccountAdmission } from './service-account.ts';
import { storageInUse } from './storage-in-use.ts';
import { taintNewNode } from './taint-new-node.ts';
import { type UnservedDeps, warnOfUnserved } from './unserved.ts';
import { mutatingWebhooks } from './webhook/mutating-webhooks.ts';
import { validatingWebhooks } from './webhook/validating-webhooks.ts';
import type { WebhookDeps } from './webhook/webhook-dispatch.ts';

export interface AdmissionDeps extends WebhookDeps {
  readonly objects: ObjectStore;
  readonly authObjects: AuthObjects;
  readonly clock: Clock;
  readonly unserved: Pick<UnservedDeps, 'foreign' | 'tell'>;
}

/** Names of plugins, upstream's; what is in neither list is on or off as it is by default. */
export interface AdmissionChoice {
  readonly enabled: readonly string[];
  readonly disabled: readonly string[];
}

interface Line {
  readonly make: (deps: AdmissionDeps) => AdmissionPlugin;
  /** `always`: a part of the server under no flag upstream, or under several. */
  readonly when: 'always' | 'unless disabled' | 'if enabled';
}

/** In the order of upstream's, by its names. */
const lines: Readonly<Record<string, Line>> = {
  NamespaceLifecycle: { make: ({ lookup }) => namespaceLifecycle(lookup), when: 'unless disabled' },
  LimitRanger: {
    make: ({ lookup }) => whereThereIs(limitRanges, lookup, async () => (await import('./limit-ranger.ts')).limitRanger(lookup)),
    when: 'unless disabled',
  },
  TaintNodesByCondition: { make: () => taintNewNode, when: 'unless disabled' },
  ServiceAccount: { make: ({ lookup, clock }) => serviceAccountAdmission(lookup, clock), when: 'unless disabled' },
  Priority: { make: ({ lookup }) => priorityAdmission(lookup), when: 'unless disabled' },
  DefaultStorageClass: { make: ({ lookup }) => defaultStorageClass(lookup), when: 'unless disabled' },
  StorageObjectInUseProtection: { make: () => storageInUse, when: 'unless disabled' },
  RuntimeClass: { make: ({ lookup }) => runtimeClassAdmission(lookup), when: 'unless disabled' },
  DefaultTolerationSeconds: { make: () => defaultTolerationSeconds, when: 'unless disabled' },
  NodeRestriction: { make: ({ authObjects }) => nodeRestriction(authObjects), when: 'unless disabled' },
  DenyServiceExternalIPs: { make: () => denyServiceExternalIps, when: 'if enabled' },
  MutatingAdmissionWebhook: { make: mutatingWebhooks, when: 'unless disabled' },
  PrivilegeEscalation: { make: ({ authorizer }) => privilegeEscalation(authorizer), when: 'always' },
  WarnOfUnserved: { make: ({ lookup, unserved }) => warnOfUnserved({ lookup, ...unserved }), when: 'always' },
  CustomResources: { make: ({ lookup }) => customResourceAdmission(lookup), when: 'always' },
  CertificateRequests: { make: ({ authorizer }) => certificateRequests(authorizer), when: 'always' },
  PolicyParams: { make: policyParams, when: 'always' },
  // Others are asked about what would be written otherwise, and nothing else.
  ValidatingAdmissionPolicy: { make: validatingPolicies, when: 'unless disabled' },
  ValidatingAdmissionWebhook: { make: validatingWebhooks, when: 'unless disabled' },
  // The last: what another refuses is not charged.
  ResourceQuota: {
    make: (deps) => whereThereIs(resourceQuotas, deps.lookup, async () => (await import('./resource-quota.ts')).resourceQuota(deps)),
    when: 'unless disabled',
  },
};

/** What CertificateRequests does, under the three names that upstream has for it. */
const certificateNames = ['CertificateApproval', 'CertificateSigning', 'CertificateSubjectRestriction'];

/** Upstream's plugins that nothing here does. To switch one off is to have what one has. */
const absent = [
  'AlwaysPullImages',
  'ClusterTrustBundleAttest',
  'DefaultIngressClass',
  'EventRateLimit',
  'ExtendedResourceToleration',
  'ImagePolicyWebhook',
  'LimitPodHardAntiAffinityTopology',
  'MutatingAdmissionPolicy',
  'NamespaceAutoProvision',
  'NamespaceExists',
  'OwnerReferencesPermissionEnforcement',
  'PersistentVolumeClaimResize',
  'PodNodeSelector',
  'PodSecurity',
  'PodTolerationRestriction',
  'PodTopologyLabels',
];

/** Throws USAGE for a name that nothing has, and for what cannot be had. */
export function admissionChain(deps: AdmissionDeps, choice: AdmissionChoice = { enabled: [], disabled: [] }): AdmissionChain {
  for (const name of choice.enabled) checkName('enable', name);
  for (const name of choice.disabled) checkName('disable', name);
  const both = choice.enabled.find((name) => choice.disabled.includes(name));
  if (both !== undefined)
    throw new KnownError('USAGE', `Cannot enable and disable the admission plugin "${both}" at once`, {
      hint: 'Leave it out of one of the lists',
    });
  const on = ([name, { when }]: [string, Line]): boolean =>
    when === 'always' || (when === 'if enabled' ? choice.enabled.includes(name) : !choice.disabled.includes(name));
  return new AdmissionChain(
    Object.entries(lines)
      .filter(on)
      .map(([, { make }]) => make(deps)),
  );
}

function checkName(flag: 'enable' | 'disable', name: string): void {
  const when = certificateNames.includes(name) ? 'always' : lines[name]?.when;
  const refuse = (why: string, hint?: string): KnownError =>
    new KnownError('USAGE', `Cannot use --${flag}-admission-plugins with "${name}": ${why}`, hint === undefined ? {} : { hint });
  if (flag === 'enable' && absent.includes(name)) throw refuse('this server has no such plugin', 'Leave it out: nothing would act on it');
  if (flag === 'disable' && when === 'always') throw refuse('it is no plugin here, and always on');
  if (when === undefined && !absent.includes(name)) {
    const known = Object.entries(lines).flatMap(([known, line]) => (line.when === 'always' ? [] : [known]));
    throw refuse('there is none of that name', `There are ${known.join(', ')}`);
  }
}
