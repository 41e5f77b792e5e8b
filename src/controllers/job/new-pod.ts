import type { Container, Job, Pod } from '../../api/schema/types.ts';
import { podFromTemplate } from '../ownership/pod-from-template.ts';
import type { NewPod } from './desired.ts';
import { FAILURES_OF_INDEX, IGNORED_FAILURES_OF_INDEX, INDEX, TRACKING } from './pod-facts.ts';

/** 58: what the server leaves of a generateName. */
const MAX_PREFIX = 58;
const INDEX_VARIABLE = 'JOB_COMPLETION_INDEX';

/** A pod of a job; with an index it knows it by annotation, label, hostname and environment. */
export function podOfJob(job: Job, { index, failures }: NewPod): Pod {
  const pod = podFromTemplate(job.spec?.template ?? {}, job);
  const finalizers = [...(pod.metadata.finalizers ?? []).filter((one) => one !== TRACKING), TRACKING];
  if (index === undefined || !pod.spec) return { ...pod, metadata: { ...pod.metadata, finalizers } };
  const suffix = `-${index}-`;
  const annotations: Record<string, string> = { ...pod.metadata.annotations, [INDEX]: String(index) };
  if (failures) annotations[FAILURES_OF_INDEX] = String(failures.counted);
  if (failures && failures.ignored > 0) annotations[IGNORED_FAILURES_OF_INDEX] = String(failures.ignored);
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      generateName: `${job.metadata.name.slice(0, MAX_PREFIX - suffix.length)}${suffix}`,
      finalizers,
      annotations,
      labels: { ...pod.metadata.labels, [INDEX]: String(index) },
    },
    spec: {
      ...pod.spec,
      hostname: `${job.metadata.name}-${index}`,
      containers: pod.spec.containers.map(withIndex),
      ...(pod.spec.initContainers ? { initContainers: pod.spec.initContainers.map(withIndex) } : {}),
    },
  };
}

function withIndex(container: Container): Container {
  const { env = [] } = container;
  if (env.some((one) => one.name === INDEX_VARIABLE)) return container;
  const valueFrom = { fieldRef: { fieldPath: `metadata.labels['${INDEX}']` } };
  return { ...container, env: [...env, { name: INDEX_VARIABLE, valueFrom }] };
}
