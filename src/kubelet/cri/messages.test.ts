import assert from 'node:assert/strict';
import test from 'node:test';
import { MessageCodec } from '../../api/codec/message-codec.ts';
import type { Input } from '../../api/codec/message-type.ts';
import * as messages from './messages.ts';

const { messageTable } = messages;
const codec = new MessageCodec(messageTable);

/**
 * Per message, its fields, and the bytes of a message that has that field alone, as protobufjs writes them by CRI's own api.proto: a text is x,
 * a number 1, a map {k: v}, a list has one item, and a message inside has all its fields but the messages in it.
 */
const golden = `
AttachRequest containerId=0a0178 stdin=1001 tty=1801 stdout=2001 stderr=2801
AttachResponse url=0a0178
AuthConfig username=0a0178 password=120178 auth=1a0178 serverAddress=220178 identityToken=2a0178 registryToken=320178
CDIDevice name=0a0178
Capability addCapabilities=0a0178 dropCapabilities=120178 addAmbientCapabilities=1a0178
Container id=0a0178 podSandboxId=120178 metadata=1a050a01781001 image=22170a017812060a016b120176920101789a010178a2010178 imageRef=2a0178 state=3001 createdAt=3801 labels=42060a016b120176 annotations=4a060a016b120176 imageId=520178
ContainerAttributes id=0a0178 metadata=12050a01781001 labels=1a060a016b120176 annotations=22060a016b120176
ContainerConfig metadata=0a050a01781001 image=12170a017812060a016b120176920101789a010178a2010178 command=1a0178 args=220178 workingDir=2a0178 envs=32060a0178120178 mounts=3a110a01781201781801200128014001520178 devices=42090a01781201781a0178 labels=4a060a016b120176 annotations=52060a016b120176 logPath=5a0178 stdin=6001 stdinOnce=6801 tty=7001 linux=7a00 CDIDevices=8a01030a0178 stopSignal=900101
ContainerFilter id=0a0178 state=12020801 podSandboxId=1a0178 labelSelector=22060a016b120176
ContainerMetadata name=0a0178 attempt=1001
ContainerResources linux=0a1a080110011801200128013201783a01784a060a016b1201765001
ContainerStateValue state=0801
ContainerStats attributes=0a130a01781a060a016b12017622060a016b120176 cpu=12020801 memory=1a020801 writableLayer=22020801
ContainerStatsFilter id=0a0178 podSandboxId=120178 labelSelector=1a060a016b120176
ContainerStatus id=0a0178 metadata=12050a01781001 state=1801 createdAt=2001 startedAt=2801 finishedAt=3001 exitCode=3801 image=42170a017812060a016b120176920101789a010178a2010178 imageRef=4a0178 reason=520178 message=5a0178 labels=62060a016b120176 annotations=6a060a016b120176 mounts=72110a01781201781801200128014001520178 logPath=7a0178 resources=820100 imageId=8a010178 user=920100 stopSignal=980101
ContainerStatusRequest containerId=0a0178 verbose=1001
ContainerStatusResponse status=0a300a0178180120012801300138014a01785201785a017862060a016b1201766a060a016b1201767a01788a010178980101 info=12060a016b120176
ContainerUser linux=0a07080110011a0101
CpuUsage timestamp=0801 usageCoreNanoSeconds=12020801 usageNanoCores=1a020801
CreateContainerRequest podSandboxId=0a0178 config=12251a01782201782a01784a060a016b12017652060a016b1201765a0178600168017001900101 sandboxConfig=1a161201781a017832060a016b1201763a060a016b120176
CreateContainerResponse containerId=0a0178
DNSConfig servers=0a0178 searches=120178 options=1a0178
Device containerPath=0a0178 hostPath=120178 permissions=1a0178
ExecRequest containerId=0a0178 cmd=120178 tty=1801 stdin=2001 stdout=2801 stderr=3001
ExecResponse url=0a0178
ExecSyncRequest containerId=0a0178 cmd=120178 timeout=1801
ExecSyncResponse stdout=0a0178 stderr=120178 exitCode=1801
FilesystemIdentifier mountpoint=0a0178
FilesystemUsage timestamp=0801 fsId=12030a0178 usedBytes=1a020801 inodesUsed=22020801
HugepageLimit pageSize=0a0178 limit=1001
IDMapping hostId=0801 containerId=1001 length=1801
Image id=0a0178 repoTags=120178 repoDigests=1a0178 size=2001 uid=2a020801 username=320178 spec=3a170a017812060a016b120176920101789a010178a2010178 pinned=4001
ImageFilter image=0a170a017812060a016b120176920101789a010178a2010178
ImageFsInfoRequest
ImageFsInfoResponse imageFilesystems=0a020801 containerFilesystems=12020801
ImageSpec image=0a0178 annotations=12060a016b120176 userSpecifiedImage=92010178 runtimeHandler=9a010178 imageRef=a2010178
ImageStatusRequest image=0a170a017812060a016b120176920101789a010178a2010178 verbose=1001
ImageStatusResponse image=0a100a01781201781a017820013201784001 info=12060a016b120176
Int64Value value=0801
KeyValue key=0a0178 value=120178
LinuxContainerConfig resources=0a1a080110011801200128013201783a01784a060a016b1201765001 securityContext=121b100132017838014201014a017852017858016a0178720178880101
LinuxContainerResources cpuPeriod=0801 cpuQuota=1001 cpuShares=1801 memoryLimitInBytes=2001 oomScoreAdj=2801 cpusetCpus=320178 cpusetMems=3a0178 hugepageLimits=42050a01781001 unified=4a060a016b120176 memorySwapLimitInBytes=5001
LinuxContainerSecurityContext capabilities=0a090a01781201781a0178 privileged=1001 namespaceOptions=1a09080110011801220178 selinuxOptions=220c0a01781201781a0178220178 runAsUser=2a020801 runAsUsername=320178 readonlyRootfs=3801 supplementalGroups=420101 apparmorProfile=4a0178 seccompProfilePath=520178 noNewPrivs=5801 runAsGroup=62020801 maskedPaths=6a0178 readonlyPaths=720178 seccomp=7a050801120178 apparmor=8201050801120178 supplementalGroupsPolicy=880101
LinuxContainerUser uid=0801 gid=1001 supplementalGroups=1a0101
LinuxPodSandboxConfig cgroupParent=0a0178 securityContext=120c20012a010130013a01785801 sysctls=1a060a016b120176 overhead=221a080110011801200128013201783a01784a060a016b1201765001 resources=2a1a080110011801200128013201783a01784a060a016b1201765001
LinuxPodSandboxStatus namespaces=0a00
LinuxRuntimeConfiguration cgroupDriver=0801
LinuxSandboxSecurityContext namespaceOptions=0a09080110011801220178 selinuxOptions=120c0a01781201781a0178220178 runAsUser=1a020801 readonlyRootfs=2001 supplementalGroups=2a0101 privileged=3001 seccompProfilePath=3a0178 runAsGroup=42020801 seccomp=4a050801120178 apparmor=52050801120178 supplementalGroupsPolicy=5801
ListContainerStatsRequest filter=0a0e0a01781201781a060a016b120176
ListContainerStatsResponse stats=0a00
ListContainersRequest filter=0a0e0a01781a017822060a016b120176
ListContainersResponse containers=0a200a01781201782a01783001380142060a016b1201764a060a016b120176520178
ListImagesRequest filter=0a00
ListImagesResponse images=0a100a01781201781a017820013201784001
ListPodSandboxRequest filter=0a0b0a01781a060a016b120176
ListPodSandboxResponse items=0a1a0a0178180120012a060a016b12017632060a016b1201763a0178
MemoryUsage timestamp=0801 workingSetBytes=12020801 availableBytes=1a020801 usageBytes=22020801 rssBytes=2a020801 pageFaults=32020801 majorPageFaults=3a020801
Mount containerPath=0a0178 hostPath=120178 readonly=1801 selinuxRelabel=2001 propagation=2801 uidMappings=3206080110011801 gidMappings=3a06080110011801 recursiveReadOnly=4001 image=4a170a017812060a016b120176920101789a010178a2010178 imageSubPath=520178
Namespace options=1209080110011801220178
NamespaceOption network=0801 pid=1001 ipc=1801 targetId=220178 usernsOptions=2a020801
PodIP ip=0a0178
PodSandbox id=0a0178 metadata=120b0a01781201781a01782001 state=1801 createdAt=2001 labels=2a060a016b120176 annotations=32060a016b120176 runtimeHandler=3a0178
PodSandboxConfig metadata=0a0b0a01781201781a01782001 hostname=120178 logDirectory=1a0178 dnsConfig=22090a01781201781a0178 portMappings=2a09080110011801220178 labels=32060a016b120176 annotations=3a060a016b120176 linux=420b0a01781a060a016b120176
PodSandboxFilter id=0a0178 state=12020801 labelSelector=1a060a016b120176
PodSandboxMetadata name=0a0178 uid=120178 namespace=1a0178 attempt=2001
PodSandboxNetworkStatus ip=0a0178 additionalIps=12030a0178
PodSandboxStateValue state=0801
PodSandboxStatus id=0a0178 metadata=120b0a01781201781a01782001 state=1801 createdAt=2001 network=2a030a0178 linux=3200 labels=3a060a016b120176 annotations=42060a016b120176 runtimeHandler=4a0178
PodSandboxStatusRequest podSandboxId=0a0178 verbose=1001
PodSandboxStatusResponse status=0a1a0a0178180120013a060a016b12017642060a016b1201764a0178 info=12060a016b120176 containersStatuses=1a300a0178180120012801300138014a01785201785a017862060a016b1201766a060a016b1201767a01788a010178980101 timestamp=2001
PortForwardRequest podSandboxId=0a0178 port=120101
PortForwardResponse url=0a0178
PortMapping protocol=0801 containerPort=1001 hostPort=1801 hostIp=220178
PullImageRequest image=0a170a017812060a016b120176920101789a010178a2010178 auth=12120a01781201781a01782201782a0178320178 sandboxConfig=1a161201781a017832060a016b1201763a060a016b120176
PullImageResponse imageRef=0a0178
RemoveContainerRequest containerId=0a0178
RemoveContainerResponse
RemoveImageRequest image=0a170a017812060a016b120176920101789a010178a2010178
RemoveImageResponse
RemovePodSandboxRequest podSandboxId=0a0178
RemovePodSandboxResponse
ReopenContainerLogRequest containerId=0a0178
ReopenContainerLogResponse
RunPodSandboxRequest config=0a161201781a017832060a016b1201763a060a016b120176 runtimeHandler=120178
RunPodSandboxResponse podSandboxId=0a0178
RuntimeCondition type=0a0178 status=1001 reason=1a0178 message=220178
RuntimeConfigRequest
RuntimeConfigResponse linux=0a020801
RuntimeStatus conditions=0a0b0a017810011a0178220178
SELinuxOption user=0a0178 role=120178 type=1a0178 level=220178
SecurityProfile profileType=0801 localhostRef=120178
StartContainerRequest containerId=0a0178
StartContainerResponse
StatusRequest verbose=0801
StatusResponse status=0a00 info=12060a016b120176
StopContainerRequest containerId=0a0178 timeout=1001
StopContainerResponse
StopPodSandboxRequest podSandboxId=0a0178
StopPodSandboxResponse
UInt64Value value=0801
UpdateContainerResourcesRequest containerId=0a0178 linux=121a080110011801200128013201783a01784a060a016b1201765001 annotations=22060a016b120176
UpdateContainerResourcesResponse
UserNamespace mode=0801 uids=1206080110011801 gids=1a06080110011801
VersionRequest version=0a0178
VersionResponse version=0a0178 runtimeName=120178 runtimeVersion=1a0178 runtimeApiVersion=220178
`;

