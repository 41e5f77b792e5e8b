/** What a KubeSchedulerConfiguration says to the process of a scheduler: flags in its place, and profiles. */
import { readFile } from 'node:fs/promises';
import { KnownError, messageOf } from '../../errors/known-error.ts';
import type { Log } from '../../observability/log.ts';
import { configKind, idleFields, type KubeSchedulerConfiguration, readSchedulerConfiguration } from '../../scheduler/config/config.ts';
import { profilesOf } from '../../scheduler/config/profiles.ts';
import type { Profile } from '../../scheduler/profile.ts';
import type { FlagReader, FlagValues } from '../flag-reader.ts';

async function readConfiguration(path: string): Promise<KubeSchedulerConfiguration> {
  const text = await readFile(path, 'utf8').catch((err: unknown) => {
    throw new KnownError('BAD_CONFIG', `Cannot read --config="${path}": ${messageOf(err)}`, { hint: `Give a ${configKind}`, cause: err });
  });
  return readSchedulerConfiguration(text);
}

/** Where the file says something that flags say, too: its kubeconfig is taken, and its leader election where no flag was given. */
export async function flagsOfFile(read: FlagReader<'config'>, given: readonly string[], log: Log): Promise<FlagValues> {
  const path = read.optional('config');
  if (path === undefined) return {};
  const configuration = await readConfiguration(path);
  for (const line of idleFields(configuration)) log.info(line);
  const { leaderElection = {}, clientConnection } = configuration;
  const elects: FlagValues = {
    'leader-elect': leaderElection.leaderElect,
    'leader-elect-lease-duration': leaderElection.leaseDuration,
    'leader-elect-renew-deadline': leaderElection.renewDeadline,
    'leader-elect-retry-period': leaderElection.retryPeriod,
    'leader-elect-resource-name': leaderElection.resourceName,
    'leader-elect-resource-namespace': leaderElection.resourceNamespace,
  };
  const found = Object.entries(elects).filter(([flag, value]) => value !== undefined && value !== '' && !given.includes(flag));
  const { kubeconfig } = clientConnection ?? {};
  return { ...Object.fromEntries(found), ...(kubeconfig ? { kubeconfig } : {}) };
}

export interface Scheduling {
  readonly profiles?: readonly Profile[];
  readonly podBackOff?: { readonly durationMs: number; readonly capMs: number };
}

/** Throws BAD_CONFIG. */
export async function schedulingOf(path: string | undefined): Promise<Scheduling> {
  if (path === undefined) return {};
  const configuration = await readConfiguration(path);
  const { podInitialBackoffSeconds: first = 1, podMaxBackoffSeconds: most = 10 } = configuration;
  return { profiles: profilesOf(configuration), podBackOff: { durationMs: first * 1000, capMs: most * 1000 } };
}
