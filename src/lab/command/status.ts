/** `fairlead lab status`. */
import { type Command, defineCommand } from '../../cli/command.ts';
import { outputFormat, outputOption } from '../../cli/output.ts';
import { requireRoot } from '../state.ts';
import { existingLab, labContext, nameOption } from './find-lab.ts';

export const status: Command = defineCommand({
  name: 'status',
  summary: 'show what there is of a lab: nodes, network, DNS (exit code 1 when something is missing)',
  examples: ['fairlead lab status -o wide # also processes and logs', 'fairlead lab status -o json | jq -r .kubeconfig'],
  options: { name: nameOption, output: outputOption },
  async run({ values }) {
    requireRoot('look into a lab');
    const { labStatus } = await import('../status.ts');
    const { plan, state } = await existingLab(values.name);
    const { text, healthy } = await labStatus(await labContext(), plan, state, outputFormat(values.output));
    process.stdout.write(text);
    return healthy ? 0 : 1;
  },
});
