/** Deprecated labels of nodes: most have another name now. */
import {
  labelArchBeta,
  labelFailureDomainBetaRegion,
  labelFailureDomainBetaZone,
  labelInstanceType,
  labelNodeRoleOldControlPlane,
  labelOSBeta,
} from '../well-known.ts';

const oldLabels: Readonly<Record<string, string>> = {
  [labelArchBeta]: 'deprecated since v1.14; use "kubernetes.io/arch" instead',
  [labelOSBeta]: 'deprecated since v1.14; use "kubernetes.io/os" instead',
  [labelFailureDomainBetaRegion]: 'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
  [labelFailureDomainBetaZone]: 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
  [labelInstanceType]: 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
  'app.kubernetes.io/created-by': 'deprecated since v1.9',
  'scheduler.alpha.kubernetes.io/preferAvoidPods': 'deprecated since v1.22; use Taints and Tolerations instead',
  [labelNodeRoleOldControlPlane]: 'use "node-role.kubernetes.io/control-plane" instead',
};

/** What upstream says about a deprecated label of nodes; undefined for any other label. */
export function deprecatedLabel(key: string | undefined): string | undefined {
  return key !== undefined && Object.hasOwn(oldLabels, key) ? oldLabels[key] : undefined;
}

/** A warning at `path` if the label is deprecated. */
export function labelWarnings(key: string, path: string): string[] {
  const text = deprecatedLabel(key);
  return text ? [`${path}: ${text}`] : [];
}
