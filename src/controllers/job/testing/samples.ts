/** Jobs and their pods for tests. */
import type { Job, JobSpec, JobStatus, Pod } from '../../../api/schema/types.ts';
import { timestamp } from '../../../clock/timestamp.ts';
import { indexAnnotation, indexFailuresAnnotation, trackingFinalizer } from '../pod-facts.ts';

export const startOf2026: number = Date.UTC(2026, 0, 1);
export const at = (seconds: number): string => timestamp(startOf2026 + seconds * 1000);

export function job(spec: Partial<JobSpec> = {}, status: JobStatus = {}): Job {
  const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'main' }] } };
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'pi', namespace: 'default', uid: 'u' },
    spec: { template, parallelism: 1, completions: 1, backoffLimit: 6, ...spec },
    status: { startTime: at(0), ...status },
  };
}

export interface PodShape {
  readonly phase?: string;
  readonly index?: number;
  readonly code?: number;
  readonly ended?: number;
  readonly deleted?: boolean;
  readonly counted?: boolean;
  readonly restarts?: number;
  readonly failures?: number;
}

export function pod(name: string, shape: PodShape = {}): Pod {
  const { phase = 'Running', index, code, ended = 0, failures } = shape;
  const state = code === undefined ? {} : { terminated: { exitCode: code, finishedAt: at(ended) } };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'default',
      uid: name,
      creationTimestamp: at(ended),
      ...(shape.counted ? {} : { finalizers: [trackingFinalizer] }),
      ...(shape.deleted ? { deletionTimestamp: at(0) } : {}),
      annotations: {
        ...(index === undefined ? {} : { [indexAnnotation]: String(index) }),
        ...(failures === undefined ? {} : { [indexFailuresAnnotation]: String(failures) }),
      },
    },
    spec: { containers: [] },
    status: {
      phase,
      ...(code === undefined && shape.restarts === undefined
        ? {}
        : { containerStatuses: [{ name: 'main', image: '', imageID: '', ready: false, restartCount: shape.restarts ?? 0, state }] }),
    },
  };
}

export const failed = (name: string, more: PodShape = {}): Pod => pod(name, { phase: 'Failed', code: 1, ended: -1000, ...more });
export const indexed = { completionMode: 'Indexed', completions: 3, parallelism: 3 } as const;
