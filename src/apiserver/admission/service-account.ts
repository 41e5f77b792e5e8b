/** Every pod runs as a ServiceAccount and, unless it does not want to, finds its token in a projected volume. */
import { randomInt } from 'node:crypto';
import { generateName } from '../../api/registry/generate-name.ts';
import { pods, serviceAccounts } from '../../api/resource-types.ts';
import type { Container, Pod, PodSpec, ServiceAccount, Volume } from '../../api/schema/types.ts';
import { mirrorPodAnnotationKey } from '../../api/well-known.ts';
import type { Clock } from '../../clock/clock.ts';
import type { Lookup } from '../cache/lookup.ts';
import { type AdmissionPlugin, type AdmissionRequest, isWriteOf, refused } from './admission.ts';

const mountPath = '/var/run/secrets/kubernetes.io/serviceaccount';
const volumePrefix = 'kube-api-access-';
/** A little over an hour: the kubelet renews at 80 %, and older clients that read the file once an hour still find a valid one. */
const tokenSeconds = 3607;
/** The controller makes the `default` account of a new namespace a moment after the namespace: a pod may be faster. */
const attempts = 10;
const attemptMs = 100;

export function serviceAccountAdmission(lookup: Lookup, clock: Clock): AdmissionPlugin {
  return {
    mutate: async (request) => {
      if (request.operation !== 'CREATE' || !isWriteOf(request, pods)) return;
      const pod = request.object as Pod;
      // A mirror of what a kubelet runs already: it has no account, and NodeRestriction sees to it that it asks for none.
      if (pod.metadata.annotations?.[mirrorPodAnnotationKey] !== undefined || !pod.spec) return;
      const { spec } = pod;
      spec.serviceAccountName ||= spec.serviceAccount || 'default';
      spec.serviceAccount = spec.serviceAccountName;
      const account = await accountOf(lookup, clock, request, spec.serviceAccountName);
      if (!spec.imagePullSecrets?.length && account.imagePullSecrets?.length)
        spec.imagePullSecrets = account.imagePullSecrets.map((s) => ({ ...s }));
      if (spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true) mountToken(spec);
    },
  };
}

async function accountOf(lookup: Lookup, clock: Clock, request: AdmissionRequest, name: string): Promise<ServiceAccount> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    if (attempt > 0) await clock.sleep(attemptMs);
    const found = await lookup.find(serviceAccounts, name, request.namespace);
    if (found) return found;
  }
  throw refused(request, `error looking up service account ${request.namespace}/${name}: serviceaccount ${JSON.stringify(name)} not found`);
}

/** Runs before validation: what a pod must have may be missing. */
function mountToken(spec: Partial<PodSpec>): void {
  const existing = spec.volumes?.find((v: Partial<Volume>) => v.name?.startsWith(volumePrefix));
  const name = existing?.name ?? generateName(volumePrefix, (below) => randomInt(below));
  let used = false;
  for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? [])]) used = mountIn(container, name) || used;
  if (used && !existing) spec.volumes = [...(spec.volumes ?? []), tokenVolume(name)];
}

/** A container that brings something of its own at the path keeps it. */
function mountIn(container: Container, name: string): boolean {
  if (container.volumeMounts?.some((m) => m.mountPath === mountPath)) return false;
  container.volumeMounts = [...(container.volumeMounts ?? []), { name, readOnly: true, mountPath }];
  return true;
}

function tokenVolume(name: string): Volume {
  return {
    name,
    projected: {
      sources: [
        { serviceAccountToken: { expirationSeconds: tokenSeconds, path: 'token' } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        { downwardAPI: { items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }] } },
      ],
      defaultMode: 0o644,
    },
  };
}