/** By name of the message, then by name of the field. */
const bytesOf = new Map(
  golden
    .trim()
    .split('\n')
    .map((line) => {
      const [name = '', ...fields] = line.split(' ');
      return [name, new Map(fields.map((field) => field.split('=') as [string, string]))];
    }),
);

const scalars: Readonly<Record<string, unknown>> = { string: 'x', bool: true, bytes: Buffer.from('x'), map: { k: 'v' } };

/** What stands in the golden for a field of this type; undefined for a message within a message. */
function sample(type: string, depth: number): unknown {
  if (type.startsWith('[]')) {
    const item = sample(type.slice(2), depth);
    return item === undefined ? undefined : [item];
  }
  if (!(type in messageTable)) return scalars[type] ?? 1;
  if (depth > 0) return undefined;
  const fields = cellsOf(type).map(([name, inner]) => [name, sample(inner, depth + 1)]);
  return Object.fromEntries(fields.filter(([, value]) => value !== undefined));
}

function cellsOf(message: string): [name: string, type: string][] {
  const row = messageTable[message as messages.MessageName];
  const cells = row === '' ? [] : row.split(' ');
  return cells.map((cell) => {
    const [name = '', , type = ''] = cell.split(':');
    return [name, type];
  });
}

for (const [name, fields] of bytesOf)
  test(`${name} has the fields of api.proto`, () => {
    const written = cellsOf(name).map(([field, type]): [string, string] => {
      const value = { [field]: sample(type, 0) } as Input<messages.Message<messages.MessageName>>;
      return [field, codec.encode(name as messages.MessageName, value).toString('hex')];
    });
    assert.deepEqual(Object.fromEntries(written), Object.fromEntries(fields));
  });

