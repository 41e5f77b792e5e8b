/**
 * What is accepted and kept, and acted on by nobody yet. Whoever writes it is told by a `Warning` header and an Event. A line leaves this table
 * when its part is built; nothing else has to change.
 */
import { noProvisioner } from '../../api/placement/volume-claim.ts';
import { ingressClasses, secrets, services } from '../../api/resource-types.ts';
import type {
  Container,
  CronJob,
  Deployment,
  Ingress,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  PodSpec,
  Service,
  StorageClass,
} from '../../api/schema/types.ts';
import { annotationIngressClass, speakerSecret } from '../../api/well-known.ts';
import type { Lookup } from '../cache/lookup.ts';

/** Whose work it would be. Where that part is somebody else's program, nobody is warned: it may well do it. */
export type Doer = 'apiserver' | 'controller-manager' | 'scheduler' | 'node';

export interface Unserved {
  /** `pods`, `networkpolicies.networking.k8s.io`. */
  readonly resources: readonly string[];
  readonly doer: Doer;
  /**
   * What of the object nobody acts on, by its value; undefined when the object does without. It is told when the object is created, and
   * again when this value changes.
   */
  readonly part: (object: never, lookup: Lookup) => unknown;
  /** In the words of a warning: what does not happen, and what does. */
  readonly message: string;
}

const whole = (): true => true;

/** Where kinds that make pods have the pod's spec. */
const podSpecs: Readonly<Record<string, { readonly at: string; readonly of: (object: never) => PodSpec | undefined }>> = {
  pods: { at: 'spec', of: (pod: Pod) => pod.spec },
  ...Object.fromEntries(
    ['replicationcontrollers', 'deployments.apps', 'replicasets.apps', 'statefulsets.apps', 'daemonsets.apps', 'jobs.batch'].map((name) => [
      name,
      { at: 'spec.template.spec', of: ({ spec }: Deployment) => spec?.template?.spec },
    ]),
  ),
  'cronjobs.batch': { at: 'spec.jobTemplate.spec.template.spec', of: ({ spec }: CronJob) => spec?.jobTemplate?.spec?.template?.spec },
};

/** A field of pods, wherever a pod's spec may stand. */
function inPods(doer: Doer, part: (spec: PodSpec) => unknown, message: (at: string) => string): Unserved[] {
  return Object.entries(podSpecs).map(([name, { at, of }]) => ({
    resources: [name],
    doer,
    part: (object: never) => {
      const spec = of(object);
      return spec && part(spec);
    },
    message: message(at),
  }));
}

function containersOf({ initContainers = [], containers = [] }: PodSpec): readonly Container[] {
  return [...initContainers, ...containers];
}

/** Undefined for an empty list. */
function some<T>(list: readonly T[] | undefined): readonly T[] | undefined {
  return list && list.length > 0 ? list : undefined;
}

/** Of classes with a controller some Ingress controller makes itself known, whichever it is. */
function withoutController({ metadata, spec }: Ingress, lookup: Lookup): string | undefined {
  const name = spec?.ingressClassName ?? metadata.annotations?.[annotationIngressClass];
  const classes = lookup.list(ingressClasses);
  const isThere = name
    ? classes.some((c) => c.metadata.name === name)
    : classes.some((c) => c.metadata.annotations?.['ingressclass.kubernetes.io/is-default-class'] === 'true');
  return isThere ? undefined : (name ?? '');
}

/** A provider shows itself by the first address that it gives, and ours before that by the key of its speakers. */
function withoutProvider({ spec }: Service, lookup: Lookup): true | undefined {
  if (spec?.type !== 'LoadBalancer') return undefined;
  if (lookup.get(secrets, speakerSecret, 'kube-system')) return undefined;
  return lookup.list(services).some((other) => other.status?.loadBalancer?.ingress?.length) ? undefined : true;
}

function podSecurity({ metadata }: { readonly metadata: { readonly labels?: Record<string, string> | undefined } }): unknown {
  const labels = Object.entries(metadata.labels ?? {});
  return some(
    labels.filter(([key, level]) => /^pod-security\.kubernetes\.io\/(enforce|audit|warn)$/.test(key) && level !== 'privileged').sort(),
  );
}

/** Volumes that a kubelet makes here, and those that are claims. */
const knownVolumes = new Set([
  'hostPath',
  'emptyDir',
  'secret',
  'configMap',
  'downwardAPI',
  'projected',
  'persistentVolumeClaim',
  'ephemeral',
]);

function unknownVolumes({ volumes = [] }: PodSpec): unknown {
  return some(volumes.flatMap((volume) => Object.keys(volume).filter((key) => key !== 'name' && !knownVolumes.has(key))).sort());
}

const noDevices = 'no part of this cluster allocates devices: pods with resource claims stay Pending';

