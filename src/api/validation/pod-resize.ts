/** Updates of a pod's `resize`: they may change CPU and memory of running containers (KEP-1287). */
import { isDeepStrictEqual } from 'node:util';
import { qosClassOf } from '../defaults/qos-class.ts';
import type { Container, Pod, ResourceRequirements } from '../schema/types.ts';
import { mirrorPodAnnotationKey } from '../well-known.ts';
import { eachOf, type FieldError, forbidden, invalid } from './field-error.ts';
import { podSpecErrors } from './pod.ts';

const mutable = ['cpu', 'memory'];

export function podResizeErrors(next: Pod, old: Pod): FieldError[] {
  const [spec, before] = [next.spec, old.spec];
  if (!spec || !before) return [];
  if (old.metadata.annotations?.[mirrorPodAnnotationKey] !== undefined) return [forbidden('', 'static pods cannot be resized')];
  const misplaced = (['containers', 'initContainers'] as const).flatMap((list) => misplacedErrors(list, spec[list], before[list]));
  if (misplaced.length > 0) return misplaced;
  const qosClass = qosClassOf(spec);
  // A kubelet that does not report the resources of running containers cannot resize them either.
  const cannotResize = old.status?.containerStatuses?.some(({ state, resources }) => state?.running && !resources);
  return [
    ...podSpecErrors(spec, 'spec'),
    // The pod's cgroup is below that of its QoS class, and cannot move.
    ...(qosClass === (old.status?.qosClass ?? qosClassOf(before))
      ? []
      : [invalid('spec', qosClass, 'Pod QOS Class may not change as a result of resizing')]),
    ...(cannotResize ? [forbidden('spec', 'Pod running on node without support for resize')] : []),
    ...eachOf(spec.containers, 'spec.containers', (one, at, index) => containerResizeErrors(one, before.containers[index], at)),
    ...eachOf(spec.initContainers, 'spec.initContainers', (one, at, index) => {
      const was = before.initContainers?.[index];
      if (one.restartPolicy === 'Always') return containerResizeErrors(one, was, at);
      return isDeepStrictEqual(one.resources, was?.resources)
        ? []
        : [forbidden('spec', 'resources for non-sidecar init containers are immutable')];
    }),
  ];
}

function misplacedErrors(list: string, containers: readonly Container[] = [], before: readonly Container[] = []): FieldError[] {
  const path = `spec.${list}`;
  if (containers.length !== before.length) return [forbidden(path, `${list} may not be added or removed on resize`)];
  return eachOf(containers, path, ({ name }, at, index) =>
    name === before[index]?.name ? [] : [forbidden(`${at}.name`, `${list} may not be renamed or reordered on resize`)],
  );
}

function containerResizeErrors({ resources = {}, resizePolicy }: Container, was: Container | undefined, path: string): FieldError[] {
  const before = was?.resources ?? {};
  return [
    ...(['requests', 'limits'] as const)
      .filter((kind) => Object.keys(before[kind] ?? {}).some((name) => resources[kind]?.[name] === undefined))
      .map((kind) => forbidden(`${path}.resources.${kind}`, `resource ${kind} cannot be removed`)),
    ...(isDeepStrictEqual([others(resources), resizePolicy], [others(before), was?.resizePolicy])
      ? []
      : [forbidden('spec', 'only cpu and memory resources are mutable')]),
  ];
}

function others({ requests, limits, claims = [] }: ResourceRequirements): unknown {
  const rest = (amounts: Readonly<Record<string, string>> = {}): object =>
    Object.fromEntries(Object.entries(amounts).filter(([name]) => !mutable.includes(name)));
  return [rest(requests), rest(limits), claims];
}
