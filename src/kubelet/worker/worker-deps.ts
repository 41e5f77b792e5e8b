/** What the worker of a pod works with: the other parts of the kubelet, and what it asks about the node. */
import type { Pod, PodStatus } from '../../api/schema/types.ts';
import type { Clock } from '../../clock/clock.ts';
import type { Log } from '../../observability/log.ts';
import type { CgroupManager } from '../node/cgroup-manager.ts';
import type { NodeFacts } from '../pod/downward.ts';
import type { ResizeProblem } from '../pod/resize.ts';
import type { WaitReason } from '../pod/status.ts';
import type { ProbeManager } from '../probe/probe-manager.ts';
import type { ContainerKiller } from '../runtime/container-killer.ts';
import type { ContainerStarter } from '../runtime/container-starter.ts';
import type { PodEvents } from '../runtime/pod-events.ts';
import type { RuntimeManager } from '../runtime/runtime-manager.ts';
import type { RuntimeReader } from '../runtime/runtime-reader.ts';
import type { StatusManager, StatusTarget } from '../status/status-manager.ts';
import type { TokenManager } from '../volume/token-manager.ts';
import type { VolumeManager } from '../volume/volume-manager.ts';

export interface WorkerDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly events: PodEvents;
  readonly reader: RuntimeReader;
  readonly runtime: RuntimeManager;
  readonly starter: ContainerStarter;
  readonly killer: ContainerKiller;
  readonly probes: ProbeManager;
  readonly statuses: StatusManager;
  readonly volumes: VolumeManager;
  readonly tokens: TokenManager;
  readonly cgroups: CgroupManager;
  readonly logsRoot: string;
  /** What the pods are told of their node; the addresses of the pod are added. */
  readonly facts: NodeFacts;
  /** Why pods cannot be given a network now, or undefined. */
  readonly networkProblem: () => string | undefined;
  /** ConfigMaps and Secrets are read anew, also those that were read a moment ago. */
  readonly forgetConfig: () => void;
  /** The API's object of the pod: itself, or the mirror of a static one; undefined when there is none. */
  readonly target: (pod: Pod) => { readonly target: StatusTarget; readonly status: PodStatus } | undefined;
  /** The worker has nothing left to do. */
  readonly onFinished: (uid: string) => void;
  /** Why the node cannot take the pod, or undefined. */
  readonly admit: (pod: Pod) => Promise<WaitReason | undefined>;
  /** Why the pod, which runs here, cannot have what it asks for now, or undefined. */
  readonly resizeProblem: (pod: Pod) => ResizeProblem | undefined;
}
