/** Quality-of-service class of a pod: decides its cgroup and who is killed first when memory runs out. */
import { qosClassOf as classOf, type QosClass } from '../../api/defaults/qos-class.ts';
import type { Container, Pod } from '../../api/schema/types.ts';
import { specOf } from './spec.ts';

/** As the API server says it. A static pod has not been there: what it limits it requests too. */
export function qosClassOf(pod: Pod): QosClass {
  const { initContainers = [], containers, ...rest } = specOf(pod);
  return classOf({ ...rest, initContainers: initContainers.map(withRequests), containers: containers.map(withRequests) });
}

function withRequests(container: Container): Container {
  const { limits, requests } = container.resources ?? {};
  return { ...container, resources: { ...container.resources, requests: { ...limits, ...requests } } };
}
