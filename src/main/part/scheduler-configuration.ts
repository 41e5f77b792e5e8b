/** What a KubeSchedulerConfiguration says to the process of a scheduler: flags in its place, and profiles. */
import { readFile } from 'node:fs/promises';
import { badConfig } from '../../api/configuration-fields.ts';
import { KnownError, messageOf } from '../../errors/known-error.ts';
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
export async function flagsOfFile(read: FlagReader<'config'>, given: readonly string[]): Promise<FlagValues> {
  const path = read.optional('config');
  if (path === undefined) return {};
  const { leaderElection = {}, clientConnection } = await readConfiguration(path);
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
  /** What of the file has no effect. */
  readonly idle: readonly string[];
}

/** `isAlone`: the scheduler is all of its process, which else has flags for what leads and as whom. Throws BAD_CONFIG. */
export async function schedulingOf(path: string | undefined, isAlone: boolean): Promise<Scheduling> {
  if (path === undefined) return { idle: [] };
  const configuration = await readConfiguration(path);
  for (const field of ['leaderElection', 'clientConnection'] as const)
    if (!isAlone && configuration[field] !== undefined)
      throw badConfig(
        `"${field}"`,
        'the scheduler is one of several parts of this process',
        'Take it out; flags of the process say the same',
      );
  const { podInitialBackoffSeconds: first = 1, podMaxBackoffSeconds: most = 10 } = configuration;
  const podBackOff = { durationMs: first * 1000, capMs: most * 1000 };
  return { profiles: profilesOf(configuration), podBackOff, idle: idleFields(configuration) };
}