test('every message of the table is compared', () =>
  assert.deepEqual(Object.keys(messageTable).toSorted(), [...bytesOf.keys()].toSorted()));

test('the enums have the numbers of api.proto', () => {
  const { Protocol, MountPropagation, NamespaceMode, ProfileType, PodSandboxState, ContainerState, CgroupDriver } = messages;
  assert.deepEqual(Protocol, { TCP: 0, UDP: 1, SCTP: 2 });
  assert.deepEqual(MountPropagation, { PROPAGATION_PRIVATE: 0, PROPAGATION_HOST_TO_CONTAINER: 1, PROPAGATION_BIDIRECTIONAL: 2 });
  assert.deepEqual(NamespaceMode, { POD: 0, CONTAINER: 1, NODE: 2, TARGET: 3 });
  assert.deepEqual(ProfileType, { RuntimeDefault: 0, Unconfined: 1, Localhost: 2 });
  assert.deepEqual(PodSandboxState, { SANDBOX_READY: 0, SANDBOX_NOTREADY: 1 });
  assert.deepEqual(ContainerState, { CONTAINER_CREATED: 0, CONTAINER_RUNNING: 1, CONTAINER_EXITED: 2, CONTAINER_UNKNOWN: 3 });
  assert.deepEqual(CgroupDriver, { SYSTEMD: 0, CGROUPFS: 1 });
});

const services = {
  RuntimeService: `Version RunPodSandbox StopPodSandbox RemovePodSandbox PodSandboxStatus ListPodSandbox CreateContainer StartContainer
    StopContainer RemoveContainer ListContainers ContainerStatus UpdateContainerResources ReopenContainerLog ExecSync Exec Attach PortForward
    ListContainerStats Status GetContainerEvents RuntimeConfig`,
  ImageService: 'ListImages ImageStatus PullImage RemoveImage ImageFsInfo',
};

test('every call goes to its service', () => {
  const methods = Object.entries(services).flatMap(([service, names]) => names.split(/\s+/).map((name) => [name, service] as const));
  for (const [method, service] of methods) assert.equal(messages.pathOf(method as messages.MethodName), `/runtime.v1.${service}/${method}`);
  const taken = Object.keys(messageTable).flatMap((name) => /^(.*)Request$/.exec(name)?.[1] ?? []);
  assert.deepEqual([...taken, 'GetContainerEvents'].toSorted(), methods.map(([name]) => name).toSorted());
});
