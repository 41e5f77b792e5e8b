/** Warnings for everything but pods: Services, slices, volumes, claims, classes, Secrets, Ingresses and workloads. */
import { isIp, parseIp } from '../../ip/ip.ts';
import type {
  CronJob,
  CSIDriver,
  Deployment,
  EndpointSlice,
  Ingress,
  Job,
  PersistentVolume,
  PersistentVolumeClaim,
  ReplicaSet,
  ReplicationController,
  RuntimeClass,
  Secret,
  Service,
  ServiceAccount,
  StorageClass,
} from '../schema/types.ts';
import { isDns1123Label } from '../validation/names.ts';
import { annotationIngressClass, betaStorageClassAnnotation, deprecatedAnnotationTopologyAwareHints } from '../well-known.ts';
import { labelWarnings } from './node-labels.ts';
import { annotationWarnings, claimSizeWarnings, oldVolumeWarnings, podWarnings, templateWarnings, termWarnings } from './pod.ts';

const claimAnnotations: Readonly<Record<string, string>> = {
  [betaStorageClassAnnotation]: 'deprecated since v1.8; use "storageClassName" attribute instead',
};
const volumeAnnotations: Readonly<Record<string, string>> = {
  ...claimAnnotations,
  'volume.beta.kubernetes.io/mount-options': 'deprecated since v1.31; use "mountOptions" attribute instead',
};
const goneVolumes: readonly string[] = ['cephfs', 'photonPersistentDisk', 'scaleIO', 'storageos', 'glusterfs', 'rbd'];
const accountAnnotations: Readonly<Record<string, string>> = {
  'kubernetes.io/enforce-mountable-secrets': 'deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets',
};

const recycleDeprecated =
  'spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.';

export function serviceWarnings({ metadata, spec = {} }: Service): string[] {
  const warnings: string[] = [];
  if (metadata.annotations?.[deprecatedAnnotationTopologyAwareHints] !== undefined) {
    warnings.push(
      `annotation ${deprecatedAnnotationTopologyAwareHints} is deprecated, please use service.kubernetes.io/topology-mode instead`,
    );
  }
  if (spec.type === 'ClusterIP' && spec.clusterIP === 'None') {
    if (spec.loadBalancerIP) warnings.push('spec.loadBalancerIP is ignored for headless services');
    if (spec.externalIPs?.length) warnings.push('spec.externalIPs is ignored for headless services');
    if (spec.sessionAffinity !== 'None') warnings.push('spec.SessionAffinity is ignored for headless services');
  }
  const addresses = (spec.externalIPs ?? []).flatMap((ip, i) => addressWarnings(ip, `spec.externalIPs[${i}]`));
  warnings.push(...addresses, ...addressWarnings(spec.loadBalancerIP, 'spec.loadBalancerIP'));
  if (spec.type === 'ExternalName' && spec.externalIPs?.length)
    warnings.push('spec.externalIPs is ignored when spec.type is "ExternalName"');
  if (spec.type !== 'ExternalName' && spec.externalName) warnings.push('spec.externalName is ignored when spec.type is not "ExternalName"');
  if (spec.trafficDistribution === 'PreferClose') {
    warnings.push('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"');
  }
  return warnings;
}

/** IPv6 addresses should be in canonical form: programs that compare texts take two forms for two addresses. */
function addressWarnings(ip: string | undefined, path: string): string[] {
  if (!ip?.includes(':') || !isIp(ip)) return [];
  const canonical = parseIp(ip);
  return canonical === ip
    ? []
    : [`${path}: IPv6 address ${JSON.stringify(ip)} should be in RFC 5952 canonical format (${JSON.stringify(canonical)})`];
}

export function endpointSliceWarnings({ addressType }: EndpointSlice): string[] {
  return addressType === 'FQDN' ? ['spec.addressType: FQDN endpoints are deprecated'] : [];
}

export function volumeObjectWarnings({ metadata, spec = {} }: PersistentVolume): string[] {
  return [
    ...annotationWarnings(metadata.annotations, 'metadata.annotations', volumeAnnotations),
    ...(spec.persistentVolumeReclaimPolicy === 'Recycle' ? [recycleDeprecated] : []),
    ...(spec.nodeAffinity?.required?.nodeSelectorTerms ?? []).flatMap((term, i) =>
      termWarnings(term, `spec.nodeAffinity.required.nodeSelectorTerms[${i}]`, false),
    ),
    ...oldVolumeWarnings(spec, 'spec', goneVolumes),
  ];
}

export function claimWarnings({ metadata, spec }: PersistentVolumeClaim): string[] {
  return [
    ...annotationWarnings(metadata.annotations, 'metadata.annotations', claimAnnotations),
    ...claimSizeWarnings(spec?.resources, 'spec.resources'),
  ];
}

export function storageClassWarnings({ allowedTopologies }: StorageClass): string[] {
  return (allowedTopologies ?? []).flatMap(({ matchLabelExpressions }, i) =>
    (matchLabelExpressions ?? []).flatMap(({ key }, j) => labelWarnings(key, `allowedTopologies[${i}].matchLabelExpressions[${j}].key`)),
  );
}

export function runtimeClassWarnings({ scheduling }: RuntimeClass): string[] {
  return Object.keys(scheduling?.nodeSelector ?? {}).flatMap((key) => labelWarnings(key, 'scheduling.nodeSelector'));
}

export function csiDriverWarnings({ spec }: CSIDriver): string[] {
  if (!spec?.tokenRequests?.length || spec.serviceAccountTokenInSecrets !== undefined) return [];
  return [
    'spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible logging of tokens in volume attributes',
  ];
}

/** What Go says about a TLS Secret without PEM data. Whether certificate and key belong together is not checked. */
export function secretWarnings({ type, data }: Secret): string[] {
  if (type !== 'kubernetes.io/tls') return [];
  for (const [key, noun] of Object.entries({ 'tls.crt': 'certificate', 'tls.key': 'key' })) {
    const text = Buffer.from(data?.[key] ?? '', 'base64').toString('latin1');
    if (!text.includes('-----BEGIN ')) return [`tls: failed to find any PEM data in ${noun} input`];
  }
  return [];
}

export function ingressWarnings({ metadata, spec }: Ingress): string[] {
  const old = metadata.annotations?.[annotationIngressClass] !== undefined && spec?.ingressClassName === undefined;
  return old ? [`annotation "${annotationIngressClass}" is deprecated, please use 'spec.ingressClassName' instead`] : [];
}

export function serviceAccountWarnings({ metadata }: ServiceAccount): string[] {
  return annotationWarnings(metadata.annotations, 'metadata.annotations', accountAnnotations);
}

const inPodNames = 'this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended';

/** A warning if a name that becomes part of pods' names is no DNS label. */
function podNameWarnings(name: string): string[] {
  const wrong = isDns1123Label(name);
  return wrong.length > 0 ? [`metadata.name: ${inPodNames}: [${wrong.join(' ')}]`] : [];
}

export function workloadWarnings(workload: Deployment | ReplicaSet | ReplicationController | Job): string[] {
  return [...podNameWarnings(workload.metadata.name), ...templateWarnings(workload)];
}

export function cronJobWarnings({ metadata, spec }: CronJob): string[] {
  return [...podNameWarnings(metadata.name), ...podWarnings(spec?.jobTemplate?.spec?.template ?? {}, 'spec.jobTemplate.spec.template')];
}
