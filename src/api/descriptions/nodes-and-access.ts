/** Nodes, quotas, accounts and rights. */
export const nodesAndAccess = `
Node: A machine that runs pods. Its kubelet makes it and says how it is.
NodeSpec: What the cluster has decided about a node.
  podCIDR: The range of its pods' addresses.
  podCIDRs: The ranges of its pods' addresses, one of each family.
  providerID: What its provider calls it.
  unschedulable: Whether no new pods are placed there, as kubectl cordon sets it.
  taints: What keeps pods away that do not tolerate it.
  configSource: Not used any more.
  externalID: Not used any more.
Taint: Keeps pods away that do not tolerate it.
  key: Its key.
  value: Its value.
  effect: NoSchedule: no new pods; PreferNoSchedule: rather not; NoExecute: those that run have to go too.
  timeAdded: When it was set, for NoExecute.
NodeStatus: How a node is.
  capacity: What it has.
  allocatable: What of it pods can have.
  addresses: Its addresses and names.
  daemonEndpoints: Where its kubelet listens.
  nodeInfo: Its versions and ids.
  images: The images that it has.
  volumesInUse: Volumes that it has mounted.
  volumesAttached: Volumes that are attached to it.
  runtimeHandlers: What its container runtime can do.
  features: What its container runtime can do, whatever the handler.
  phase: Not used any more.
NodeCondition: One question about a node (Ready, MemoryPressure, NetworkUnavailable …), and its answer.
  lastHeartbeatTime: When its kubelet last said so.
NodeAddress: An address or name of a node.
  type: InternalIP, ExternalIP, Hostname, InternalDNS or ExternalDNS.
  address: The address or name.
NodeSystemInfo: Versions and ids of a node.
  machineID: The id of its installation.
  systemUUID: The id of its hardware.
  bootID: The id of its last start.
  kernelVersion: The kernel's version.
  osImage: The system's name.
  containerRuntimeVersion: The container runtime's name and version.
  kubeletVersion: The kubelet's version.
  kubeProxyVersion: Not used any more.
  operatingSystem: linux or windows.
  architecture: Its architecture, such as amd64.
ContainerImage: An image on a node.
  names: Its names.
  sizeBytes: Its size.

ServiceAccount: Whom a pod acts as towards the API server.
  secrets: Secrets that its pods may use. Deprecated.
  imagePullSecrets: Secrets for the images of pods that name none.
  automountServiceAccountToken: Whether its pods find a token as a file. Default true.

Role: Rights within a namespace. They add up; nothing takes any away.
  rules: The rights.
ClusterRole < Role: Rights in all namespaces and to what is in none, or, by a RoleBinding, in one namespace.
  aggregationRule: Other ClusterRoles whose rights it has; its rules are written from theirs.
AggregationRule: ClusterRoles whose rights are put together.
  clusterRoleSelectors: Which, by their labels.
PolicyRule: What may be done to what.
  verbs: get, list, watch, create, update, patch, delete, deletecollection and others; * for all.
  apiGroups: The groups of the resources; an empty text is the core group, * all.
  resources: The resources, such as pods or pods/log; * for all.
  resourceNames: Names of single objects. Default: all.
  nonResourceURLs: Paths that are no resources, such as /metrics. In ClusterRoles only.
RoleBinding: Gives the rights of a role to somebody, within a namespace.
  subjects: Who gets them.
  roleRef: The Role or ClusterRole. It cannot be changed.
ClusterRoleBinding < RoleBinding: Gives the rights of a ClusterRole to somebody, everywhere.
  roleRef: The ClusterRole. It cannot be changed.
Subject: Somebody who gets rights.
  kind: User, Group or ServiceAccount.
  apiGroup: rbac.authorization.k8s.io for users and groups, empty for ServiceAccounts.
  name: The name.
  namespace: The ServiceAccount's namespace.
RoleRef: The role that is given.
  apiGroup: rbac.authorization.k8s.io.
  kind: Role or ClusterRole.

ResourceQuota: How much the objects of a namespace may use together.
ResourceQuotaSpec: How much of what.
  hard: The limits, such as requests.cpu, pods or count/jobs.batch.
  scopes: Which pods are counted. Default: all.
  scopeSelector: Which pods are counted, by expressions.
ResourceQuotaStatus: How much is used.
  hard: The limits.
  used: What is used.
LimitRange: Bounds and defaults for single pods, containers and claims of a namespace.
LimitRangeSpec: The bounds.
  limits: Bounds for each type.
LimitRangeItem: Bounds for one type.
  type: Pod, Container or PersistentVolumeClaim.
  max: At most.
  min: At least.
  default: Limits of a container that says none.
  defaultRequest: Requests of a container that says none.
  maxLimitRequestRatio: How many times its request a limit may be.

RuntimeClass: A way to run containers, which pods can choose.
  handler: What the container runtime calls it. It cannot be changed.
  overhead: What a pod costs beside its containers.
  scheduling: On which nodes such pods can run.
CertificateSigningRequest: Asks for a certificate. Somebody approves it, a signer signs it.
CertificateSigningRequestSpec: What is asked for.
  request: A PKCS #10 request in PEM, in base64.
  signerName: Who is to sign it, such as kubernetes.io/kube-apiserver-client.
  expirationSeconds: How long the certificate is to be good, at least 600.
  usages: What the certificate is for, such as client auth.
  username: Who asks. Written by the server.
  uid: The uid of who asks. Written by the server.
  groups: The groups of who asks. Written by the server.
  extra: What else is known of who asks. Written by the server.
CertificateSigningRequestStatus: What became of a request.
  certificate: The certificate in PEM, in base64.
`;
