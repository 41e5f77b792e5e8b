/**
 * A pod as the kubelet runs it, from a manifest. No API server has looked at it, so it is checked here as one would: its names become names of
 * directories and of cgroups.
 */
import { createHash } from 'node:crypto';
import { parse } from 'yaml';
import { defaultPod } from '../../api/defaults/pod.ts';
import type { Pod } from '../../api/schema/types.ts';
import { textOf } from '../../api/validation/field-error.ts';
import { nameIsDnsSubdomain } from '../../api/validation/names.ts';
import { metaErrors } from '../../api/validation/object-meta.ts';
import { podErrors } from '../../api/validation/pod.ts';
import { podAnnotations } from '../pod/labels.ts';

/** Its uid is a hash of what the manifest says, so a change makes another pod. Throws with what is wrong, in upstream's words. */
export function staticPod(text: string, nodeName: string, now: number): Pod {
  const manifest = parse(text) as Partial<Pod> | null;
  if (manifest?.kind !== 'Pod' || manifest.apiVersion !== 'v1') throw new Error('it holds no Pod of v1');
  const { metadata, spec } = manifest;
  if (!metadata?.name) throw new Error('metadata.name is missing');
  const hash = createHash('md5')
    .update(JSON.stringify([nodeName, manifest]))
    .digest('hex');
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...metadata,
      name: `${metadata.name}-${nodeName}`,
      namespace: metadata.namespace ?? 'default',
      uid: hash,
      creationTimestamp: undefined,
      annotations: {
        ...metadata.annotations,
        [podAnnotations.hash]: hash,
        [podAnnotations.source]: 'file',
        [podAnnotations.seen]: new Date(now).toISOString(),
      },
    },
    spec: {
      containers: [],
      restartPolicy: 'Always',
      dnsPolicy: 'ClusterFirst',
      terminationGracePeriodSeconds: 30,
      enableServiceLinks: true,
      ...spec,
      nodeName,
      tolerations: [...(spec?.tolerations ?? []), { operator: 'Exists', effect: 'NoExecute' }],
    },
    status: { phase: 'Pending' },
  };
  check(pod);
  return pod;
}

function check(pod: Pod): void {
  const whole = structuredClone(pod);
  defaultPod(whole);
  const errors = [...metaErrors(whole.metadata, { namespaced: true, validateName: nameIsDnsSubdomain }), ...podErrors(whole)];
  if (errors.length > 0) throw new Error(errors.map(textOf).join(', '));
}