export const unserved: readonly Unserved[] = [
  {
    resources: ['networkpolicies.networking.k8s.io'],
    doer: 'node',
    part: whole,
    message: 'Fairlead enforces no NetworkPolicies: it restricts no traffic unless another policy engine is installed',
  },
  {
    resources: ['ingresses.networking.k8s.io'],
    doer: 'node',
    part: withoutController,
    message: 'no IngressClass of this cluster is for it: it leads no traffic anywhere until an ingress controller is installed',
  },
  {
    resources: ['services'],
    doer: 'node',
    part: withoutProvider,
    message: 'no load-balancer provider has shown itself: the external address stays <pending>; ClusterIP and node ports work',
  },
  {
    resources: ['namespaces'],
    doer: 'apiserver',
    part: podSecurity,
    message: 'this API server enforces no Pod Security Standards: the labels pod-security.kubernetes.io/* refuse and warn of no pod',
  },
  {
    resources: ['persistentvolumeclaims', 'persistentvolumes'],
    doer: 'node',
    part: ({ spec }: PersistentVolumeClaim | PersistentVolume) => (spec?.volumeMode === 'Block' ? true : undefined),
    message: "spec.volumeMode: Fairlead's kubelet gives containers no block devices: those of pods with it do not start",
  },
  {
    resources: ['persistentvolumes'],
    doer: 'node',
    part: ({ spec }: PersistentVolume) => (spec?.hostPath || spec?.local ? undefined : true),
    message: "Fairlead's kubelet mounts hostPath and local volumes only: the containers of pods with a claim to this one do not start",
  },
  {
    resources: ['storageclasses.storage.k8s.io'],
    doer: 'controller-manager',
    part: ({ provisioner }: StorageClass) =>
      provisioner.startsWith('kubernetes.io/') && provisioner !== noProvisioner ? provisioner : undefined,
    message: 'provisioner: no part of this cluster is one of those that were parts of Kubernetes: its claims wait for volumes made by hand',
  },
  {
    resources: ['csidrivers.storage.k8s.io'],
    doer: 'node',
    part: whole,
    message: "Fairlead's kubelet calls no CSI drivers: the containers of pods with volumes of one do not start",
  },
  {
    resources: ['volumeattributesclasses.storage.k8s.io'],
    doer: 'controller-manager',
    part: whole,
    message: 'no part of this cluster changes volumes: a claim with this class only gets volumes that have it',
  },
  {
    resources: ['resourceclaims.resource.k8s.io', 'resourceclaimtemplates.resource.k8s.io', 'deviceclasses.resource.k8s.io'],
    doer: 'scheduler',
    part: whole,
    message: noDevices,
  },
  ...inPods(
    'scheduler',
    (spec) => some(spec.topologySpreadConstraints),
    (at) => `${at}.topologySpreadConstraints: the scheduler does not look at them, it spreads the pods of one owner over nodes only`,
  ),
  ...inPods(
    'scheduler',
    (spec) => some(spec.resourceClaims),
    (at) => `${at}.resourceClaims: ${noDevices}`,
  ),
  ...inPods(
    'scheduler',
    (spec) => spec.workloadRef,
    (at) => `${at}.workloadRef: the scheduler places each pod by itself`,
  ),
  ...inPods(
    'controller-manager',
    (spec) => some(spec.volumes?.flatMap((volume) => (volume.ephemeral ? [volume.name] : []))),
    (at) => `${at}.volumes: no part of this cluster makes the claims of ephemeral volumes: pods that have one stay Pending`,
  ),
  ...inPods(
    'node',
    unknownVolumes,
    (at) => `${at}.volumes: Fairlead's kubelet mounts none of other systems or drivers: the containers of pods that have one do not start`,
  ),
  ...inPods(
    'node',
    (spec) => (spec.hostUsers === false ? true : undefined),
    (at) => `${at}.hostUsers: Fairlead's kubelet makes no user namespaces, the pod shares the node's`,
  ),
  ...inPods(
    'node',
    (spec) => spec.setHostnameAsFQDN || undefined,
    (at) => `${at}.setHostnameAsFQDN: Fairlead's kubelet sets the short host name`,
  ),
  ...inPods(
    'node',
    (spec) => some([spec.securityContext, ...containersOf(spec).map((c) => c.securityContext)].flatMap((c) => c?.appArmorProfile ?? [])),
    (at) => `${at}: Fairlead's kubelet passes no appArmorProfile on, containers run with the profile of the container runtime`,
  ),
  ...inPods(
    'node',
    (spec) => some([spec.securityContext, ...containersOf(spec).map((c) => c.securityContext)].flatMap((c) => c?.seLinuxOptions ?? [])),
    (at) => `${at}: Fairlead's kubelet passes no seLinuxOptions on, containers run with the label of the container runtime`,
  ),
  ...inPods(
    'node',
    (spec) => some(containersOf(spec).flatMap((c) => c.lifecycle?.stopSignal ?? [])),
    (at) => `${at}: Fairlead's kubelet passes no stopSignal on, containers are ended by the signal that their image names`,
  ),
];
