/** `fairlead lab down`. */
import { type Command, defineCommand, switchFlag } from '../../cli/command.ts';
import { KnownError } from '../../errors/known-error.ts';
import { defaultLabName, defaultLabOptions } from '../lab-options.ts';
import { planLab } from '../plan.ts';
import { readLabState, requireRoot } from '../state.ts';
import { labContext, locked, nameOption, otherLabs } from './find-lab.ts';

export const down: Command = defineCommand({
  name: 'down',
  summary: 'end a lab with all its objects, and leave nothing behind',
  examples: ['fairlead lab down', 'fairlead lab down --keep # what you created is there again after the next "lab up"'],
  options: {
    name: nameOption,
    keep: switchFlag('Keep what you created in the cluster, and its keys, for the next "lab up"'),
  },
  async run({ values }) {
    requireRoot('end a lab');
    const { labDown } = await import('../down.ts');
    const lab = await labContext();
    await locked(values.name, async () => {
      const fallback = planLab({ ...defaultLabOptions, name: values.name });
      const state = await readLabState(fallback.dir);
      if (await labDown(lab, state ? planLab(state.options) : fallback, state, values.keep)) return;
      const others = await otherLabs(values.name);
      // To end what has ended is no error, but a name that somebody typed is meant to be somebody's.
      if (others === undefined && values.name === defaultLabName) lab.progress.note('There was no lab to end');
      else
        throw new KnownError('LAB_NOT_RUNNING', `Cannot end lab "${values.name}": there is no such lab`, {
          hint: others ?? 'There is no lab on this machine',
        });
    });
    return 0;
  },
});
