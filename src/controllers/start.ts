/** Which controllers there are, and that they run. */
import { persistentVolumeClaims, persistentVolumes } from '../api/resource-types.ts';
import { runNamed } from '../client/named-controllers.ts';
import { BootstrapSignerController } from './bootstrapsigner/controller.ts';
import { type ControllerContext, keyed, type RunController } from './context.ts';
import { CronJobController } from './cronjob/controller.ts';
import { CsrApprovingController } from './csrapproving/controller.ts';
import { CsrServingApprovingController } from './csrapproving-serving/controller.ts';
import { CsrCleanerController } from './csrcleaner/controller.ts';
import { CsrSigningController } from './csrsigning/controller.ts';
import { DaemonSetController } from './daemonset/controller.ts';
import { DeploymentController } from './deployment/controller.ts';
import { DisruptionController } from './disruption/controller.ts';
import { StaleTargetController } from './disruption/stale-target.ts';
import { EndpointsController } from './endpoints/controller.ts';
import { EndpointSliceController } from './endpointslice/controller.ts';
import { EndpointSliceMirroringController } from './endpointslice-mirroring/controller.ts';
import { firstOf } from './first-of.ts';
import { GarbageCollector } from './garbage-collector/controller.ts';
import { HorizontalPodAutoscalerController } from './horizontal-pod-autoscaler/controller.ts';
import { JobController } from './job/controller.ts';
import { OrphanPodController } from './job/orphan-controller.ts';
import { NamespaceController } from './namespace/controller.ts';
import { NodeIpamController } from './node-ipam/controller.ts';
import { NodeLifecycleController } from './node-lifecycle/controller.ts';
import { TaintEvictionController } from './node-lifecycle/taint-eviction.ts';
import { PodGarbageCollector } from './pod-gc/controller.ts';
import { ReplicaSetController, ReplicationControllerController } from './replicaset/controller.ts';
import { ResourceQuotaController } from './resourcequota/controller.ts';
import { RootCaController } from './root-ca/controller.ts';
import { ServiceCidrController } from './service-cidr/controller.ts';
import { ServiceAccountController } from './serviceaccount/controller.ts';
import { StatefulSetController } from './statefulset/controller.ts';
import { TokenCleanerController } from './tokencleaner/controller.ts';
import { TtlAfterFinishedController } from './ttl-after-finished/controller.ts';
import { accountOf } from './upstream-names.ts';
import {
  AttributesClassProtectionController,
  ClaimProtectionController,
  VolumeProtectionController,
} from './volume-protection/controller.ts';

/** Every controller by the name that `--controllers` knows. */
export const controllers: Readonly<Record<string, RunController>> = {
  'node-ipam-controller': async (context) => {
    if (context.podRanges !== undefined) await keyed(NodeIpamController)(context);
  },
  'node-lifecycle-controller': keyed(NodeLifecycleController, TaintEvictionController),
  'serviceaccount-controller': keyed(ServiceAccountController),
  'root-ca-certificate-publisher-controller': keyed(RootCaController),
  'namespace-controller': keyed(NamespaceController),
  'deployment-controller': keyed(DeploymentController),
  'replicaset-controller': keyed(ReplicaSetController),
  'replicationcontroller-controller': keyed(ReplicationControllerController),
  'daemonset-controller': keyed(DaemonSetController),
  'statefulset-controller': keyed(StatefulSetController),
  'job-controller': keyed(JobController, OrphanPodController),
  'cronjob-controller': keyed(CronJobController),
  'horizontal-pod-autoscaler-controller': keyed(HorizontalPodAutoscalerController),
  'disruption-controller': keyed(DisruptionController, StaleTargetController),
  'ttl-after-finished-controller': keyed(TtlAfterFinishedController),
  'persistentvolume-binder-controller': async (context) => {
    // Few clusters have any: what binds them is loaded by the first one.
    if (await firstOf(context, persistentVolumeClaims, persistentVolumes))
      await keyed((await import('./persistentvolume-binder/controller.ts')).PersistentVolumeBinder)(context);
  },
  'persistentvolumeclaim-protection-controller': keyed(ClaimProtectionController),
  'persistentvolume-protection-controller': keyed(VolumeProtectionController),
  'volumeattributesclass-protection-controller': keyed(AttributesClassProtectionController),
  'endpointslice-controller': keyed(EndpointSliceController),
  'endpoints-controller': keyed(EndpointsController),
  'endpointslice-mirroring-controller': keyed(EndpointSliceMirroringController),
  'pod-garbage-collector-controller': keyed(PodGarbageCollector),
  'service-cidr-controller': keyed(ServiceCidrController),
  'garbage-collector-controller': keyed(GarbageCollector),
  'resourcequota-controller': keyed(ResourceQuotaController),
  'certificatesigningrequest-signing-controller': async (context) => {
    if (context.signing) await keyed(CsrSigningController)(context);
    else context.log.info('Skipping CSR signer controller because no csr cert/key was specified');
  },
  'certificatesigningrequest-approving-controller': keyed(CsrApprovingController),
  'certificatesigningrequest-cleaner-controller': keyed(CsrCleanerController),
  'bootstrap-signer-controller': keyed(BootstrapSignerController),
  'token-cleaner-controller': keyed(TokenCleanerController),
  'kubelet-serving-approving-controller': keyed(CsrServingApprovingController),
};

/** Those that `*` does not mean: the first two as upstream, and the last because upstream has none. They run where nodes join by bootstrap tokens. */
export const disabledByDefault: readonly string[] = [
  'bootstrap-signer-controller',
  'token-cleaner-controller',
  'kubelet-serving-approving-controller',
];

/** Runs them all until the signal aborts, each as its own ServiceAccount if there is `clientOf`. One that ends with an error is started again, the others go on. */
export async function startControllers(
  context: ControllerContext,
  names: readonly string[] = Object.keys(controllers),
  known: Readonly<Record<string, RunController>> = controllers,
): Promise<void> {
  const { client, clientOf = () => client } = context;
  const acting = Object.entries(known).map(([name, run]): [string, RunController] => [
    name,
    (own) => run({ ...own, client: clientOf(accountOf(name)) }),
  ]);
  await runNamed(context, names, Object.fromEntries(acting));
}
