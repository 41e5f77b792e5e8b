/** `fairlead lab tour`. */
import { type Command, defineCommand, switchFlag } from '../../cli/command.ts';
import { requireRoot } from '../state.ts';
import { existingLab, labContext, nameOption } from './find-lab.ts';

export const tour: Command = defineCommand({
  name: 'tour',
  summary: 'show Services, DNS, scaling, logs and exec at work, without kubectl',
  options: { name: nameOption, keep: switchFlag('Leave the objects of the tour in the cluster') },
  async run({ values, signal }) {
    requireRoot('enter nodes');
    const { labTour } = await import('../tour/tour.ts');
    const { plan, state } = await existingLab(values.name);
    return await labTour(await labContext(), plan, state, { keep: values.keep, signal });
  },
});
