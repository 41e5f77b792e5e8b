/** Leader election around a part: of several processes with it one does the work, the others wait for its Lease. */
import { hostname } from 'node:os';
import { switchFlag, textFlag } from '../../cli/command.ts';
import type { LeaderElectionOptions } from '../../client/leader-election.ts';
import { KnownError } from '../../errors/known-error.ts';
import type { FlagReader } from '../flag-reader.ts';
import { kubeconfig } from './cluster-flags.ts';
import { definePart, type Part, type PartFlags } from './part.ts';

const leaseNamespace = 'kube-system';
const lastWordsMs = 1_000;

/** Upstream's names and values. */
function electionFlags(leaseName: string) {
  return {
    'leader-elect': switchFlag('work only while this process holds the Lease, of all that run this part', true),
    'leader-elect-lease-duration': textFlag(
      'DURATION',
      'how long the others wait after the last renewal of the Lease before one takes it',
      '15s',
    ),
    'leader-elect-renew-deadline': textFlag('DURATION', 'the leader stops when it could not renew the Lease for so long', '10s'),
    'leader-elect-retry-period': textFlag('DURATION', 'between two attempts to take or renew it', '2s'),
    'leader-elect-resource-lock': {
      ...{ type: 'string', default: 'leases', choices: ['leases'], help: 'what kind of object is held' },
      among: false,
    },
    'leader-elect-resource-name': { ...textFlag('NAME', 'name of the Lease', leaseName), among: false },
    'leader-elect-resource-namespace': { ...textFlag('NAME', 'namespace of the Lease', leaseNamespace), among: false },
  } as const satisfies PartFlags;
}

type Election = Omit<LeaderElectionOptions, 'client' | 'clock' | 'log' | 'recorder'>;
type Read = FlagReader<keyof ReturnType<typeof electionFlags>>;

/** Undefined when there is none. The bounds are client-go's. Throws USAGE. */
function electionOf(read: Read, leaseName: string): Election | undefined {
  if (read.given('leader-elect') !== 'true') return undefined;
  const leaseDurationMs = 1000 * read.seconds('leader-elect-lease-duration', 1, 86_400);
  const renewDeadlineMs = 1000 * read.seconds('leader-elect-renew-deadline', 1, 86_400);
  const retryPeriodMs = 1000 * read.seconds('leader-elect-retry-period', 1, 86_400);
  if (retryPeriodMs > 0 && leaseDurationMs > renewDeadlineMs && renewDeadlineMs > 1.2 * retryPeriodMs)
    return {
      namespace: read.optional('leader-elect-resource-namespace') ?? leaseNamespace,
      name: read.optional('leader-elect-resource-name') ?? leaseName,
      identity: `${hostname()}_${crypto.randomUUID()}`,
      leaseDurationMs,
      renewDeadlineMs,
      retryPeriodMs,
    };
  throw new KnownError('USAGE', 'Cannot use these times of leader election: each must leave room for the next', {
    hint: 'Give a --leader-elect-lease-duration above the renew deadline, and a --leader-elect-renew-deadline above 1.2 retry periods',
  });
}

/** `part` under the Lease `leaseName`, unless --leader-elect is off. `component`: who tells of it in Events. */
export function led(part: Part, leaseName: string, component: string = leaseName): Part {
  return definePart({
    name: part.name,
    flags: { kubeconfig, ...part.flags, ...electionFlags(leaseName) },
    async config(read: FlagReader, setting) {
      // What is wrong with the part's own settings is told now, not when its turn comes.
      return { election: electionOf(read, leaseName), own: await part.config(read, setting), read, setting };
    },
    async start({ election, own, read, setting }, context) {
      if (election === undefined) return await part.start(own, context);
      const [{ LeaderElector }, { EventRecorder }, { Terms }, { partClient }] = await Promise.all([
        import('../../client/leader-election.ts'),
        import('../../client/event-recorder.ts'),
        import('./terms.ts'),
        import('./part-client.ts'),
      ]);
      const { clock, log } = context;
      const client = await partClient(part.name, read, setting);
      const recorder = new EventRecorder({ client, component, clock, log });
      const elector = new LeaderElector({ ...election, client, clock, log, recorder });
      const terms = new Terms({ part, flags: read, setting, elector, context });
      return {
        ready: Promise.resolve(`Takes part in the election of "${election.namespace}/${election.name}" as ${election.identity}`),
        stopped: terms
          .run()
          // What it told last is on its way.
          .finally(() => Promise.race([recorder.flush(), clock.sleep(lastWordsMs)]))
          .finally(() => client.close()),
        leads: () => [election.name, elector.isLeader],
        gauges: () => terms.gauges(),
        health: () => terms.health(),
      };
    },
  });
}
