/** Pods and what they are made of. */
export const pods = `
Pod: One or more containers that run together on one node, with one network address and shared volumes.

PodTemplateSpec: What the pods look like that are made from it.
  spec: What each pod is to be.

PodSpec: What a pod is to be.
  volumes: Directories that containers can mount.
  initContainers: Containers that run one after the other before the others start. One with restartPolicy Always goes on running beside them.
  containers: The containers; there must be one. They cannot be added or taken away later.
  ephemeralContainers: Containers put into a running pod to look into it. Set through the subresource ephemeralcontainers only.
  restartPolicy: When containers that ended are started again: Always (the default), OnFailure or Never.
  terminationGracePeriodSeconds: How many seconds the containers have from SIGTERM to SIGKILL when the pod ends. Default 30.
  activeDeadlineSeconds: After how many seconds the pod is ended and counted as failed, whatever it does.
  dnsPolicy: Whom the pod asks for names: ClusterFirst (the default), ClusterFirstWithHostNet, Default (as its node does) or None.
  nodeSelector: Labels that the pod's node must have.
  serviceAccountName: The ServiceAccount that the pod acts as. Default: the one named default.
  serviceAccount: The older name of serviceAccountName.
  automountServiceAccountToken: Whether the containers find a token of the ServiceAccount as a file. By default what the ServiceAccount says.
  nodeName: The node that the pod runs on. Given by the scheduler; who gives it goes past the scheduler.
  hostNetwork: Whether the pod has its node's network instead of one of its own. Default false.
  hostPID: Whether the pod sees its node's processes. Default false.
  hostIPC: Whether the pod shares its node's IPC namespace. Default false.
  hostUsers: Whether the pod shares its node's user ids; false puts it into a user namespace. Default true.
  shareProcessNamespace: Whether the pod's containers see each other's processes. Default false.
  securityContext: Users, groups and rights that hold for all containers, unless one says otherwise.
  imagePullSecrets: Secrets with credentials for the registries of the images.
  hostname: The pod's host name. Default: its name.
  subdomain: With it the pod's full name is hostname.subdomain.namespace.svc.DOMAIN, found when a headless Service of that name is there.
  setHostnameAsFQDN: Whether the host name is the full name. Default false.
  hostnameOverride: The host name, whatever hostname and subdomain say. Not with hostNetwork.
  affinity: On which nodes, and near or far from which other pods, the pod is to run.
  schedulerName: Which scheduler finds a node. Default default-scheduler.
  tolerations: Taints of nodes that do not keep the pod away.
  hostAliases: Lines that are added to the pod's /etc/hosts.
  priorityClassName: The PriorityClass that says how important the pod is.
  priority: How important the pod is, the higher the more. Comes from the PriorityClass.
  preemptionPolicy: Whether less important pods may be evicted to make room: PreemptLowerPriority (the default) or Never.
  dnsConfig: Name servers and search domains beside those of dnsPolicy.
  readinessGates: Conditions that must be True, beside the containers, for the pod to be ready.
  runtimeClassName: The RuntimeClass whose runtime runs the pod. Default: the runtime's own.
  enableServiceLinks: Whether the Services of the namespace are told by environment variables. Default true.
  overhead: What the pod costs beside its containers. Comes from the RuntimeClass.
  topologySpreadConstraints: How evenly pods are spread over nodes, zones and the like.
  os: The operating system that the containers are for.
  schedulingGates: While there are any, the scheduler does not look at the pod.
  resourceClaims: Claims of devices, made before the pod starts.
  resources: Resources of the pod as a whole.
  workloadRef: The Workload that the pod is part of.

PodStatus: How a pod is.
  phase: Pending, Running, Succeeded, Failed, or Unknown when its node cannot be reached.
  message: Why the pod is as it is, in words for people.
  reason: Why the pod is as it is, in one word, such as Evicted.
  nominatedNodeName: The node on which room is being made for the pod.
  hostIP: The address of its node.
  hostIPs: The addresses of its node, one of each family.
  podIP: The pod's address.
  podIPs: The pod's addresses, one of each family.
  startTime: When its node took the pod up.
  initContainerStatuses: How the init containers are.
  containerStatuses: How the containers are.
  ephemeralContainerStatuses: How the ephemeral containers are.
  qosClass: Guaranteed, Burstable or BestEffort, by its requests and limits: who goes last and first when memory runs out.
  resize: Not used any more; conditions tell of a resize.
  resourceClaimStatuses: Which ResourceClaims were made for the pod.
  extendedResourceClaimStatus: The ResourceClaim that stands for extended resources.
  allocatedResources: What its node has set aside for the pod as a whole.
  resources: What the pod as a whole runs with.

PodCondition: One question about a pod, such as Ready, and its answer.
PodIP: An address of a pod.
  ip: The address.
HostIP: An address of a node.
  ip: The address.

Container: A program that runs in a pod, from an image.
  name: Its name, unique in the pod. It cannot be changed.
  image: The image, such as registry.example/app:1.2. A digest (app@sha256:…) never changes.
  command: What is run, in place of the image's entry point. Not a shell: every word is one item.
  args: Its arguments, in place of the image's.
  workingDir: The directory it starts in. Default: the image's.
  ports: Ports that it listens on. To list one gives it a name; others can be reached all the same.
  envFrom: ConfigMaps and Secrets of which every key becomes an environment variable.
  env: Environment variables.
  resources: What it needs, and what it may use at most.
  resizePolicy: Whether it must be restarted when its resources are changed.
  restartPolicy: When it is started again, if not as the pod says. Always makes an init container one that runs beside the others.
  restartPolicyRules: By which exit codes it is started again.
  volumeMounts: Where volumes appear in its file system.
  volumeDevices: Where block volumes appear as devices.
  livenessProbe: How to find out whether it still works. When it does not, it is started again.
  readinessProbe: How to find out whether it can serve. While it cannot, Services leave it out.
  startupProbe: How to find out whether it has started. Until then the other probes wait.
  lifecycle: What is done just after it starts and just before it ends.
  terminationMessagePath: The file in which it may say why it ended. Default /dev/termination-log.
  terminationMessagePolicy: Where the reason of its end is read: File (the default), or FallbackToLogsOnError.
  imagePullPolicy: When the image is pulled: Always, IfNotPresent or Never. Default IfNotPresent, for the tag latest Always.
  securityContext: Users and rights, in place of what the pod says.
  stdin: Whether it has a standard input that can be attached to. Default false.
  stdinOnce: Whether the input ends when the first one who attached goes. Default false.
  tty: Whether it has a terminal. Needs stdin. Default false.

EphemeralContainer < Container: A container put into a running pod to look into it. It is never started again, and has no ports, probes or resources.
  targetContainerName: The container whose processes it sees.

ContainerPort: A port that a container listens on.
  name: Its name, by which Services and probes can refer to it.
  containerPort: The number.
  hostPort: The port of the node that leads to it. A node has each one once.
  hostIP: The address of the node at which hostPort is open. Default: all.
  protocol: TCP (the default), UDP or SCTP.

EnvVar: An environment variable.
  value: Its value. $(OTHER) stands for a variable named before.
  valueFrom: Where the value comes from, in place of value.

EnvVarSource: Where the value of an environment variable comes from; one of these.
  fieldRef: A field of the pod, such as metadata.name or status.podIP.
  resourceFieldRef: A request or limit of a container.
  configMapKeyRef: A key of a ConfigMap.
  secretKeyRef: A key of a Secret.
  fileKeyRef: A key of a file in a volume.

EnvFromSource: A ConfigMap or Secret of which every key becomes an environment variable.
  prefix: What is put before every key.
  configMapRef: The ConfigMap.
  secretRef: The Secret.

ConfigMapEnvSource: A ConfigMap of the same namespace.
SecretEnvSource: A Secret of the same namespace.
ConfigMapKeySelector: A key of a ConfigMap.
  name: The ConfigMap's name.
  key: The key.
SecretKeySelector < ConfigMapKeySelector: A key of a Secret.
  name: The Secret's name.

ObjectFieldSelector: A field of the pod itself.
  fieldPath: The field, such as metadata.labels['app'].
ResourceFieldSelector: A request or limit of a container.
  containerName: The container; needed in volumes, the own one in environments.
  resource: Which, such as limits.cpu or requests.memory.
  divisor: The unit that it is told in. Default 1.

ResourceRequirements: What a container needs, and what it may use at most.
  requests: What is set aside for it. By this the scheduler finds a node. Default: the limits.
  limits: What it may use at most. More processor time is held back, more memory ends the container.
  claims: Devices of the pod's resourceClaims that it uses.

ContainerResizePolicy: What happens when one resource of a running container is changed.
  resourceName: cpu or memory.
  restartPolicy: NotRequired (the default) or RestartContainer.

VolumeMount: Where a volume appears in a container's file system.
  name: The volume's name in the pod.
  mountPath: The directory, or the file with subPath, in the container.
  subPath: A part of the volume, instead of all of it. Does not follow later changes of a ConfigMap or Secret.
  subPathExpr: The same with variables, such as $(POD_NAME).
  recursiveReadOnly: Whether readOnly holds for mounts within it too: Disabled, IfPossible or Enabled.
  mountPropagation: Whether mounts made later are seen across: None (the default), HostToContainer or Bidirectional.

Probe: How and how often something is found out about a container; one of exec, httpGet, tcpSocket and grpc.
  exec: A command in the container; it does well when it exits with 0.
  httpGet: An HTTP request; it does well with a code from 200 to 399.
  tcpSocket: A TCP connection; it does well when it opens.
  grpc: A call of the gRPC health service.
  initialDelaySeconds: How many seconds after the start the first attempt is made. Default 0.
  timeoutSeconds: After how many seconds an attempt counts as failed. Default 1.
  periodSeconds: How many seconds lie between attempts. Default 10.
  successThreshold: How many successes in a row turn failure into success. Default 1.
  failureThreshold: How many failures in a row turn success into failure. Default 3.
  terminationGracePeriodSeconds: How many seconds a container has to end that failed this probe, in place of the pod's.

ExecAction: A command that is run in a container.
  command: The command, word by word, without a shell.
HTTPGetAction: An HTTP GET request.
  path: The path. Default /.
  port: The port, by number or name.
  host: The host. Default: the pod's address.
  scheme: HTTP (the default) or HTTPS, whose certificate is not checked.
  httpHeaders: Headers to send.
HTTPHeader: A header of a request.
  value: Its value.
TCPSocketAction < HTTPGetAction: A TCP connection.
GRPCAction: A call of grpc.health.v1.Health/Check.
  port: The port, by number.
  service: The service that is asked for. Default: the server as a whole.

Lifecycle: What is done at a container's start and end.
  postStart: Done just after the start. When it fails, the container is ended.
  preStop: Done before SIGTERM, within the grace period.
  stopSignal: The signal that is sent instead of SIGTERM.
LifecycleHandler: What is done; one of these.
  exec: A command in the container.
  httpGet: An HTTP request.
  tcpSocket: Not supported.
  sleep: A pause.
SleepAction: A pause.
  seconds: How long.

SecurityContext: What a container may, and as whom it runs.
  privileged: Whether it may all that root of the node may. Default false.
  runAsUser: The user id. Default: the image's.
  runAsGroup: The group id. Default: the runtime's.
  runAsNonRoot: Whether it is kept from starting as user 0.
  readOnlyRootFilesystem: Whether its own file system cannot be written. Default false.
  allowPrivilegeEscalation: Whether a program may gain more rights than the one that started it. Default true.
  capabilities: Linux capabilities to add to the runtime's own and to take away.
  seccompProfile: Which system calls it may make.
  seLinuxOptions: Its SELinux label.
  appArmorProfile: Its AppArmor profile.
  procMount: How /proc is mounted: Default or Unmasked.
  windowsOptions: For Windows.
PodSecurityContext < SecurityContext: What all containers of a pod may, and as whom they run.
  runAsNonRoot: Whether containers are kept from starting as user 0.
  supplementalGroups: Further groups of the first process of each container.
  supplementalGroupsPolicy: Whether groups of the image count too: Merge (the default) or Strict.
  fsGroup: A group that owns the files of volumes which support it.
  fsGroupChangePolicy: When the owner of files is changed: Always (the default) or OnRootMismatch.
  sysctls: Kernel parameters of the pod's own namespaces.
  seccompProfile: Which system calls the containers may make.
  seLinuxOptions: The SELinux label of the containers.
  appArmorProfile: The AppArmor profile of the containers.
Capabilities: Linux capabilities, such as NET_ADMIN.
  add: Those that are given beside the runtime's own.
  drop: Those that are taken away; ALL for all.
SeccompProfile: Which system calls may be made.
  type: RuntimeDefault, Unconfined or Localhost.
  localhostProfile: The file with the profile, for Localhost.
AppArmorProfile < SeccompProfile: An AppArmor profile.
  localhostProfile: The name of the profile, for Localhost.
Sysctl: A kernel parameter.
  name: Its name, such as net.core.somaxconn.
  value: Its value.

Affinity: Where a pod is to run.
  nodeAffinity: On which nodes.
  podAffinity: Near which other pods.
  podAntiAffinity: Far from which other pods.
NodeAffinity: On which nodes a pod is to run.
  requiredDuringSchedulingIgnoredDuringExecution: What a node must fulfil. A pod that runs already stays.
  preferredDuringSchedulingIgnoredDuringExecution: What makes a node better.
PodAffinity: Near which other pods a pod is to run.
  requiredDuringSchedulingIgnoredDuringExecution: What must be fulfilled.
  preferredDuringSchedulingIgnoredDuringExecution: What makes a node better.
PodAntiAffinity < PodAffinity: Far from which other pods a pod is to run.
PodAffinityTerm: Other pods, and what counts as near.
  labelSelector: Which pods.
  topologyKey: The label of nodes of which the same value counts as near, such as kubernetes.io/hostname.
  namespaces: In which namespaces they are. Default: the pod's own.
  namespaceSelector: In which namespaces they are, by labels.
  matchLabelKeys: Labels of which the pod's own value is required too.
  mismatchLabelKeys: Labels of which the pod's own value is excluded.
WeightedPodAffinityTerm: A wish, and how much it counts.
  weight: From 1 to 100.
  podAffinityTerm: The wish.
PreferredSchedulingTerm < WeightedPodAffinityTerm: A wish, and how much it counts.
  preference: The wish.
NodeSelector: Nodes; those that fit one of the terms.
  nodeSelectorTerms: The terms.
NodeSelectorTerm: Nodes that meet all these requirements.
  matchExpressions: Requirements of labels.
  matchFields: Requirements of fields; there is metadata.name.
NodeSelectorRequirement < LabelSelectorRequirement: A key, a comparison and the values to compare with.
  operator: In, NotIn, Exists, DoesNotExist, Gt or Lt.
  values: What it is compared with.

Toleration: Taints that do not keep a pod away.
  key: The taint's key; with Exists and no key, all of them.
  operator: Equal (the default) or Exists.
  value: The taint's value, for Equal.
  effect: NoSchedule, PreferNoSchedule or NoExecute; empty for all.
  tolerationSeconds: How long a NoExecute taint is borne. Default: for ever.
TopologySpreadConstraint: How evenly pods are spread.
  maxSkew: How many more pods one part may have than another.
  topologyKey: The label of nodes whose values are the parts, such as topology.kubernetes.io/zone.
  whenUnsatisfiable: DoNotSchedule, or ScheduleAnyway to prefer only.
  labelSelector: Which pods are counted.
  minDomains: How many parts there must be at least.
PodReadinessGate: A condition that must be True for the pod to be ready.
  conditionType: The condition's type.
PodSchedulingGate: A reason why the scheduler does not look at the pod yet.
PodOS: The operating system that the containers are for.
  name: linux or windows.
PodResourceClaim: A claim of devices, by one name or the other.
  name: Its name within the pod.
  resourceClaimName: A ResourceClaim that is there.
  resourceClaimTemplateName: A template to make one from for this pod.
HostAlias: A line of /etc/hosts.
  ip: The address.
  hostnames: Its names.
PodDNSConfig: Whom a pod asks for names, beside what dnsPolicy says.
  nameservers: Addresses of name servers.
  searches: Domains to search for short names.
  options: Options of the resolver, such as ndots.
PodDNSConfigOption: An option of the resolver.
  value: Its value.

ContainerStatus: How a container is.
  state: What it does now.
  lastState: How it ended last time.
  ready: Whether it can serve.
  started: Whether it has started, which is when its startup probe has done well.
  restartCount: How often it was started again.
  image: The image that it runs.
  imageID: The image's digest.
  containerID: Its id, with the runtime before it: containerd://….
  allocatedResources: What its node has set aside for it.
  resources: What it runs with.
  volumeMounts: What is mounted.
  user: As whom its first process began.
ContainerState: What a container does; one of these.
  waiting: It has not started.
  running: It runs.
  terminated: It has ended.
ContainerStateWaiting: Why a container has not started.
  reason: In one word, such as ImagePullBackOff.
  message: In words for people.
ContainerStateRunning: A container that runs.
  startedAt: Since when.
ContainerStateTerminated: How a container ended.
  exitCode: Its exit code.
  signal: The signal that ended it.
  reason: Why, in one word, such as OOMKilled.
  message: Why, as it said itself or in words for people.
  startedAt: When it started.
  finishedAt: When it ended.
  containerID: Its id.
VolumeMountStatus < VolumeMount: A volume that is mounted.
  mountPath: Where it is.
  recursiveReadOnly: Whether mounts within it are read-only too.
ContainerUser: As whom a container's first process began.
  linux: On Linux.
LinuxContainerUser: User and groups of a process.
  uid: The user id.
  gid: The group id.
  supplementalGroups: Further groups.
ContainerRestartRule: By which exit codes a container is started again.
  action: Restart, or RestartAllContainers of the pod.
  exitCodes: Which exit codes.
ContainerRestartRuleOnExitCodes: Exit codes.
  operator: In or NotIn.
  values: The codes.
FileKeySelector: A variable of a file in a volume.
  volumeName: The volume.
  path: The file, within the volume.
  key: The variable's name.
VolumeDevice: Where a block volume appears as a device.
  name: The volume's name in the pod.
  devicePath: The device in the container.
SELinuxOptions: An SELinux label.
  user: Its user.
  role: Its role.
  type: Its type.
  level: Its level.
PodResourceClaimStatus < PodResourceClaim: A ResourceClaim that was made for a pod.
  resourceClaimName: The ResourceClaim.
PodTemplate: What pods look like that are made from it. Nothing makes any by itself.
  template: What each pod is to be.
Binding: Gives a pod its node. Schedulers write it.
  target: The node.
`;
