/** What the node has allocated to a pod, which may be less than it asks for (KEP-1287): remembered from one sync to the next. */
import type { Pod, ResourceRequirements } from '../../api/schema/types.ts';
import type { PodRuntime } from '../pod/pod-runtime.ts';
import { type ResizeProblem, resourcesInStatus, withActualResources, withResources } from '../pod/resize.ts';

export class Allocation {
  /** By the container's id, where it is not what the container was made with. */
  readonly #actuated: Map<string, ResourceRequirements>;
  #allocated: Pod;
  #problem: ResizeProblem | undefined;

  constructor(pod: Pod) {
    this.#actuated = resourcesInStatus(pod);
    this.#allocated = pod;
  }

  /** The pod with the resources that the node lets it have. */
  get allocated(): Pod {
    return this.#allocated;
  }

  get problem(): ResizeProblem | undefined {
    return this.#problem;
  }

  /** What runs keeps what it has until the node has room for what the pod asks for; `refusal` says why it has not. */
  update(pod: Pod, found: PodRuntime, refusal: (pod: Pod) => ResizeProblem | undefined): PodRuntime {
    for (const id of this.#actuated.keys()) if (!found.containers.some((c) => c.id === id)) this.#actuated.delete(id);
    const runtime = withResources(found, this.#actuated);
    const actual = withActualResources(pod, runtime);
    const problem = actual === pod ? undefined : refusal(pod);
    this.#allocated = problem ? actual : pod;
    // What the runtime refused stands until it has been done.
    if (problem || actual === pod || this.#problem?.type === 'PodResizePending') this.#problem = problem;
    return runtime;
  }

  /** Remembers what a sync resized; true when the status has to tell. */
  resized(resized: ReadonlyMap<string, ResourceRequirements>, problem: ResizeProblem | undefined): boolean {
    for (const [id, resources] of resized) this.#actuated.set(id, resources);
    if (problem) this.#problem = problem;
    return resized.size > 0 || problem !== undefined;
  }
}
