/** `fairlead lab kubeconfig`. */
import { type Command, defineCommand, switchFlag } from '../../cli/command.ts';
import { standardProgress } from '../../cli/progress.ts';
import { systemClock } from '../../clock/clock.ts';
import { detachedHint } from '../plan.ts';
import { requireRoot } from '../state.ts';
import { existingLab, locked, nameOption } from './find-lab.ts';

export const kubeconfig: Command = defineCommand({
  name: 'kubeconfig',
  summary: "print a lab's kubeconfig, or add it to your own",
  examples: [
    'fairlead lab kubeconfig > lab.conf # a file of its own',
    'fairlead lab kubeconfig --merge # context "fairlead-lab" in ~/.kube/config (or where KUBECONFIG says), until the lab ends',
  ],
  options: {
    name: nameOption,
    merge: switchFlag('Add it to your kubeconfig and make it the current context'),
  },
  async run({ values }) {
    requireRoot('read the keys of a lab');
    const { plan } = await existingLab(values.name);
    const progress = standardProgress(systemClock);
    if (!plan.options.attach) progress.note(detachedHint(plan.options));
    if (!values.merge) {
      const { readFile } = await import('node:fs/promises');
      process.stdout.write(await readFile(plan.kubeconfig, 'utf8'));
      return 0;
    }
    const { callingPerson, mergeForPerson, personalKubeconfig } = await import('../kubeconfig/user-kubeconfig.ts');
    const person = await callingPerson(process.env);
    const path = personalKubeconfig(person, process.env, plan);
    const context = await locked(values.name, () => mergeForPerson(plan, path, person));
    progress.note(`Context "${context}" is the current one of ${path} until "fairlead lab down" takes it out`);
    return 0;
  },
});
