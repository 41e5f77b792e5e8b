/** Labels and annotations that the kubelet puts on sandboxes and containers; crictl and other tools know these names. */
export const podLabels = {
  podName: 'io.kubernetes.pod.name',
  podNamespace: 'io.kubernetes.pod.namespace',
  podUid: 'io.kubernetes.pod.uid',
  containerName: 'io.kubernetes.container.name',
} as const;

export const containerAnnotations = {
  hash: 'io.kubernetes.container.hash',
  restartCount: 'io.kubernetes.container.restartCount',
  terminationMessagePath: 'io.kubernetes.container.terminationMessagePath',
  terminationMessagePolicy: 'io.kubernetes.container.terminationMessagePolicy',
  /** Where the termination log lies on the node; ours, so that it is found again after a restart. */
  terminationLog: 'fairlead.dev/termination-log',
  /** What the container was made with, as JSON: its pod may ask for something else by now. */
  resources: 'fairlead.dev/resources',
  ports: 'io.kubernetes.container.ports',
  podGracePeriod: 'io.kubernetes.pod.terminationGracePeriod',
  /** The container's lifecycle.preStop as JSON: it must run even when the pod's object is gone. */
  preStopHandler: 'io.kubernetes.container.preStopHandler',
} as const;

/** Annotations of pods that come from files; their mirrors in the API have mirrorPodAnnotationKey besides. */
export const podAnnotations = {
  source: 'kubernetes.io/config.source',
  hash: 'kubernetes.io/config.hash',
  seen: 'kubernetes.io/config.seen',
} as const;
