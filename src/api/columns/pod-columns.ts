/** `kubectl get pods`. STATUS tells in one word what the phase does not: the reason of the container that matters most. */
import type { Columns } from '../registry/resource-row.ts';
import type { Container, ContainerStatus, Pod, PodStatus } from '../schema/types.ts';
import { humanDuration } from './age.ts';
import { age, column, columnsOf, wide } from './columns.ts';

export const podColumns: Columns<Pod> = columnsOf<Pod>(
  [
    column('Ready', (pod) => summaryOf(pod).ready, { description: 'Containers that are ready, of all' }),
    column('Status', (pod) => summaryOf(pod).status, { description: 'What the pod is doing, or what keeps it from running' }),
    column('Restarts', (pod, now) => restartsText(summaryOf(pod), now), {
      description: 'How often containers were restarted, and when last',
    }),
    age(),
    wide('IP', (pod) => pod.status?.podIPs?.[0]?.ip || pod.status?.podIP || '<none>', { description: 'Address of the pod' }),
    wide('Node', (pod) => pod.spec?.nodeName || '<none>', { description: 'Node the pod was given to' }),
    wide('Nominated Node', (pod) => pod.status?.nominatedNodeName || '<none>', {
      description: 'Node on which room is being made for the pod',
    }),
    wide('Readiness Gates', gatesText, { description: 'Readiness gates that are true, of all' }),
  ],
  (pod) => {
    const phase = pod.status?.phase;
    if (phase === 'Succeeded') return [completed(phase, 'The pod has completed successfully.')];
    return phase === 'Failed' ? [completed(phase, 'The pod failed.')] : [];
  },
);

interface PodSummary {
  readonly ready: string;
  readonly status: string;
  readonly restarts: number;
  /** When the container that was restarted last had ended. */
  readonly lastEnd: string;
}

/** STATUS, READY and RESTARTS come from the same walk over the containers; init containers hide the others while they run. */
function summaryOf(pod: Pod): PodSummary {
  const status = pod.status ?? {};
  const inits = new Map((pod.spec?.initContainers ?? []).map((one) => [one.name, one]));
  const total = (pod.spec?.containers?.length ?? 0) + [...inits.values()].filter(isSidecar).length;
  const init = walkInit(status, inits);
  const main = init.reason === undefined || isTrue(status, 'Initialized') ? walkMain(status.containerStatuses ?? []) : undefined;
  return {
    ready: `${init.ready + (main?.ready ?? 0)}/${total}`,
    status: reasonOf(pod, init, main),
    restarts: main ? init.sidecarRestarts + main.restarts : init.restarts,
    lastEnd: main ? later(init.sidecarLastEnd, main.lastEnd) : init.lastEnd,
  };
}

function reasonOf({ metadata, status = {} }: Pod, init: InitWalk, main: MainWalk | undefined): string {
  if (metadata.deletionTimestamp) {
    if (status.reason === 'NodeLost') return 'Unknown';
    if (status.phase !== 'Succeeded' && status.phase !== 'Failed') return 'Terminating';
  }
  const gated = status.conditions?.some((one) => one.type === 'PodScheduled' && one.reason === 'SchedulingGated');
  const reason = main?.reason ?? init.reason ?? (gated ? 'SchedulingGated' : status.reason || status.phase || '');
  // One container is done and another one works: the pod as a whole is not Completed.
  if (reason === 'Completed' && main?.running) return isTrue(status, 'Ready') ? 'Running' : 'NotReady';
  return reason;
}

interface InitWalk {
  /** Set while the pod is initialising, or cannot. */
  readonly reason: string | undefined;
  readonly ready: number;
  readonly restarts: number;
  readonly lastEnd: string;
  readonly sidecarRestarts: number;
  readonly sidecarLastEnd: string;
}

function walkInit(status: PodStatus, inits: ReadonlyMap<string, Container>): InitWalk {
  let [ready, restarts, lastEnd, sidecarRestarts, sidecarLastEnd] = [0, 0, '', 0, ''];
  let reason: string | undefined;
  for (const [index, one] of (status.initContainerStatuses ?? []).entries()) {
    const sidecar = isSidecar(inits.get(one.name));
    restarts += one.restartCount ?? 0;
    lastEnd = later(lastEnd, endOf(one));
    if (sidecar) {
      sidecarRestarts += one.restartCount ?? 0;
      sidecarLastEnd = later(sidecarLastEnd, endOf(one));
    }
    if (one.state?.terminated?.exitCode === 0) continue;
    if (!sidecar || !one.started) {
      reason = `Init:${initReason(one) ?? `${index}/${inits.size}`}`;
      break;
    }
    if (one.ready) ready++;
  }
  return { reason, ready, restarts, lastEnd, sidecarRestarts, sidecarLastEnd };
}

function initReason({ state }: ContainerStatus): string | undefined {
  const { terminated, waiting } = state ?? {};
  if (terminated) return terminated.reason || endText(terminated);
  return waiting?.reason && waiting.reason !== 'PodInitializing' ? waiting.reason : undefined;
}

interface MainWalk {
  readonly reason: string | undefined;
  readonly ready: number;
  readonly restarts: number;
  readonly lastEnd: string;
  readonly running: boolean;
}

/** From the last container to the first, so that the first one with something to say has the last word. */
function walkMain(statuses: readonly ContainerStatus[]): MainWalk {
  let [ready, restarts, lastEnd] = [0, 0, ''];
  let reason: string | undefined;
  for (const one of statuses.toReversed()) {
    restarts += one.restartCount ?? 0;
    lastEnd = later(lastEnd, endOf(one));
    const { waiting, terminated, running } = one.state ?? {};
    if (waiting?.reason) reason = waiting.reason;
    else if (terminated) reason = terminated.reason || endText(terminated);
    else if (one.ready && running) ready++;
  }
  return { reason, ready, restarts, lastEnd, running: ready > 0 };
}

function endText(terminated: { readonly signal?: number | undefined; readonly exitCode: number }): string {
  return terminated.signal ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode}`;
}

function endOf(status: ContainerStatus): string {
  return status.lastState?.terminated?.finishedAt ?? '';
}

/** Timestamps of one format sort as text. */
function later(a: string, b: string): string {
  return a > b ? a : b;
}

function restartsText({ restarts, lastEnd }: PodSummary, now: Date): string {
  if (restarts === 0 || lastEnd === '') return String(restarts);
  return `${restarts} (${humanDuration(now.getTime() - Date.parse(lastEnd))} ago)`;
}

function gatesText(pod: Pod): string {
  const gates = pod.spec?.readinessGates ?? [];
  if (gates.length === 0) return '<none>';
  const met = gates.filter((gate) => isTrue(pod.status ?? {}, gate.conditionType));
  return `${met.length}/${gates.length}`;
}

function isTrue(status: PodStatus, type: string): boolean {
  return status.conditions?.some((one) => one.type === type && one.status === 'True') ?? false;
}

/** An init container that stays: upstream calls it restartable. */
function isSidecar(container: Container | undefined): boolean {
  return container?.restartPolicy === 'Always';
}

function completed(reason: string, message: string): { type: string; status: string; reason: string; message: string } {
  return { type: 'Completed', status: 'True', reason, message };
}
