/** Finds what a request of the kubelet's server means: the pod, its sandbox, its container, the container's log. */
import type { ContainerStatus, Pod, PodStatus } from '../../api/schema/types.ts';
import type { ContainerRecord } from '../pod/pod-runtime.ts';
import { allContainers } from '../pod/spec.ts';
import type { PodWorker } from '../worker/pod-worker.ts';
import type { PodWorkers } from '../worker/pod-workers.ts';
import { HttpError } from './http-error.ts';

export class PodLookup {
  readonly #workers: PodWorkers;

  constructor(workers: PodWorkers) {
    this.#workers = workers;
  }

  /** All pods of this node, with their newest statuses. */
  list(): Pod[] {
    return this.#workers.list().map((w) => ({ ...w.pod, status: w.status }));
  }

  #worker(namespace: string, name: string): PodWorker {
    const worker = this.#workers.find(namespace, name);
    if (!worker) throw new HttpError(404, `pod "${name}" not found`);
    return worker;
  }

  #records(worker: PodWorker, container: string): readonly ContainerRecord[] {
    if (!allContainers(worker.pod).some((c) => c.name === container))
      throw new HttpError(400, `container "${container}" in pod "${worker.pod.metadata.name}" is not available`);
    return (worker.runtime?.containers ?? []).filter((c) => c.name === container);
  }

  runningContainer(namespace: string, name: string, container: string): string {
    const latest = this.#records(this.#worker(namespace, name), container)[0];
    if (latest?.state !== 'running') throw new HttpError(404, `container not found ("${container}")`);
    return latest.id;
  }

  sandbox(namespace: string, name: string): string {
    const sandbox = this.#worker(namespace, name).runtime?.sandboxes[0];
    if (!sandbox?.ready) throw new HttpError(404, `pod "${name}" has no sandbox that runs`);
    return sandbox.id;
  }

  /** The container whose log is meant, and how to tell whether it still runs. */
  log(
    namespace: string,
    name: string,
    container: string,
    previous: boolean,
  ): { readonly record: ContainerRecord; readonly isRunning: () => boolean } {
    const worker = this.#worker(namespace, name);
    const records = this.#records(worker, container);
    const waiting = statusOf(worker.status, container)?.state?.waiting;
    if (previous) {
      const ended = records.filter((r) => r.state === 'exited');
      // What runs now, or ended last and waits for its next start, is not the previous one.
      const record = records[0]?.state === 'running' || waiting ? ended[0] : ended[1];
      if (!record) throw new HttpError(400, `previous terminated container "${container}" in pod "${name}" not found`);
      return { record, isRunning: () => false };
    }
    const record = records[0];
    if (!record || record.state === 'created') {
      const why = waiting?.reason ?? 'ContainerCreating';
      throw new HttpError(400, `container "${container}" in pod "${name}" is waiting to start: ${pullWords[why] ?? why}`);
    }
    return { record, isRunning: () => worker.runtime?.containers.find((c) => c.id === record.id)?.state === 'running' };
  }
}

const pullWords: Readonly<Record<string, string>> = {
  ErrImagePull: "image can't be pulled",
  ImagePullBackOff: 'trying and failing to pull image',
};

function statusOf(status: PodStatus, container: string): ContainerStatus | undefined {
  const { containerStatuses = [], initContainerStatuses = [], ephemeralContainerStatuses = [] } = status;
  return [...containerStatuses, ...initContainerStatuses, ...ephemeralContainerStatuses].find((s) => s.name === container);
}
