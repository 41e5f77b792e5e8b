/**
 * Labels, annotations, taints and finalizers that several parts must spell alike. The names are upstream's, from well_known_labels.go,
 * well_known_taints.go and annotation_key_constants.go of k8s.io/api; what only one folder uses stays there.
 */

/** Of Nodes (core/v1). */
export const labelHostname = 'kubernetes.io/hostname';
export const labelArchStable = 'kubernetes.io/arch';
export const labelOSStable = 'kubernetes.io/os';
export const labelInstanceTypeStable = 'node.kubernetes.io/instance-type';
export const labelTopologyZone = 'topology.kubernetes.io/zone';
export const labelTopologyRegion = 'topology.kubernetes.io/region';
export const labelArchBeta = 'beta.kubernetes.io/arch';
export const labelOSBeta = 'beta.kubernetes.io/os';
export const labelInstanceType = 'beta.kubernetes.io/instance-type';
export const labelFailureDomainBetaZone = 'failure-domain.beta.kubernetes.io/zone';
export const labelFailureDomainBetaRegion = 'failure-domain.beta.kubernetes.io/region';
export const labelNodeExcludeBalancers = 'node.kubernetes.io/exclude-from-external-load-balancers';
export const labelNodeRoleControlPlane = 'node-role.kubernetes.io/control-plane';
/** The name of that label before 1.24. */
export const labelNodeRoleOldControlPlane = 'node-role.kubernetes.io/master';

/** Taints of Nodes (core/v1). */
export const taintNodeNotReady = 'node.kubernetes.io/not-ready';
export const taintNodeUnreachable = 'node.kubernetes.io/unreachable';
export const taintNodeUnschedulable = 'node.kubernetes.io/unschedulable';
export const taintNodeMemoryPressure = 'node.kubernetes.io/memory-pressure';
export const taintNodeDiskPressure = 'node.kubernetes.io/disk-pressure';
export const taintNodePIDPressure = 'node.kubernetes.io/pid-pressure';
export const taintNodeNetworkUnavailable = 'node.kubernetes.io/network-unavailable';
/** Until the cloud's controllers have seen a node whose kubelet runs with --cloud-provider=external (k8s.io/cloud-provider/api). */
export const taintExternalCloudProvider = 'node.cloudprovider.kubernetes.io/uninitialized';
export const taintNodeShutdown = 'node.cloudprovider.kubernetes.io/shutdown';

/** Of Services and their endpoints (core/v1, discovery/v1). */
export const isHeadlessService = 'service.kubernetes.io/headless';
export const deprecatedAnnotationTopologyAwareHints = 'service.kubernetes.io/topology-aware-hints';
export const annotationTopologyMode = 'service.kubernetes.io/topology-mode';
export const labelServiceName = 'kubernetes.io/service-name';
export const labelManagedBy = 'endpointslice.kubernetes.io/managed-by';
export const labelSkipMirror = 'endpointslice.kubernetes.io/skip-mirror';
export const endpointsLastChangeTriggerTime = 'endpoints.kubernetes.io/last-change-trigger-time';
/** On a Service what its addresses are told by, `layer2` or `routed`: who gave them says it, and the speakers do it. */
export const announceAnnotation = 'fairlead.dev/announce';
/** Beside it, where not every node is to tell: selectors of nodes as text, of which one must match, and names of links. */
export const announceNodesAnnotation = 'fairlead.dev/announce-nodes';
export const announceInterfacesAnnotation = 'fairlead.dev/announce-interfaces';
/** The Secret of kube-system with the key by which speakers know each other; it is there when addresses are. */
export const speakerSecret = 'fairlead-speaker';
export const loadBalancerCleanupFinalizer = 'service.kubernetes.io/load-balancer-cleanup';
export const annotationIngressClass = 'kubernetes.io/ingress.class';

/** Of a DaemonSet how often its template has changed; kubectl and old clients look at it (apps/v1). */
export const deprecatedTemplateGeneration = 'deprecated.daemonset.template.generation';

/** Of objects that have to do with volumes. */
export const betaStorageClassAnnotation = 'volume.beta.kubernetes.io/storage-class';
export const pvcProtectionFinalizer = 'kubernetes.io/pvc-protection';
export const pvProtectionFinalizer = 'kubernetes.io/pv-protection';
export const vacProtectionFinalizer = 'kubernetes.io/vac-protection';

/** A pod of the API that stands for one that the kubelet has from a file. */
export const mirrorPodAnnotationKey = 'kubernetes.io/config.mirror';
export const lastAppliedConfigAnnotation = 'kubectl.kubernetes.io/last-applied-configuration';
/** The bookmark that ends what a streamed list sends first. */
export const initialEventsAnnotationKey = 'k8s.io/initial-events-end';
export const legacyUnknownSignerName = 'kubernetes.io/legacy-unknown';
