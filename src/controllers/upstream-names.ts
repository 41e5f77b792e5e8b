/** Names of controllers as kube-controller-manager 1.27 and older had them, which kubeadm still writes, controllers that only upstream has, and ServiceAccounts. */

const olderNames: Readonly<Record<string, string>> = {
  bootstrapsigner: 'bootstrap-signer-controller',
  cronjob: 'cronjob-controller',
  csrapproving: 'certificatesigningrequest-approving-controller',
  csrcleaner: 'certificatesigningrequest-cleaner-controller',
  csrsigning: 'certificatesigningrequest-signing-controller',
  daemonset: 'daemonset-controller',
  deployment: 'deployment-controller',
  disruption: 'disruption-controller',
  endpoint: 'endpoints-controller',
  endpointslice: 'endpointslice-controller',
  endpointslicemirroring: 'endpointslice-mirroring-controller',
  garbagecollector: 'garbage-collector-controller',
  horizontalpodautoscaling: 'horizontal-pod-autoscaler-controller',
  job: 'job-controller',
  namespace: 'namespace-controller',
  nodeipam: 'node-ipam-controller',
  nodelifecycle: 'node-lifecycle-controller',
  'persistentvolume-binder': 'persistentvolume-binder-controller',
  podgc: 'pod-garbage-collector-controller',
  'pv-protection': 'persistentvolume-protection-controller',
  'pvc-protection': 'persistentvolumeclaim-protection-controller',
  replicaset: 'replicaset-controller',
  replicationcontroller: 'replicationcontroller-controller',
  resourcequota: 'resourcequota-controller',
  'root-ca-cert-publisher': 'root-ca-certificate-publisher-controller',
  serviceaccount: 'serviceaccount-controller',
  statefulset: 'statefulset-controller',
  tokencleaner: 'token-cleaner-controller',
  'ttl-after-finished': 'ttl-after-finished-controller',
};

const onlyUpstream: ReadonlySet<string> = new Set([
  ...['attachdetach', 'clusterrole-aggregation', 'ephemeral-volume'],
  ...['persistentvolume-expander', 'route', 'service', 'cloud-node-lifecycle', 'ttl', 'storage-version-gc'],
  ...['clusterrole-aggregation-controller', 'device-taint-eviction-controller', 'ephemeral-volume-controller', 'taint-eviction-controller'],
  ...['legacy-serviceaccount-token-cleaner-controller', 'kube-apiserver-serving-clustertrustbundle-publisher-controller'],
  ...['persistentvolume-attach-detach-controller', 'persistentvolume-expander-controller'],
  ...['resourceclaim-controller', 'selinux-warning-controller', 'serviceaccount-token-controller'],
  ...[
    'storage-version-migrator-controller',
    'storageversion-garbage-collector-controller',
    'ttl-controller',
    'validatingadmissionpolicy-status-controller',
  ],
]);

/** A list such as `*,bootstrapsigner,-ttl-controller` in today's names. What shall not run and is not there anyway is left out. */
export function todaysNames(list: string): string {
  const words = list.split(',').filter(Boolean);
  const named = words.map((word) => {
    const [, minus = '', name = ''] = /^(-?)(.*)$/.exec(word) ?? [];
    return minus + (olderNames[name] ?? name);
  });
  return named.filter((word) => !(word.startsWith('-') && onlyUpstream.has(word.slice(1)))).join(',');
}

/** The ServiceAccounts, where they bear another name than the controller. */
const accounts: Readonly<Record<string, string>> = {
  'bootstrap-signer-controller': 'bootstrap-signer',
  'certificatesigningrequest-approving-controller': 'certificate-controller',
  'certificatesigningrequest-cleaner-controller': 'certificate-controller',
  'certificatesigningrequest-signing-controller': 'certificate-controller',
  'daemonset-controller': 'daemon-set-controller',
  'endpoints-controller': 'endpoint-controller',
  'endpointslice-mirroring-controller': 'endpointslicemirroring-controller',
  'garbage-collector-controller': 'generic-garbage-collector',
  'horizontal-pod-autoscaler-controller': 'horizontal-pod-autoscaler',
  'kubelet-serving-approving-controller': 'kubelet-serving-approver',
  'node-ipam-controller': 'node-controller',
  'node-lifecycle-controller': 'node-controller',
  'persistentvolume-binder-controller': 'persistent-volume-binder',
  'persistentvolume-protection-controller': 'pv-protection-controller',
  'persistentvolumeclaim-protection-controller': 'pvc-protection-controller',
  'pod-garbage-collector-controller': 'pod-garbage-collector',
  'replicationcontroller-controller': 'replication-controller',
  'root-ca-certificate-publisher-controller': 'root-ca-cert-publisher',
  'service-cidr-controller': 'service-cidrs-controller',
  'serviceaccount-controller': 'service-account-controller',
  'token-cleaner-controller': 'token-cleaner',
};

/** The ServiceAccount of kube-system as which a controller acts under --use-service-account-credentials. */
export function accountOf(controller: string): string {
  return accounts[controller] ?? controller;
}
