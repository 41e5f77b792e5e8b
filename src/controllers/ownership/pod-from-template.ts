import type { KubeObject } from '../../api/resource-types.ts';
import type { Pod, PodTemplateSpec } from '../../api/schema/types.ts';
import { controllerRef } from './owner.ts';

/** A pod as the template says, named after its owner and owned by it. */
export function podFromTemplate(template: PodTemplateSpec, owner: KubeObject): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      // The server makes the name.
      name: '',
      generateName: `${owner.metadata.name}-`,
      namespace: owner.metadata.namespace,
      labels: { ...template.metadata?.labels },
      annotations: template.metadata?.annotations,
      finalizers: template.metadata?.finalizers,
      ownerReferences: [controllerRef(owner)],
    },
    spec: template.spec,
  };
}
