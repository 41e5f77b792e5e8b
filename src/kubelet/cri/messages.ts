// Made by generate.ts from the CRI v1 service; do not edit. int64 and uint64 are numbers: times in ns lose their last 8 bits.

/** What a method takes: every field may be left out. */
export type Input<T> = T extends Uint8Array ? T : T extends object ? { readonly [K in keyof T]?: Input<T[K]> | undefined } : T;

export const Protocol = {
  TCP: 0,
  UDP: 1,
  SCTP: 2,
} as const;
export type Protocol = number;

export const MountPropagation = {
  PROPAGATION_PRIVATE: 0,
  PROPAGATION_HOST_TO_CONTAINER: 1,
  PROPAGATION_BIDIRECTIONAL: 2,
} as const;
export type MountPropagation = number;

export const NamespaceMode = {
  POD: 0,
  CONTAINER: 1,
  NODE: 2,
  TARGET: 3,
} as const;
export type NamespaceMode = number;

export const SupplementalGroupsPolicy = {
  Merge: 0,
  Strict: 1,
} as const;
export type SupplementalGroupsPolicy = number;

export const ProfileType = {
  RuntimeDefault: 0,
  Unconfined: 1,
  Localhost: 2,
} as const;
export type ProfileType = number;

export const PodSandboxState = {
  SANDBOX_READY: 0,
  SANDBOX_NOTREADY: 1,
} as const;
export type PodSandboxState = number;

export const ContainerState = {
  CONTAINER_CREATED: 0,
  CONTAINER_RUNNING: 1,
  CONTAINER_EXITED: 2,
  CONTAINER_UNKNOWN: 3,
} as const;
export type ContainerState = number;

export const CgroupDriver = {
  SYSTEMD: 0,
  CGROUPFS: 1,
} as const;
export type CgroupDriver = number;

export type Signal = number;

export interface AttachRequest {
  containerId: string;
  stdin: boolean;
  tty: boolean;
  stdout: boolean;
  stderr: boolean;
}

export interface AttachResponse {
  url: string;
}

export interface AuthConfig {
  username: string;
  password: string;
  auth: string;
  serverAddress: string;
  identityToken: string;
  registryToken: string;
}

export interface CDIDevice {
  name: string;
}

export interface Capability {
  addCapabilities: string[];
  dropCapabilities: string[];
  addAmbientCapabilities: string[];
}

export interface Container {
  id: string;
  podSandboxId: string;
  metadata?: ContainerMetadata | undefined;
  image?: ImageSpec | undefined;
  imageRef: string;
  state: ContainerState;
  createdAt: number;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  imageId: string;
}

