/** Pods and runtime states for tests. */
import type { Container, Pod, PodSpec } from '../../api/schema/types.ts';
import { type ContainerRecord, newestFirst, type PodRuntime, type SandboxRecord } from '../pod/pod-runtime.ts';
import { containerHash } from '../pod/spec.ts';

export const testNow: number = Date.UTC(2026, 0, 1);

export function samplePod(spec: Partial<PodSpec> = {}, metadata: Partial<Pod['metadata']> = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'default', uid: 'u1', ...metadata },
    spec: { restartPolicy: 'Always', containers: [{ name: 'main', image: 'box:1' }], ...spec },
    status: { phase: 'Pending' },
  };
}

export function sampleSandbox(fields: Partial<SandboxRecord> = {}): SandboxRecord {
  return { id: 's0', attempt: 0, ready: true, createdAt: testNow, hostNetwork: false, ips: ['10.244.1.2'], ...fields };
}

export function sampleContainer(fields: Partial<ContainerRecord> = {}): ContainerRecord {
  const name = fields.name ?? 'main';
  return {
    id: `${name}-${fields.restartCount ?? 0}`,
    name,
    sandboxId: 's0',
    state: 'running',
    createdAt: testNow + 1 + (fields.restartCount ?? 0),
    startedAt: testNow + 2,
    finishedAt: fields.state === 'exited' ? testNow + 5000 : 0,
    exitCode: 0,
    reason: fields.state === 'exited' ? (fields.exitCode ? 'Error' : 'Completed') : '',
    message: '',
    image: 'box:1',
    imageRef: 'sha256:1',
    restartCount: 0,
    hash: containerHash({ name, image: 'box:1' } as Container),
    resources: undefined,
    logPath: '',
    ...fields,
  };
}

export function sampleRuntime(
  containers: readonly ContainerRecord[] = [],
  sandboxes: readonly SandboxRecord[] = [sampleSandbox()],
): PodRuntime {
  return {
    runtimeName: 'cri-o',
    uid: 'u1',
    name: 'web',
    namespace: 'default',
    sandboxes: newestFirst(sandboxes),
    containers: newestFirst(containers),
  };
}
