/** `fairlead lab logs`. */
import { type Command, defineCommand, textFlag } from '../../cli/command.ts';
import { systemClock } from '../../clock/clock.ts';
import { KnownError } from '../../errors/known-error.ts';
import { logParts, logSources } from '../logs/sources.ts';
import { requireRoot } from '../state.ts';
import { existingLab, nameOption } from './find-lab.ts';

export const logs: Command = defineCommand({
  name: 'logs',
  summary: 'show what the parts of a lab say',
  usage: '[NODE] [PART]',
  completes: { words: [...['control-plane', 'worker-1', 'worker-2', 'relay', 'balancer'], ...logParts] },
  examples: [
    'fairlead lab logs -f # everything, as it comes',
    'fairlead lab logs worker-1 proxy # one part of one node',
    'fairlead lab logs dns --tail 20 # one part on every node',
    'fairlead lab logs relay # why an image cannot be pulled',
  ],
  options: {
    name: nameOption,
    follow: { type: 'boolean', short: 'f', default: false, help: 'Go on with what comes' },
    tail: textFlag('N', 'Only the last N lines of what there is'),
  },
  async run({ values, positionals, signal }) {
    requireRoot('read the logs of a lab');
    const [where, part, stray] = positionals;
    if (stray !== undefined)
      throw new KnownError('USAGE', `Cannot show logs of "${stray}": one node and one part is all it takes`, {
        hint: 'fairlead lab logs worker-1 agent',
      });
    if (values.tail !== undefined && !/^\d+$/.test(values.tail))
      throw new KnownError('USAGE', `Cannot use --tail="${values.tail}": it is no number`, { hint: 'fairlead lab logs --tail 100' });
    const { showLogs } = await import('../logs/show-logs.ts');
    const { plan } = await existingLab(values.name);
    await showLogs(logSources(plan, where, part), {
      clock: systemClock,
      write: (text) => process.stdout.write(text),
      tail: values.tail === undefined ? undefined : Number(values.tail),
      follow: values.follow,
      signal,
    });
    return signal.aborted ? 130 : 0;
  },
});
