/** Volumes, and where they come from. */
export const storage = `
Volume: A directory that containers of a pod can mount, and where it comes from.
  name: Its name, unique in the pod.
  emptyDir: An empty directory that lives as long as the pod does.
  hostPath: A file or directory of the node.
  configMap: The values of a ConfigMap as files.
  secret: The values of a Secret as files.
  downwardAPI: Fields of the pod as files.
  projected: Several of these in one directory.
  persistentVolumeClaim: The volume of a PersistentVolumeClaim.
  ephemeral: A volume of a claim that is made for the pod and goes with it.
  csi: A volume that a CSI driver makes for the pod.
  image: The files of an image.
  nfs: A directory of an NFS server.
  iscsi: An iSCSI disk.
  fc: A Fibre Channel disk.
  gitRepo: Not supported any more.
  flexVolume: A volume by a driver on the node. Deprecated.

EmptyDirVolumeSource: An empty directory that lives as long as the pod does.
  medium: Memory to hold it in memory. Default: the node's disk.
  sizeLimit: How large it may become.
HostPathVolumeSource: A file or directory of the node.
  path: Where it is on the node.
  type: What it must be: Directory, DirectoryOrCreate, File, FileOrCreate, Socket, CharDevice, BlockDevice; empty to take it as it is.
ConfigMapVolumeSource: The values of a ConfigMap as files.
  name: The ConfigMap's name.
  items: The keys, and their files. Default: all, by their names.
  defaultMode: The mode of the files, in octal in YAML. Default 0644.
SecretVolumeSource: The values of a Secret as files.
  secretName: The Secret's name.
  items: The keys, and their files. Default: all, by their names.
  defaultMode: The mode of the files, in octal in YAML. Default 0644.
KeyToPath: A key, and its file.
  key: The key.
  path: The file, within the volume.
  mode: The file's mode.
DownwardAPIVolumeSource: Fields of the pod as files.
  items: The files.
  defaultMode: The mode of the files. Default 0644.
DownwardAPIVolumeFile < KeyToPath: A field of the pod, and its file.
  fieldRef: A field of the pod.
  resourceFieldRef: A request or limit of a container.
ProjectedVolumeSource: Several sources in one directory.
  sources: The sources.
  defaultMode: The mode of the files. Default 0644.
VolumeProjection: One source; one of these.
  configMap: Values of a ConfigMap.
  secret: Values of a Secret.
  downwardAPI: Fields of the pod.
  serviceAccountToken: A token of the pod's ServiceAccount.
  clusterTrustBundle: Certificates of authorities.
  podCertificate: A certificate of the pod's own.
ConfigMapProjection < ConfigMapVolumeSource: Values of a ConfigMap.
SecretProjection < SecretVolumeSource: Values of a Secret.
  name: The Secret's name.
DownwardAPIProjection < DownwardAPIVolumeSource: Fields of the pod.
ServiceAccountTokenProjection: A token of the pod's ServiceAccount, renewed in time.
  audience: Whom the token is for. Default: the API server.
  expirationSeconds: How long it is good. Default 3600, at least 600.
  path: The file, within the volume.
PersistentVolumeClaimVolumeSource: The volume of a claim.
  claimName: The claim's name, in the same namespace.
EphemeralVolumeSource: A claim that is made for the pod, named POD-VOLUME.
  volumeClaimTemplate: What the claim looks like.
PersistentVolumeClaimTemplate: What a claim looks like.
  spec: What is claimed.
CSIVolumeSource: A volume that a CSI driver makes for the pod.
  driver: The driver's name.
  volumeAttributes: What the driver is told.
  nodePublishSecretRef: A Secret for the driver.
ImageVolumeSource: The files of an image.
  reference: The image.
  pullPolicy: When it is pulled: Always, IfNotPresent or Never.
NFSVolumeSource: A directory of an NFS server.
  server: The server.
  path: The directory.

PersistentVolumeClaim: A claim for storage, which is bound to a PersistentVolume.
PersistentVolumeClaimSpec: What storage is claimed.
  accessModes: ReadWriteOnce: one node; ReadOnlyMany, ReadWriteMany: many; ReadWriteOncePod: one pod.
  resources: How much storage is needed at least.
  storageClassName: The StorageClass that makes the volume; an empty text for none. Default: the cluster's default class.
  volumeName: The volume that it is bound to.
  volumeMode: Filesystem (the default) or Block.
  dataSource: A claim or snapshot to copy.
  dataSourceRef: The same, of any kind.
  volumeAttributesClassName: The VolumeAttributesClass that the volume is to have.
VolumeResourceRequirements: How much storage.
  requests: At least, such as storage: 10Gi.
  limits: At most.
PersistentVolumeClaimStatus: How a claim is.
  phase: Pending, Bound, or Lost when its volume is gone.
  accessModes: What its volume allows.
  capacity: How large its volume is.

PersistentVolume: A piece of storage that a claim can be bound to.
PersistentVolumeSpec < PersistentVolumeClaimSpec: Where the storage is, and who may have it.
  capacity: How large it is.
  accessModes: What it allows.
  claimRef: The claim that has it.
  persistentVolumeReclaimPolicy: What becomes of it when the claim goes: Retain, Delete or Recycle.
  storageClassName: The class that it is of.
  mountOptions: Options to mount it with.
  nodeAffinity: From which nodes it can be reached.
  hostPath: A directory of the node, for tests on one node.
  local: A disk or directory of one node.
  nfs: A directory of an NFS server.
  csi: A volume of a CSI driver.
PersistentVolumeStatus: How a volume is.
  phase: Available, Bound, Released or Failed.
  message: Why, in words for people.
  reason: Why, in one word.

StorageClass: A kind of storage, and who makes volumes of it.
  provisioner: Who makes the volumes.
  parameters: What it is told.
  reclaimPolicy: What becomes of a volume when its claim goes: Delete (the default) or Retain.
  mountOptions: Options to mount the volumes with.
  allowVolumeExpansion: Whether claims may be made larger.
  volumeBindingMode: Immediate (the default), or WaitForFirstConsumer to wait until a pod needs the volume.
  allowedTopologies: Where volumes may be made.
LocalVolumeSource: A disk or directory of one node.
  path: Where it is on the node.
VolumeNodeAffinity: From which nodes a volume can be reached.
  required: What a node must fulfil.
CSIPersistentVolumeSource < CSIVolumeSource: A volume of a CSI driver.
  volumeHandle: What the driver calls the volume.
  controllerPublishSecretRef: A Secret for attaching it.
  nodeStageSecretRef: A Secret for preparing it on a node.
  nodePublishSecretRef: A Secret for mounting it.
  controllerExpandSecretRef: A Secret for making it larger.
  nodeExpandSecretRef: A Secret for making it larger on a node.
SecretReference: A Secret in any namespace.
  namespace: Its namespace.
TypedLocalObjectReference: An object of the same namespace.
  apiGroup: Its group; empty for the core group.
TypedObjectReference < TypedLocalObjectReference: An object of any namespace.
  namespace: Its namespace.
TopologySelectorTerm: Where volumes may be made.
  matchLabelExpressions: Labels of the places; all must fit.
TopologySelectorLabelRequirement < LabelSelectorRequirement: A label and its values.
  values: One of these.
CSIDriver: What a CSI driver can do and needs.
CSIDriverSpec: What a CSI driver can do and needs.
  attachRequired: Whether volumes are attached to a node before they are mounted. Default true.
  podInfoOnMount: Whether the driver is told of the pod. Default false.
  volumeLifecycleModes: Persistent, Ephemeral or both.
  storageCapacity: Whether the scheduler looks at how much storage is left. Default false.
  fsGroupPolicy: Whether the owner of files is changed: ReadWriteOnceWithFSType (the default), File or None.
  tokenRequests: Tokens of the pod's ServiceAccount that the driver is given.
  requiresRepublish: Whether the driver is called again and again while the pod runs. Default false.
  seLinuxMount: Whether volumes can be mounted with an SELinux label. Default false.
CSINode: Which CSI drivers a node has.
CSINodeSpec: Which CSI drivers a node has.
  drivers: The drivers.
CSINodeDriver: A CSI driver of a node.
  nodeID: What it calls the node.
  topologyKeys: Labels that say from where its volumes are reached.
  allocatable: How many volumes the node can have.
VolumeAttachment: A volume that is to be attached to a node.
VolumeAttachmentSpec: Which volume, and to which node.
  attacher: Who attaches it.
  source: The volume.
  nodeName: The node.
VolumeAttachmentStatus: Whether a volume is attached.
  attached: Whether it is.
  attachError: Why it could not be attached.
  detachError: Why it could not be detached.
`;
