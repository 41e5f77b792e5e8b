/** What the containers of a pod have, beside what the pod asks for: remembered from one step of its worker to the next. */
import type { Pod, ResourceRequirements } from '../../api/schema/types.ts';
import { type ResizeProblem, resourcesInStatus, withActualResources, withResources } from '../pod/resize.ts';
import type { PodRuntime } from '../pod/runtime-state.ts';

export class ResizeState {
  /** By the container's id, where it is not what the container was made with. */
  readonly #resources: Map<string, ResourceRequirements>;
  #granted: Pod;
  #problem: ResizeProblem | undefined;

  constructor(pod: Pod) {
    this.#resources = resourcesInStatus(pod);
    this.#granted = pod;
  }

  /** The pod with the resources that the node lets it have. */
  get granted(): Pod {
    return this.#granted;
  }

  get problem(): ResizeProblem | undefined {
    return this.#problem;
  }

  /** What runs keeps what it has until the node has room for what the pod asks for; `refusal` says why it has not. */
  see(pod: Pod, found: PodRuntime, refusal: (pod: Pod) => ResizeProblem | undefined): PodRuntime {
    for (const id of this.#resources.keys()) if (!found.containers.some((c) => c.id === id)) this.#resources.delete(id);
    const runtime = withResources(found, this.#resources);
    const actual = withActualResources(pod, runtime);
    const problem = actual === pod ? undefined : refusal(pod);
    this.#granted = problem ? actual : pod;
    // What the runtime refused stands until it has been done.
    if (problem || actual === pod || this.#problem?.type === 'PodResizePending') this.#problem = problem;
    return runtime;
  }

  /** Notes what a step did; true when the status has to tell. */
  note(resized: ReadonlyMap<string, ResourceRequirements>, problem: ResizeProblem | undefined): boolean {
    for (const [id, resources] of resized) this.#resources.set(id, resources);
    if (problem) this.#problem = problem;
    return resized.size > 0 || problem !== undefined;
  }
}