export interface ContainerAttributes {
  id: string;
  metadata?: ContainerMetadata | undefined;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

export interface ContainerConfig {
  metadata?: ContainerMetadata | undefined;
  image?: ImageSpec | undefined;
  command: string[];
  args: string[];
  workingDir: string;
  envs: KeyValue[];
  mounts: Mount[];
  devices: Device[];
  labels: Record<string, string>;
  annotations: Record<string, string>;
  logPath: string;
  stdin: boolean;
  stdinOnce: boolean;
  tty: boolean;
  linux?: LinuxContainerConfig | undefined;
  CDIDevices: CDIDevice[];
  stopSignal: Signal;
}

export interface ContainerMetadata {
  name: string;
  attempt: number;
}

export interface ContainerResources {
  linux?: LinuxContainerResources | undefined;
}

export interface ContainerStats {
  attributes?: ContainerAttributes | undefined;
  cpu?: CpuUsage | undefined;
  memory?: MemoryUsage | undefined;
  writableLayer?: FilesystemUsage | undefined;
}

export interface ContainerStatus {
  id: string;
  metadata?: ContainerMetadata | undefined;
  state: ContainerState;
  createdAt: number;
  startedAt: number;
  finishedAt: number;
  exitCode: number;
  image?: ImageSpec | undefined;
  imageRef: string;
  reason: string;
  message: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  mounts: Mount[];
  logPath: string;
  resources?: ContainerResources | undefined;
  imageId: string;
  user?: ContainerUser | undefined;
  stopSignal: Signal;
}

export interface ContainerStatusResponse {
  status?: ContainerStatus | undefined;
  info: Record<string, string>;
}

export interface ContainerUser {
  linux?: LinuxContainerUser | undefined;
}

export interface CpuUsage {
  timestamp: number;
  usageCoreNanoSeconds?: UInt64Value | undefined;
  usageNanoCores?: UInt64Value | undefined;
}

export interface CreateContainerResponse {
  containerId: string;
}

export interface DNSConfig {
  servers: string[];
  searches: string[];
  options: string[];
}

export interface Device {
  containerPath: string;
  hostPath: string;
  permissions: string;
}

export interface ExecRequest {
  containerId: string;
  cmd: string[];
  tty: boolean;
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
}

export interface ExecResponse {
  url: string;
}

export interface ExecSyncResponse {
  stdout: Uint8Array;
  stderr: Uint8Array;
  exitCode: number;
}

export interface FilesystemIdentifier {
  mountpoint: string;
}

export interface FilesystemUsage {
  timestamp: number;
  fsId?: FilesystemIdentifier | undefined;
  usedBytes?: UInt64Value | undefined;
  inodesUsed?: UInt64Value | undefined;
}

export interface HugepageLimit {
  pageSize: string;
  limit: number;
}

export interface IDMapping {
  hostId: number;
  containerId: number;
  length: number;
}

export interface Image {
  id: string;
  repoTags: string[];
  repoDigests: string[];
  size: number;
  uid?: Int64Value | undefined;
  username: string;
  spec?: ImageSpec | undefined;
  pinned: boolean;
}

export interface ImageFsInfoResponse {
  imageFilesystems: FilesystemUsage[];
  containerFilesystems: FilesystemUsage[];
}

export interface ImageSpec {
  image: string;
  annotations: Record<string, string>;
  userSpecifiedImage: string;
  runtimeHandler: string;
  imageRef: string;
}

export interface ImageStatusResponse {
  image?: Image | undefined;
  info: Record<string, string>;
}

export interface Int64Value {
  value: number;
}

export interface KeyValue {
  key: string;
  value: string;
}

export interface LinuxContainerConfig {
  resources?: LinuxContainerResources | undefined;
  securityContext?: LinuxContainerSecurityContext | undefined;
}

export interface LinuxContainerResources {
  cpuPeriod: number;
  cpuQuota: number;
  cpuShares: number;
  memoryLimitInBytes: number;
  oomScoreAdj: number;
  cpusetCpus: string;
  cpusetMems: string;
  hugepageLimits: HugepageLimit[];
  unified: Record<string, string>;
  memorySwapLimitInBytes: number;
}

export interface LinuxContainerSecurityContext {
  capabilities?: Capability | undefined;
  privileged: boolean;
  namespaceOptions?: NamespaceOption | undefined;
  selinuxOptions?: SELinuxOption | undefined;
  runAsUser?: Int64Value | undefined;
  runAsGroup?: Int64Value | undefined;
  runAsUsername: string;
  readonlyRootfs: boolean;
  supplementalGroups: number[];
  supplementalGroupsPolicy: SupplementalGroupsPolicy;
  noNewPrivs: boolean;
  maskedPaths: string[];
  readonlyPaths: string[];
  seccomp?: SecurityProfile | undefined;
  apparmor?: SecurityProfile | undefined;
  apparmorProfile: string;
  seccompProfilePath: string;
}

export interface LinuxContainerUser {
  uid: number;
  gid: number;
  supplementalGroups: number[];
}

export interface LinuxPodSandboxConfig {
  cgroupParent: string;
  securityContext?: LinuxSandboxSecurityContext | undefined;
  sysctls: Record<string, string>;
  overhead?: LinuxContainerResources | undefined;
  resources?: LinuxContainerResources | undefined;
}

export interface LinuxPodSandboxStatus {
  namespaces?: Namespace | undefined;
}

export interface LinuxRuntimeConfiguration {
  cgroupDriver: CgroupDriver;
}

export interface LinuxSandboxSecurityContext {
  namespaceOptions?: NamespaceOption | undefined;
  selinuxOptions?: SELinuxOption | undefined;
  runAsUser?: Int64Value | undefined;
  runAsGroup?: Int64Value | undefined;
  readonlyRootfs: boolean;
  supplementalGroups: number[];
  supplementalGroupsPolicy: SupplementalGroupsPolicy;
  privileged: boolean;
  seccomp?: SecurityProfile | undefined;
  apparmor?: SecurityProfile | undefined;
  seccompProfilePath: string;
}

export interface ListContainerStatsResponse {
  stats: ContainerStats[];
}

export interface ListContainersResponse {
  containers: Container[];
}

export interface ListImagesResponse {
  images: Image[];
}

export interface ListPodSandboxResponse {
  items: PodSandbox[];
}

export interface MemoryUsage {
  timestamp: number;
  workingSetBytes?: UInt64Value | undefined;
  availableBytes?: UInt64Value | undefined;
  usageBytes?: UInt64Value | undefined;
  rssBytes?: UInt64Value | undefined;
  pageFaults?: UInt64Value | undefined;
  majorPageFaults?: UInt64Value | undefined;
}

export interface Mount {
  containerPath: string;
  hostPath: string;
  readonly: boolean;
  selinuxRelabel: boolean;
  propagation: MountPropagation;
  uidMappings: IDMapping[];
  gidMappings: IDMapping[];
  recursiveReadOnly: boolean;
  image?: ImageSpec | undefined;
  imageSubPath: string;
}

export interface Namespace {
  options?: NamespaceOption | undefined;
}

export interface NamespaceOption {
  network: NamespaceMode;
  pid: NamespaceMode;
  ipc: NamespaceMode;
  targetId: string;
  usernsOptions?: UserNamespace | undefined;
}

export interface PodIP {
  ip: string;
}

export interface PodSandbox {
  id: string;
  metadata?: PodSandboxMetadata | undefined;
  state: PodSandboxState;
  createdAt: number;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  runtimeHandler: string;
}

export interface PodSandboxConfig {
  metadata?: PodSandboxMetadata | undefined;
  hostname: string;
  logDirectory: string;
  dnsConfig?: DNSConfig | undefined;
  portMappings: PortMapping[];
  labels: Record<string, string>;
  annotations: Record<string, string>;
  linux?: LinuxPodSandboxConfig | undefined;
}

export interface PodSandboxMetadata {
  name: string;
  uid: string;
  namespace: string;
  attempt: number;
}

export interface PodSandboxNetworkStatus {
  ip: string;
  additionalIps: PodIP[];
}

export interface PodSandboxStatus {
  id: string;
  metadata?: PodSandboxMetadata | undefined;
  state: PodSandboxState;
  createdAt: number;
  network?: PodSandboxNetworkStatus | undefined;
  linux?: LinuxPodSandboxStatus | undefined;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  runtimeHandler: string;
}

export interface PodSandboxStatusResponse {
  status?: PodSandboxStatus | undefined;
  info: Record<string, string>;
  containersStatuses: ContainerStatus[];
  timestamp: number;
}

export interface PortForwardRequest {
  podSandboxId: string;
  port: number[];
}

export interface PortForwardResponse {
  url: string;
}

export interface PortMapping {
  protocol: Protocol;
  containerPort: number;
  hostPort: number;
  hostIp: string;
}

export interface PullImageResponse {
  imageRef: string;
}

export interface RunPodSandboxResponse {
  podSandboxId: string;
}

export interface RuntimeCondition {
  type: string;
  status: boolean;
  reason: string;
  message: string;
}

export interface RuntimeConfigResponse {
  linux?: LinuxRuntimeConfiguration | undefined;
}

export interface RuntimeStatus {
  conditions: RuntimeCondition[];
}

export interface SELinuxOption {
  user: string;
  role: string;
  type: string;
  level: string;
}

export interface SecurityProfile {
  profileType: ProfileType;
  localhostRef: string;
}

export interface StatusResponse {
  status?: RuntimeStatus | undefined;
  info: Record<string, string>;
}

export interface UInt64Value {
  value: number;
}

export interface UserNamespace {
  mode: NamespaceMode;
  uids: IDMapping[];
  gids: IDMapping[];
}

export interface VersionResponse {
  version: string;
  runtimeName: string;
  runtimeVersion: string;
  runtimeApiVersion: string;
}

/** Per message: `name:number:type` of each field. */
export const messageTable = {
  AttachRequest: 'containerId:1:string stdin:2:bool tty:3:bool stdout:4:bool stderr:5:bool',
  AttachResponse: 'url:1:string',
  AuthConfig: 'username:1:string password:2:string auth:3:string serverAddress:4:string identityToken:5:string registryToken:6:string',
  CDIDevice: 'name:1:string',
  Capability: 'addCapabilities:1:[]string dropCapabilities:2:[]string addAmbientCapabilities:3:[]string',
  Container:
    'id:1:string podSandboxId:2:string metadata:3:ContainerMetadata image:4:ImageSpec imageRef:5:string state:6:int32 createdAt:7:int64 labels:8:map annotations:9:map imageId:10:string',
  ContainerAttributes: 'id:1:string metadata:2:ContainerMetadata labels:3:map annotations:4:map',
  ContainerConfig:
    'metadata:1:ContainerMetadata image:2:ImageSpec command:3:[]string args:4:[]string workingDir:5:string envs:6:[]KeyValue mounts:7:[]Mount devices:8:[]Device labels:9:map annotations:10:map logPath:11:string stdin:12:bool stdinOnce:13:bool tty:14:bool linux:15:LinuxContainerConfig CDIDevices:17:[]CDIDevice stopSignal:18:int32',
  ContainerEventResponse:
    'containerId:1:string containerEventType:2:int32 createdAt:3:int64 podSandboxStatus:4:PodSandboxStatus containersStatuses:5:[]ContainerStatus',
  ContainerFilter: 'id:1:string state:2:ContainerStateValue podSandboxId:3:string labelSelector:4:map',
  ContainerMetadata: 'name:1:string attempt:2:uint32',
  ContainerResources: 'linux:1:LinuxContainerResources',
  ContainerStateValue: 'state:1:int32',
  ContainerStats: 'attributes:1:ContainerAttributes cpu:2:CpuUsage memory:3:MemoryUsage writableLayer:4:FilesystemUsage',
  ContainerStatsFilter: 'id:1:string podSandboxId:2:string labelSelector:3:map',
  ContainerStatus:
    'id:1:string metadata:2:ContainerMetadata state:3:int32 createdAt:4:int64 startedAt:5:int64 finishedAt:6:int64 exitCode:7:int32 image:8:ImageSpec imageRef:9:string reason:10:string message:11:string labels:12:map annotations:13:map mounts:14:[]Mount logPath:15:string resources:16:ContainerResources imageId:17:string user:18:ContainerUser stopSignal:19:int32',
  ContainerStatusRequest: 'containerId:1:string verbose:2:bool',
  ContainerStatusResponse: 'status:1:ContainerStatus info:2:map',
  ContainerUser: 'linux:1:LinuxContainerUser',
  CpuUsage: 'timestamp:1:int64 usageCoreNanoSeconds:2:UInt64Value usageNanoCores:3:UInt64Value',
  CreateContainerRequest: 'podSandboxId:1:string config:2:ContainerConfig sandboxConfig:3:PodSandboxConfig',
  CreateContainerResponse: 'containerId:1:string',
  DNSConfig: 'servers:1:[]string searches:2:[]string options:3:[]string',
  Device: 'containerPath:1:string hostPath:2:string permissions:3:string',
  ExecRequest: 'containerId:1:string cmd:2:[]string tty:3:bool stdin:4:bool stdout:5:bool stderr:6:bool',
  ExecResponse: 'url:1:string',
  ExecSyncRequest: 'containerId:1:string cmd:2:[]string timeout:3:int64',
  ExecSyncResponse: 'stdout:1:bytes stderr:2:bytes exitCode:3:int32',
  FilesystemIdentifier: 'mountpoint:1:string',
  FilesystemUsage: 'timestamp:1:int64 fsId:2:FilesystemIdentifier usedBytes:3:UInt64Value inodesUsed:4:UInt64Value',
  GetEventsRequest: '',
  HugepageLimit: 'pageSize:1:string limit:2:uint64',
  IDMapping: 'hostId:1:uint32 containerId:2:uint32 length:3:uint32',
  Image:
    'id:1:string repoTags:2:[]string repoDigests:3:[]string size:4:uint64 uid:5:Int64Value username:6:string spec:7:ImageSpec pinned:8:bool',
  ImageFilter: 'image:1:ImageSpec',
  ImageFsInfoRequest: '',
  ImageFsInfoResponse: 'imageFilesystems:1:[]FilesystemUsage containerFilesystems:2:[]FilesystemUsage',
  ImageSpec: 'image:1:string annotations:2:map userSpecifiedImage:18:string runtimeHandler:19:string imageRef:20:string',
  ImageStatusRequest: 'image:1:ImageSpec verbose:2:bool',
  ImageStatusResponse: 'image:1:Image info:2:map',
  Int64Value: 'value:1:int64',
  KeyValue: 'key:1:string value:2:string',
  LinuxContainerConfig: 'resources:1:LinuxContainerResources securityContext:2:LinuxContainerSecurityContext',
  LinuxContainerResources:
    'cpuPeriod:1:int64 cpuQuota:2:int64 cpuShares:3:int64 memoryLimitInBytes:4:int64 oomScoreAdj:5:int64 cpusetCpus:6:string cpusetMems:7:string hugepageLimits:8:[]HugepageLimit unified:9:map memorySwapLimitInBytes:10:int64',
  LinuxContainerSecurityContext:
    'capabilities:1:Capability privileged:2:bool namespaceOptions:3:NamespaceOption selinuxOptions:4:SELinuxOption runAsUser:5:Int64Value runAsGroup:12:Int64Value runAsUsername:6:string readonlyRootfs:7:bool supplementalGroups:8:[]int64 supplementalGroupsPolicy:17:int32 noNewPrivs:11:bool maskedPaths:13:[]string readonlyPaths:14:[]string seccomp:15:SecurityProfile apparmor:16:SecurityProfile apparmorProfile:9:string seccompProfilePath:10:string',
  LinuxContainerUser: 'uid:1:int64 gid:2:int64 supplementalGroups:3:[]int64',
  LinuxPodSandboxConfig:
    'cgroupParent:1:string securityContext:2:LinuxSandboxSecurityContext sysctls:3:map overhead:4:LinuxContainerResources resources:5:LinuxContainerResources',
  LinuxPodSandboxStatus: 'namespaces:1:Namespace',
  LinuxRuntimeConfiguration: 'cgroupDriver:1:int32',
  LinuxSandboxSecurityContext:
    'namespaceOptions:1:NamespaceOption selinuxOptions:2:SELinuxOption runAsUser:3:Int64Value runAsGroup:8:Int64Value readonlyRootfs:4:bool supplementalGroups:5:[]int64 supplementalGroupsPolicy:11:int32 privileged:6:bool seccomp:9:SecurityProfile apparmor:10:SecurityProfile seccompProfilePath:7:string',
  ListContainerStatsRequest: 'filter:1:ContainerStatsFilter',
  ListContainerStatsResponse: 'stats:1:[]ContainerStats',
  ListContainersRequest: 'filter:1:ContainerFilter',
  ListContainersResponse: 'containers:1:[]Container',
  ListImagesRequest: 'filter:1:ImageFilter',
  ListImagesResponse: 'images:1:[]Image',
  ListPodSandboxRequest: 'filter:1:PodSandboxFilter',
  ListPodSandboxResponse: 'items:1:[]PodSandbox',
  MemoryUsage:
    'timestamp:1:int64 workingSetBytes:2:UInt64Value availableBytes:3:UInt64Value usageBytes:4:UInt64Value rssBytes:5:UInt64Value pageFaults:6:UInt64Value majorPageFaults:7:UInt64Value',
  Mount:
    'containerPath:1:string hostPath:2:string readonly:3:bool selinuxRelabel:4:bool propagation:5:int32 uidMappings:6:[]IDMapping gidMappings:7:[]IDMapping recursiveReadOnly:8:bool image:9:ImageSpec imageSubPath:10:string',
  Namespace: 'options:2:NamespaceOption',
  NamespaceOption: 'network:1:int32 pid:2:int32 ipc:3:int32 targetId:4:string usernsOptions:5:UserNamespace',
  PodIP: 'ip:1:string',
  PodSandbox:
    'id:1:string metadata:2:PodSandboxMetadata state:3:int32 createdAt:4:int64 labels:5:map annotations:6:map runtimeHandler:7:string',
  PodSandboxConfig:
    'metadata:1:PodSandboxMetadata hostname:2:string logDirectory:3:string dnsConfig:4:DNSConfig portMappings:5:[]PortMapping labels:6:map annotations:7:map linux:8:LinuxPodSandboxConfig',
  PodSandboxFilter: 'id:1:string state:2:PodSandboxStateValue labelSelector:3:map',
  PodSandboxMetadata: 'name:1:string uid:2:string namespace:3:string attempt:4:uint32',
  PodSandboxNetworkStatus: 'ip:1:string additionalIps:2:[]PodIP',
  PodSandboxStateValue: 'state:1:int32',
  PodSandboxStatus:
    'id:1:string metadata:2:PodSandboxMetadata state:3:int32 createdAt:4:int64 network:5:PodSandboxNetworkStatus linux:6:LinuxPodSandboxStatus labels:7:map annotations:8:map runtimeHandler:9:string',
  PodSandboxStatusRequest: 'podSandboxId:1:string verbose:2:bool',
  PodSandboxStatusResponse: 'status:1:PodSandboxStatus info:2:map containersStatuses:3:[]ContainerStatus timestamp:4:int64',
  PortForwardRequest: 'podSandboxId:1:string port:2:[]int32',
  PortForwardResponse: 'url:1:string',
  PortMapping: 'protocol:1:int32 containerPort:2:int32 hostPort:3:int32 hostIp:4:string',
  PullImageRequest: 'image:1:ImageSpec auth:2:AuthConfig sandboxConfig:3:PodSandboxConfig',
  PullImageResponse: 'imageRef:1:string',
  RemoveContainerRequest: 'containerId:1:string',
  RemoveContainerResponse: '',
  RemoveImageRequest: 'image:1:ImageSpec',
  RemoveImageResponse: '',
  RemovePodSandboxRequest: 'podSandboxId:1:string',
  RemovePodSandboxResponse: '',
  ReopenContainerLogRequest: 'containerId:1:string',
  ReopenContainerLogResponse: '',
  RunPodSandboxRequest: 'config:1:PodSandboxConfig runtimeHandler:2:string',
  RunPodSandboxResponse: 'podSandboxId:1:string',
  RuntimeCondition: 'type:1:string status:2:bool reason:3:string message:4:string',
  RuntimeConfigRequest: '',
  RuntimeConfigResponse: 'linux:1:LinuxRuntimeConfiguration',
  RuntimeStatus: 'conditions:1:[]RuntimeCondition',
  SELinuxOption: 'user:1:string role:2:string type:3:string level:4:string',
  SecurityProfile: 'profileType:1:int32 localhostRef:2:string',
  StartContainerRequest: 'containerId:1:string',
  StartContainerResponse: '',
  StatusRequest: 'verbose:1:bool',
  StatusResponse: 'status:1:RuntimeStatus info:2:map',
  StopContainerRequest: 'containerId:1:string timeout:2:int64',
  StopContainerResponse: '',
  StopPodSandboxRequest: 'podSandboxId:1:string',
  StopPodSandboxResponse: '',
  UInt64Value: 'value:1:uint64',
  UpdateContainerResourcesRequest: 'containerId:1:string linux:2:LinuxContainerResources annotations:4:map',
  UpdateContainerResourcesResponse: '',
  UserNamespace: 'mode:1:int32 uids:2:[]IDMapping gids:3:[]IDMapping',
  VersionRequest: 'version:1:string',
  VersionResponse: 'version:1:string runtimeName:2:string runtimeVersion:3:string runtimeApiVersion:4:string',
} as const;

export type MessageName = keyof typeof messageTable;

/** Per method: its service, and the names of the messages that it takes and gives. */
export const methodTable = {
  Version: ['RuntimeService', 'VersionRequest', 'VersionResponse'],
  RunPodSandbox: ['RuntimeService', 'RunPodSandboxRequest', 'RunPodSandboxResponse'],
  StopPodSandbox: ['RuntimeService', 'StopPodSandboxRequest', 'StopPodSandboxResponse'],
  RemovePodSandbox: ['RuntimeService', 'RemovePodSandboxRequest', 'RemovePodSandboxResponse'],
  PodSandboxStatus: ['RuntimeService', 'PodSandboxStatusRequest', 'PodSandboxStatusResponse'],
  ListPodSandbox: ['RuntimeService', 'ListPodSandboxRequest', 'ListPodSandboxResponse'],
  CreateContainer: ['RuntimeService', 'CreateContainerRequest', 'CreateContainerResponse'],
  StartContainer: ['RuntimeService', 'StartContainerRequest', 'StartContainerResponse'],
  StopContainer: ['RuntimeService', 'StopContainerRequest', 'StopContainerResponse'],
  RemoveContainer: ['RuntimeService', 'RemoveContainerRequest', 'RemoveContainerResponse'],
  ListContainers: ['RuntimeService', 'ListContainersRequest', 'ListContainersResponse'],
  ContainerStatus: ['RuntimeService', 'ContainerStatusRequest', 'ContainerStatusResponse'],
  UpdateContainerResources: ['RuntimeService', 'UpdateContainerResourcesRequest', 'UpdateContainerResourcesResponse'],
  ReopenContainerLog: ['RuntimeService', 'ReopenContainerLogRequest', 'ReopenContainerLogResponse'],
  ExecSync: ['RuntimeService', 'ExecSyncRequest', 'ExecSyncResponse'],
  Exec: ['RuntimeService', 'ExecRequest', 'ExecResponse'],
  Attach: ['RuntimeService', 'AttachRequest', 'AttachResponse'],
  PortForward: ['RuntimeService', 'PortForwardRequest', 'PortForwardResponse'],
  ListContainerStats: ['RuntimeService', 'ListContainerStatsRequest', 'ListContainerStatsResponse'],
  Status: ['RuntimeService', 'StatusRequest', 'StatusResponse'],
  GetContainerEvents: ['RuntimeService', 'GetEventsRequest', 'ContainerEventResponse'],
  RuntimeConfig: ['RuntimeService', 'RuntimeConfigRequest', 'RuntimeConfigResponse'],
  ListImages: ['ImageService', 'ListImagesRequest', 'ListImagesResponse'],
  ImageStatus: ['ImageService', 'ImageStatusRequest', 'ImageStatusResponse'],
  PullImage: ['ImageService', 'PullImageRequest', 'PullImageResponse'],
  RemoveImage: ['ImageService', 'RemoveImageRequest', 'RemoveImageResponse'],
  ImageFsInfo: ['ImageService', 'ImageFsInfoRequest', 'ImageFsInfoResponse'],
} as const;

export type MethodName = keyof typeof methodTable;
