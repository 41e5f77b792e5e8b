/** Kinds that make pods. */
export const workloads = `
Deployment: Keeps a number of like pods, and replaces them little by little when their template changes. It does so through ReplicaSets.

DeploymentSpec: What a Deployment keeps.
  replicas: How many pods there are to be. Default 1.
  selector: Which pods are its own. It must fit the template's labels and cannot be changed.
  template: What the pods look like.
  strategy: How old pods are replaced by new ones.
  minReadySeconds: How many seconds a new pod must be ready to count as available. Default 0.
  revisionHistoryLimit: How many old ReplicaSets are kept to go back to. Default 10.
  paused: Whether changes of the template wait. Default false.
  progressDeadlineSeconds: After how many seconds without progress a rollout counts as failed. Default 600.
DeploymentStrategy: How old pods are replaced.
  type: RollingUpdate (the default), or Recreate to end all old pods first.
  rollingUpdate: How far a rolling update may go at a time.
RollingUpdateDeployment: How far a rolling update may go at a time.
  maxUnavailable: How many pods may be missing meanwhile, as a number or in percent. Default 25%.
  maxSurge: How many pods may be there beside the wanted number, as a number or in percent. Default 25%.
DeploymentStatus: How a Deployment is.
  replicas: How many pods there are.
  updatedReplicas: How many of them are of the present template.
  readyReplicas: How many are ready.
  availableReplicas: How many have been ready for minReadySeconds.
  unavailableReplicas: How many are still missing.
  terminatingReplicas: How many are on their way out.
  collisionCount: How often a name for a new ReplicaSet was taken.
DeploymentCondition: One question about a Deployment (Available, Progressing, ReplicaFailure), and its answer.

ReplicaSet: Keeps a number of like pods. Mostly made by a Deployment.
ReplicaSetSpec < DeploymentSpec: What a ReplicaSet keeps.
ReplicaSetStatus < DeploymentStatus: How a ReplicaSet is.
  fullyLabeledReplicas: How many have all labels of the template.

ReplicationController: The older form of a ReplicaSet.
ReplicationControllerSpec < DeploymentSpec: What a ReplicationController keeps.
  selector: Which pods are its own. Default: the template's labels.

DaemonSet: Keeps a pod on every node, or on every node that fits.
DaemonSetSpec < DeploymentSpec: What a DaemonSet keeps.
  template: What the pods look like. Its nodeSelector and affinity say which nodes get one.
  updateStrategy: How old pods are replaced by new ones.
  revisionHistoryLimit: How many old revisions are kept to go back to. Default 10.
DaemonSetUpdateStrategy: How old pods are replaced.
  type: RollingUpdate (the default), or OnDelete to wait for somebody to delete them.
  rollingUpdate: How far a rolling update may go at a time.
RollingUpdateDaemonSet: How far a rolling update may go at a time.
  maxUnavailable: On how many nodes the pod may be missing meanwhile. Default 1.
  maxSurge: On how many nodes old and new pod may run together. Default 0.
DaemonSetStatus: How a DaemonSet is.
  desiredNumberScheduled: How many nodes are to have a pod.
  currentNumberScheduled: How many of them have one.
  numberMisscheduled: How many nodes have one that are to have none.
  numberReady: How many pods are ready.
  numberAvailable: How many have been ready for minReadySeconds.
  numberUnavailable: How many are still missing.
  updatedNumberScheduled: How many are of the present template.

StatefulSet: Keeps pods that have a name, a number and volumes of their own, and starts and ends them in order.
StatefulSetSpec < DeploymentSpec: What a StatefulSet keeps.
  template: What the pods look like. The name is SET-NUMBER.
  volumeClaimTemplates: A PersistentVolumeClaim is made for each pod from each of these, and stays when the pod goes.
  serviceName: The headless Service under which the pods have names.
  podManagementPolicy: OrderedReady (the default): one after the other; Parallel: all at once.
  updateStrategy: How old pods are replaced by new ones.
  revisionHistoryLimit: How many old revisions are kept to go back to. Default 10.
  persistentVolumeClaimRetentionPolicy: What becomes of the claims when the set is deleted or made smaller.
  ordinals: Which numbers the pods have.
StatefulSetUpdateStrategy < DaemonSetUpdateStrategy: How old pods are replaced.
  rollingUpdate: How far a rolling update goes.
RollingUpdateStatefulSetStrategy: How far a rolling update goes.
  partition: Pods below this number stay as they are. Default 0.
  maxUnavailable: How many pods may be missing meanwhile, as a number or in percent, rounded down. Default 1.
StatefulSetPersistentVolumeClaimRetentionPolicy: What becomes of the claims of a set.
  whenDeleted: When the set is deleted: Retain (the default) or Delete.
  whenScaled: When a pod is scaled away: Retain (the default) or Delete.
StatefulSetOrdinals: Which numbers the pods have.
  start: The first number. Default 0.
StatefulSetStatus < DeploymentStatus: How a StatefulSet is.
  collisionCount: How often a name for a new revision was taken.
  currentReplicas: How many are of currentRevision.
  updatedReplicas: How many are of updateRevision.
  currentRevision: The revision that is being replaced.
  updateRevision: The revision of the present template.

Job: Runs pods until a number of them have done their work.
JobSpec: What a Job runs.
  parallelism: How many pods run at a time. Default 1.
  completions: How many pods must succeed. Without a number one that succeeds ends the Job.
  completionMode: NonIndexed (the default), or Indexed: each pod has a number, and each number must succeed.
  activeDeadlineSeconds: After how many seconds the Job is ended and counted as failed.
  backoffLimit: How many failures are borne before the Job counts as failed. Default 6.
  backoffLimitPerIndex: The same for each number of an indexed Job.
  maxFailedIndexes: How many numbers may fail before the Job does.
  podFailurePolicy: Which failures end the Job at once, or do not count.
  successPolicy: When an indexed Job has succeeded before all numbers have.
  selector: Which pods are its own. Made by the server.
  manualSelector: Whether the selector is one's own. Default false.
  template: What the pods look like. Its restartPolicy is Never or OnFailure.
  ttlSecondsAfterFinished: After how many seconds a finished Job is deleted. Default: never.
  suspend: Whether its pods are ended and none are made. Default false.
  podReplacementPolicy: When a pod is replaced: TerminatingOrFailed (the default), or Failed when it has ended for good.
  managedBy: The controller that runs the Job, when it is not the cluster's own.
PodFailurePolicy: What failures of pods mean.
  rules: The first that fits decides.
PodFailurePolicyRule: What one failure means.
  action: FailJob, FailIndex, Ignore or Count.
  onExitCodes: Exit codes that it is about.
  onPodConditions: Conditions of the pod that it is about.
JobStatus: How a Job is.
  startTime: When it was taken up.
  completionTime: When it had succeeded.
  active: How many pods are under way.
  ready: How many of them are ready.
  succeeded: How many have succeeded.
  failed: How many have failed.
  terminating: How many are on their way out.
  completedIndexes: The numbers that have succeeded, such as 1,3-5.
  failedIndexes: The numbers that have failed.
JobCondition: One question about a Job (Complete, Failed, Suspended), and its answer.

CronJob: Makes a Job at the times of a schedule.
CronJobSpec: When a CronJob makes Jobs, and which.
  schedule: Minute, hour, day of the month, month and day of the week, as cron has it: */5 * * * *.
  timeZone: The time zone of the schedule, such as Europe/Berlin. Default: the controller's.
  startingDeadlineSeconds: How many seconds late a Job may still be made. Default: however late.
  concurrencyPolicy: What happens while a Job runs: Allow another (the default), Forbid it, or Replace it.
  suspend: Whether no Jobs are made. Default false.
  jobTemplate: What the Jobs look like.
  successfulJobsHistoryLimit: How many Jobs that succeeded are kept. Default 3.
  failedJobsHistoryLimit: How many Jobs that failed are kept. Default 1.
JobTemplateSpec: What the Jobs look like that are made from it.
  spec: What each Job runs.
CronJobStatus: How a CronJob is.
  active: The Jobs that are under way.
  lastScheduleTime: When the last Job was due.
  lastSuccessfulTime: When the last Job that succeeded had ended.

ControllerRevision: A state of a StatefulSet or DaemonSet, kept to go back to.
  data: The state.
  revision: Its number.

HorizontalPodAutoscaler: Changes the number of pods of a Deployment or the like, by what they use.
HorizontalPodAutoscalerSpec: What is scaled, and by what.
  scaleTargetRef: What is scaled.
  minReplicas: How many pods there are at least. Default 1.
  maxReplicas: How many pods there are at most.
  metrics: What the number follows; the one that asks for most decides.
  behavior: How fast it may go up and down.
CrossVersionObjectReference: An object of the same namespace.
MetricSpec: Something to follow; one of these, as type says.
  type: Resource, ContainerResource, Pods, Object or External.
  resource: A resource of the pods, such as cpu.
  containerResource: A resource of one container of the pods.
  pods: A metric that every pod has.
  object: A metric of another object.
  external: A metric from outside of the cluster.
MetricTarget: What a metric is to be.
  type: Utilization, Value or AverageValue.
  value: The value.
  averageValue: The value for each pod.
  averageUtilization: Percent of the requests.

PodDisruptionBudget: How many pods of a kind may be evicted at a time.
PodDisruptionBudgetSpec: Which pods, and how many of them.
  selector: Which pods.
  minAvailable: How many must be left, as a number or in percent.
  maxUnavailable: How many may be missing, as a number or in percent. One or the other.
  unhealthyPodEvictionPolicy: Whether pods that are not ready may go all the same: IfHealthyBudget (the default) or AlwaysAllow.
PodDisruptionBudgetStatus: How much of the budget is left.
  disruptionsAllowed: How many pods may be evicted now.
  currentHealthy: How many are ready.
  desiredHealthy: How many must be.
  expectedPods: How many there are.
  disruptedPods: Pods that were evicted a moment ago.

PriorityClass: A name for how important pods are.
  value: How important, the higher the more.
  globalDefault: Whether it holds for pods that name none. Default false.
  description: When to use it.
  preemptionPolicy: Whether less important pods may be evicted for these: PreemptLowerPriority (the default) or Never.
ReplicationControllerStatus < ReplicaSetStatus: How a ReplicationController is.
PodFailurePolicyOnExitCodesRequirement < ContainerRestartRuleOnExitCodes: Exit codes of a container.
  containerName: The container. Default: any.
PodFailurePolicyOnPodConditionsPattern: A condition of a pod.
  type: Its type.
  status: Its answer.
SuccessPolicy: When an indexed Job has succeeded before all numbers have.
  rules: One that fits is enough.
SuccessPolicyRule: Which numbers must have succeeded, or how many of them.
  succeededIndexes: Which, such as 1,3-5.
  succeededCount: How many.
ObjectMetricSource: A metric of another object.
  describedObject: The object.
  metric: The metric.
  target: What it is to be.
MetricIdentifier: A metric.
PodsMetricSource < ObjectMetricSource: A metric that every pod has.
  target: What its average is to be.
ResourceMetricSource: A resource of the pods.
  name: cpu or memory.
  target: What its use is to be.
ContainerResourceMetricSource < ResourceMetricSource: A resource of one container of the pods.
  container: The container.
ExternalMetricSource < ObjectMetricSource: A metric from outside of the cluster.
HorizontalPodAutoscalerBehavior: How fast the number may go up and down.
  scaleUp: How fast it may go up.
  scaleDown: How fast it may go down.
HPAScalingRules: How fast the number may change.
  stabilizationWindowSeconds: For how many seconds back the wishes are looked at, and the most careful one taken.
  selectPolicy: Which policy counts: Max (the default), Min, or Disabled for no change.
  policies: How much may change in how much time.
  tolerance: How far a metric may be off without a change. Default 0.1.
HPAScalingPolicy: How much may change in how much time.
  type: Pods or Percent.
  value: How many, or how many percent.
  periodSeconds: In how many seconds.
HorizontalPodAutoscalerStatus: How an autoscaler is.
  lastScaleTime: When the number was last changed.
  currentReplicas: How many pods there are.
  desiredReplicas: How many there are to be.
  currentMetrics: What the metrics are.
MetricStatus < MetricSpec: What a metric is.
MetricValueStatus < MetricTarget: What a metric is.
ObjectMetricStatus < ObjectMetricSource: What a metric of another object is.
  current: What it is.
PodsMetricStatus < PodsMetricSource: What a metric of the pods is.
  current: What its average is.
ResourceMetricStatus < ResourceMetricSource: What a resource's use is.
  current: What it is.
ContainerResourceMetricStatus < ContainerResourceMetricSource: What a resource's use by a container is.
  current: What it is.
ExternalMetricStatus < ExternalMetricSource: What a metric from outside is.
  current: What it is.
AutoscalingV1HorizontalPodAutoscalerSpec < HorizontalPodAutoscalerSpec: What is scaled, and by how much processor time.
  targetCPUUtilizationPercentage: How many percent of its requests a pod is to use. Default 80.
AutoscalingV1HorizontalPodAutoscalerStatus < HorizontalPodAutoscalerStatus: How an autoscaler is.
  currentCPUUtilizationPercentage: How many percent of its requests a pod uses.
AutoscalingV1HorizontalPodAutoscaler: Changes the number of pods of a Deployment or the like, by the processor time that they use.
`;
