/** The APIServices of what an API server serves itself, as upstream's autoregister controller has them: nothing is routed by them, people and tools read them. */
import type { CustomResourceDefinition } from '../custom/definition.ts';
import { type ApiService, apiServices } from './aggregation.ts';

/** Says who looks after one: `onstart` for what is built in, `true` for what CustomResourceDefinitions bring. */
export const automanagedLabel = 'kube-aggregator.kubernetes.io/automanaged';
export type Automanaged = 'onstart' | 'true';

/** groupPriorityMinimum of a group, and versionPriority of its versions (kube-apiserver's apiVersionPriorities). What is not here gets no APIService. */
const priorities: Readonly<Record<string, readonly [number, Readonly<Record<string, number>>]>> = {
  '': [18_000, { v1: 1 }],
  apps: [17_800, { v1: 15 }],
  'events.k8s.io': [17_750, { v1: 15 }],
  'authentication.k8s.io': [17_700, { v1: 15 }],
  'authorization.k8s.io': [17_600, { v1: 15 }],
  autoscaling: [17_500, { v1: 15, v2: 30 }],
  batch: [17_400, { v1: 15 }],
  'certificates.k8s.io': [17_300, { v1: 15, v1beta1: 9, v1alpha1: 1 }],
  'networking.k8s.io': [17_200, { v1: 15, v1beta1: 9 }],
  policy: [17_100, { v1: 15 }],
  'rbac.authorization.k8s.io': [17_000, { v1: 15 }],
  'storage.k8s.io': [16_800, { v1: 15, v1beta1: 9, v1alpha1: 1 }],
  'apiextensions.k8s.io': [16_700, { v1: 15 }],
  'admissionregistration.k8s.io': [16_700, { v1: 15, v1beta1: 12, v1alpha1: 9 }],
  'scheduling.k8s.io': [16_600, { v1: 15, v1alpha2: 2 }],
  'coordination.k8s.io': [16_500, { v1: 15, v1beta1: 13, v1alpha2: 12 }],
  'node.k8s.io': [16_300, { v1: 15 }],
  'discovery.k8s.io': [16_200, { v1: 15 }],
  'resource.k8s.io': [16_200, { v1: 21, v1beta2: 15, v1beta1: 9, v1alpha3: 1 }],
  'flowcontrol.apiserver.k8s.io': [16_100, { v1: 21 }],
};

export interface GroupVersion {
  readonly group: string;
  readonly version: string;
}

function serviceOf(
  { group, version }: GroupVersion,
  by: Automanaged,
  [groupPriorityMinimum, versionPriority]: [number, number],
): ApiService {
  return {
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: apiServices.kind,
    metadata: { name: nameOf(group, version), labels: { [automanagedLabel]: by } },
    spec: { ...(group === '' ? {} : { group }), version, groupPriorityMinimum, versionPriority },
  };
}

function nameOf(group: string, version: string): string {
  return `${version}.${group}`;
}

/** By name. */
export function builtInServices(served: Iterable<GroupVersion>): Map<string, ApiService> {
  const found = new Map<string, ApiService>();
  for (const { group, version } of served) {
    const [ofGroup, versions] = priorities[group] ?? [0, {}];
    const ofVersion = versions[version];
    const name = nameOf(group, version);
    if (ofVersion !== undefined && !found.has(name)) found.set(name, serviceOf({ group, version }, 'onstart', [ofGroup, ofVersion]));
  }
  return found;
}

/** Names of those that a definition may have to do with. */
export function customServiceNames({ spec }: CustomResourceDefinition): string[] {
  return (spec?.versions ?? []).map(({ name = '' }) => nameOf(spec?.group ?? '', name));
}

/** The one of a name that some definition brings. */
export function customService(name: string, definitions: readonly CustomResourceDefinition[]): ApiService | undefined {
  for (const { spec } of definitions)
    for (const { name: version = '', served } of spec?.versions ?? [])
      if (served && nameOf(spec?.group ?? '', version) === name)
        return serviceOf({ group: spec?.group ?? '', version }, 'true', [1000, 100]);
  return undefined;
}

export function automanagedBy(object: ApiService | undefined): Automanaged | undefined {
  const said = object?.metadata.labels?.[automanagedLabel];
  return said === 'onstart' || said === 'true' ? said : undefined;
}

export type LocalAction = 'nothing' | 'create' | 'update' | 'delete';

export interface LocalState {
  readonly current: ApiService | undefined;
  readonly wanted: ApiService | undefined;
  /** Whether the name has been seen to since the server started, and whether the object was there then. */
  readonly isSeen: boolean;
  readonly wasThere: boolean;
}

/** As upstream's: what is built in is seen to once after a start, what definitions bring always, and what somebody else made never. */
export function localAction({ current, wanted, isSeen, wasThere }: LocalState): LocalAction {
  if (automanagedBy(wanted) === 'onstart' && isSeen) return 'nothing';
  if (!current) return wanted ? 'create' : 'nothing';
  const by = automanagedBy(current);
  if (by === undefined || (by === 'onstart' && (isSeen || !wasThere))) return 'nothing';
  if (!wanted) return 'delete';
  return sameSpec(current.spec, wanted.spec) ? 'nothing' : 'update';
}

function sameSpec(a: ApiService['spec'] = {}, b: ApiService['spec'] = {}): boolean {
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]) as Set<keyof typeof a>;
  return [...keys].every((key) => JSON.stringify(a[key]) === JSON.stringify(b[key]));
}
