/** The conditions of a pod that are the kubelet's to write. Pure: a condition keeps the time of its last change from the status before. */
import type { PodCondition, PodReadinessGate } from '../../api/schema/types.ts';
import { timestamp } from '../../clock/timestamp.ts';
import type { ContainerStatuses } from './container-status.ts';
import { isSidecar, specOf } from './spec.ts';
import type { StatusInput } from './status.ts';

/** The pod has these only while a resize waits or has failed. */
const resizeTypes = ['PodResizePending', 'PodResizeInProgress'];
const ownTypes = ['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady', 'PodScheduled'] as const;

interface Finding {
  readonly status: 'True' | 'False';
  readonly reason?: string;
  readonly message?: string;
}
const yes: Finding = { status: 'True' };

/** Own conditions first, then those of others as they were. */
export function podConditions(input: StatusInput, phase: string, statuses: ContainerStatuses): PodCondition[] {
  const containersReady = containersReadyOf(input, phase, statuses);
  const findings: Readonly<Record<(typeof ownTypes)[number], Finding>> = {
    PodReadyToStartContainers: { status: hasSandbox(input) ? 'True' : 'False' },
    Initialized: initializedOf(input, phase, statuses),
    Ready: containersReady.status === 'True' ? gatesOf(input) : containersReady,
    ContainersReady: containersReady,
    PodScheduled: yes,
  };
  const { resize, previous } = input;
  const own = ownTypes.map((type) => conditionOf(input, type, findings[type]));
  if (resize) own.push(conditionOf(input, resize.type, { status: 'True', reason: resize.reason, message: resize.message }));
  return [...own, ...(previous.conditions ?? []).filter((c) => !isOwnCondition(c.type))];
}

function hasSandbox({ pod, runtime }: StatusInput): boolean {
  const sandbox = runtime.sandboxes[0];
  return sandbox?.ready === true && (specOf(pod).hostNetwork === true || sandbox.ips.length > 0);
}

function initializedOf({ pod }: StatusInput, phase: string, { inits, mains }: ContainerStatuses): Finding {
  if (phase === 'Succeeded') return { status: 'True', reason: 'PodCompleted' };
  const begun = mains.some((s) => s.state?.running || s.state?.terminated || s.lastState?.terminated);
  const incomplete = (specOf(pod).initContainers ?? []).filter((c, i) => !(isSidecar(c) ? inits[i]?.started : inits[i]?.ready));
  if (begun || incomplete.length === 0) return yes;
  return { status: 'False', reason: 'ContainersNotInitialized', message: `containers with incomplete status: [${names(incomplete)}]` };
}

function containersReadyOf({ pod }: StatusInput, phase: string, { inits, mains }: ContainerStatuses): Finding {
  if (phase === 'Succeeded') return { status: 'False', reason: 'PodCompleted' };
  if (phase === 'Failed') return { status: 'False', reason: 'PodFailed' };
  const sidecars = (specOf(pod).initContainers ?? []).filter((c, i) => isSidecar(c) && !inits[i]?.ready);
  const unready = [...sidecars, ...mains.filter((s) => !s.ready)];
  if (unready.length === 0) return yes;
  return { status: 'False', reason: 'ContainersNotReady', message: `containers with unready status: [${names(unready)}]` };
}

/** Ready as far as the readiness gates are concerned, which others write. */
function gatesOf({ pod, previous }: StatusInput): Finding {
  const isTrue = ({ conditionType }: PodReadinessGate): boolean =>
    previous.conditions?.find((c) => c.type === conditionType)?.status === 'True';
  const closed = (specOf(pod).readinessGates ?? []).filter((gate) => !isTrue(gate));
  if (closed.length === 0) return yes;
  const said = closed.map((g) => `corresponding condition of pod readiness gate "${g.conditionType}" does not exist or is not True.`);
  return { status: 'False', reason: 'ReadinessGatesNotReady', message: said.join(', ') };
}

function conditionOf({ previous, pod, now }: StatusInput, type: string, wanted: Finding): PodCondition {
  const old = previous.conditions?.find((c) => c.type === type);
  const changed = old?.status !== wanted.status || old.lastTransitionTime == null;
  return {
    type,
    ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
    status: wanted.status,
    lastProbeTime: null as unknown as undefined,
    lastTransitionTime: changed ? timestamp(now) : (old.lastTransitionTime as string),
    ...(wanted.reason === undefined ? {} : { reason: wanted.reason }),
    ...(wanted.message === undefined ? {} : { message: wanted.message }),
  };
}

function names(containers: readonly { readonly name: string }[]): string {
  return containers.map((c) => c.name).join(' ');
}

/** Whether a condition that is over is taken out of the API, and not set to False. */
export function isPassingCondition(type: string): boolean {
  return resizeTypes.includes(type);
}

/** The names of conditions that are the kubelet's to write. */
export function isOwnCondition(type: string): boolean {
  return (ownTypes as readonly string[]).includes(type) || resizeTypes.includes(type);
}
