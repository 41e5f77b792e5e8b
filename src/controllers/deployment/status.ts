/** What a Deployment's status becomes, and when its progress deadline runs out: pure. Words follow upstream's progress.go and sync.go. */
import type { Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet } from '../../api/schema/types.ts';
import { timestamp } from '../../clock/timestamp.ts';
import { since } from '../ownership/conditions.ts';
import { available, boundsOf, type Rollout, size, sum } from './desired.ts';

export function isComplete(deployment: Deployment, status: DeploymentStatus): boolean {
  const replicas = deployment.spec?.replicas ?? 1;
  return (
    (status.updatedReplicas ?? 0) === replicas &&
    (status.replicas ?? 0) === replicas &&
    (status.availableReplicas ?? 0) === replicas &&
    (status.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0)
  );
}

export interface StatusPlan {
  readonly status: DeploymentStatus;
  /** When the progress deadline runs out, in ms. */
  readonly lookAgainIn: number | undefined;
}

type Value = 'True' | 'False' | 'Unknown';

/** What a condition says; `renew`: that it was so again just now. */
type Said = readonly [type: string, status: Value, reason: string, message: string, renew?: boolean];

/** The conditions, with what is said now in its place. One that says the same stays as it is. */
function say(conditions: readonly DeploymentCondition[], now: number, said: Said): readonly DeploymentCondition[] {
  const [type, status, reason, message, renew = false] = said;
  const was = conditions.find((c) => c.type === type);
  if (was?.status === status && was.reason === reason && !renew) return conditions;
  const next = since(conditions, { type, status, lastUpdateTime: timestamp(now), reason, message }, now);
  return was ? conditions.map((c) => (c === was ? next : c)) : [...conditions, next];
}

export function deploymentStatus(rollout: Rollout, now: number): StatusPlan {
  const { deployment, fresh, old } = rollout;
  const owned = fresh ? [fresh, ...old] : old;
  const status = countsOf(deployment, fresh, owned);
  const isAvailable = (status.availableReplicas ?? 0) >= (deployment.spec?.replicas ?? 1) - boundsOf(deployment).maxUnavailable;
  const failure = owned.flatMap((rs) => rs.status?.conditions ?? []).find((c) => c.type === 'ReplicaFailure');
  const before = (deployment.status?.conditions ?? []).filter((c) => failure || c.type !== 'ReplicaFailure');
  const was = before.find((c) => c.type === 'Progressing');
  const progress = progressOf({ ...rollout, status, was, now });
  const said: Said[] = [isAvailable ? hasMinimum : lacksMinimum];
  if (failure) said.push(['ReplicaFailure', 'True', failure.reason ?? '', failure.message ?? '']);
  if (progress.news) said.push(['Progressing', ...progress.news]);
  const conditions = said.reduce((all, one) => say(all, now, one), before as readonly DeploymentCondition[]);
  return { status: { ...status, conditions: [...conditions] }, lookAgainIn: progress.lookAgainIn };
}

const hasMinimum: Said = ['Available', 'True', 'MinimumReplicasAvailable', 'Deployment has minimum availability.'];
const lacksMinimum: Said = ['Available', 'False', 'MinimumReplicasUnavailable', 'Deployment does not have minimum availability.'];

function countsOf(deployment: Deployment, fresh: ReplicaSet | undefined, owned: readonly ReplicaSet[]): DeploymentStatus {
  const availableReplicas = sum(owned, available);
  return {
    observedGeneration: deployment.metadata.generation,
    replicas: sum(owned, (rs) => rs.status?.replicas ?? 0),
    updatedReplicas: fresh?.status?.replicas ?? 0,
    readyReplicas: sum(owned, (rs) => rs.status?.readyReplicas ?? 0),
    availableReplicas,
    unavailableReplicas: Math.max(sum(owned, size) - availableReplicas, 0),
    collisionCount: deployment.status?.collisionCount,
  };
}

interface Standing extends Rollout {
  readonly status: DeploymentStatus;
  /** The condition until now. */
  readonly was: DeploymentCondition | undefined;
  readonly now: number;
}

interface Progress {
  /** What the condition says now; absent: what it said. */
  readonly news?: readonly [status: Value, reason: string, message: string, renew?: boolean];
  readonly lookAgainIn?: number;
}

/** Upstream's way to say that there is no deadline, then nothing is said about progress. */
const noDeadline = 2 ** 31 - 1;

function progressOf(rollout: Standing): Progress {
  const { deployment, fresh, was } = rollout;
  const { progressDeadlineSeconds: deadline = noDeadline, paused } = deployment.spec ?? {};
  if (deadline === noDeadline) return {};
  if (paused) {
    // That it got stuck before it was paused stays to be seen.
    return was?.reason === 'ProgressDeadlineExceeded' ? {} : { news: ['Unknown', 'DeploymentPaused', 'Deployment is paused'] };
  }
  if (was?.reason === 'DeploymentPaused') return { news: ['Unknown', 'DeploymentResumed', 'Deployment is resumed'] };
  return fresh ? rolloutProgress(rollout, fresh.metadata.name, deadline * 1000) : {};
}

function rolloutProgress({ deployment, status, isNew, was, now }: Standing, name: string, deadlineMs: number): Progress {
  if (isNew) return { news: ['True', 'NewReplicaSetCreated', `Created new replica set "${name}"`, true], lookAgainIn: deadlineMs };
  if (!was) return { news: ['True', 'FoundNewReplicaSet', `Found new replica set "${name}"`, true], lookAgainIn: deadlineMs };
  // A rollout that was finished once is neither under way again nor late because a pod died later.
  const wasFinished = was.reason === 'NewReplicaSetAvailable';
  if (wasFinished && status.replicas === status.updatedReplicas) return {};
  if (isComplete(deployment, status))
    return { news: ['True', 'NewReplicaSetAvailable', `ReplicaSet "${name}" has successfully progressed.`] };
  if (hasMoved(status, deployment.status ?? {}))
    return { news: ['True', 'ReplicaSetUpdated', `ReplicaSet "${name}" is progressing.`, true], lookAgainIn: deadlineMs };
  if (wasFinished || was.reason === 'ProgressDeadlineExceeded') return {};
  const left = (Date.parse(was.lastUpdateTime ?? '') || now) + deadlineMs - now;
  return left > 0
    ? { lookAgainIn: left }
    : { news: ['False', 'ProgressDeadlineExceeded', `ReplicaSet "${name}" has timed out progressing.`] };
}

/** More new pods, fewer old ones, more that serve. */
function hasMoved(status: DeploymentStatus, before: DeploymentStatus): boolean {
  const outdated = ({ replicas = 0, updatedReplicas = 0 }: DeploymentStatus): number => replicas - updatedReplicas;
  return (
    (status.updatedReplicas ?? 0) > (before.updatedReplicas ?? 0) ||
    outdated(status) < outdated(before) ||
    (status.readyReplicas ?? 0) > (before.readyReplicas ?? 0) ||
    (status.availableReplicas ?? 0) > (before.availableReplicas ?? 0)
  );
}
