import type { Container, Job, Pod } from '../../api/schema/types.ts';
import { podFromTemplate } from '../ownership/pod-from-template.ts';
import type { NewPod } from './desired.ts';
import { ignoredIndexFailuresAnnotation, indexAnnotation, indexFailuresAnnotation, trackingFinalizer } from './pod-facts.ts';

/** 58: what the server leaves of a generateName. */
const maxPrefix = 58;
const indexVariable = 'JOB_COMPLETION_INDEX';

/** A pod of a job; with an index it knows it by annotation, label, hostname and environment. */
export function podOfJob(job: Job, { index, failures }: NewPod): Pod {
  const pod = podFromTemplate(job.spec?.template ?? {}, job);
  const finalizers = [...(pod.metadata.finalizers ?? []).filter((one) => one !== trackingFinalizer), trackingFinalizer];
  if (index === undefined || !pod.spec) return { ...pod, metadata: { ...pod.metadata, finalizers } };
  const suffix = `-${index}-`;
  const annotations: Record<string, string> = { ...pod.metadata.annotations, [indexAnnotation]: String(index) };
  if (failures) annotations[indexFailuresAnnotation] = String(failures.counted);
  if (failures && failures.ignored > 0) annotations[ignoredIndexFailuresAnnotation] = String(failures.ignored);
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      generateName: `${job.metadata.name.slice(0, maxPrefix - suffix.length)}${suffix}`,
      finalizers,
      annotations,
      labels: { ...pod.metadata.labels, [indexAnnotation]: String(index) },
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
  if (env.some((one) => one.name === indexVariable)) return container;
  const valueFrom = { fieldRef: { fieldPath: `metadata.labels['${indexAnnotation}']` } };
  return { ...container, env: [...env, { name: indexVariable, valueFrom }] };
}
