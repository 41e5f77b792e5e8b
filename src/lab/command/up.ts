/** `fairlead lab up`: starts a lab, or what is missing of one, and refuses to change what it cannot. */
import { type Command, defineCommand, textFlag } from '../../cli/command.ts';
import { KnownError, messageOf } from '../../errors/known-error.ts';
import type { LabContext } from '../down.ts';
import { labFlags } from '../lab-flags.ts';
import { defaultLabOptions, type LabOptions } from '../lab-options.ts';
import { detachedHint, type LabPlan, planLab } from '../plan.ts';
import { type LabState, readLabState, requireRoot } from '../state.ts';
import { labContext, locked, nameOption } from './find-lab.ts';

/** `podCidr` → `--pod-cidr`. */
function flagOf(option: string): string {
  return `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

async function refuseChanges(lab: LabContext, state: LabState, options: LabOptions): Promise<void> {
  const { changedOptions } = await import('../up.ts');
  const { isGone, surveyLab } = await import('../survey.ts');
  const survey = await surveyLab(lab, planLab(state.options), state);
  const changed = changedOptions(state.options, options, !survey.rebooted && !isGone(survey));
  if (changed.length === 0) return;
  const why = isGone(survey) ? 'its objects and keys depend on it' : 'it is running';
  throw new KnownError('BAD_CONFIG', `Cannot change ${changed.map(flagOf).join(', ')} of lab "${options.name}": ${why}`, {
    hint: `End it first: fairlead lab down --name ${options.name}`,
  });
}

/** Whoever interrupts the first start of a lab wants none. */
async function takeAway(lab: LabContext, plan: LabPlan): Promise<void> {
  const { labDown } = await import('../down.ts');
  try {
    await labDown(lab, plan, await readLabState(plan.dir), false);
  } catch (err) {
    const { name } = plan.options;
    lab.progress.warn(`Something is left of lab "${name}": ${messageOf(err)}; end it with "fairlead lab down --name ${name}"`);
  }
}

export const up: Command = defineCommand({
  name: 'up',
  summary: 'start a lab, or what is missing of it',
  examples: [
    'fairlead lab up # the lab "lab", reached from this machine',
    'fairlead lab up --workers 3 # another worker joins',
    'fairlead lab up --control-planes 3 --store etcd # one of the control planes may die',
    'fairlead lab up --name two # one beside it, with ranges of its own',
  ],
  interrupted: 'a lab that was being made is gone again; what was there before is still there, and the same command goes on',
  options: {
    ...labFlags,
    name: nameOption,
    timeout: textFlag('SECONDS', 'How long each step may take', '180'),
  },
  async run({ values, signal }) {
    requireRoot('start a lab');
    const { changeOptions, givenRanges } = await import('../change-options.ts');
    const { labUp } = await import('../up.ts');
    const { reserveLab } = await import('../reserve.ts');
    const { requireProxyKernel } = await import('../kernel.ts');
    const { requireProxyTools, requireStoreProgram } = await import('../tools.ts');
    const { stores } = await import('../store/stores.ts');
    const timeoutMs = Number(values.timeout) * 1000;
    if (!(timeoutMs > 0))
      throw new KnownError('USAGE', `Cannot use --timeout="${values.timeout}": it is no number of seconds`, {
        hint: 'fairlead lab up --timeout 300',
      });
    const lab = await labContext();
    const dir = planLab({ ...defaultLabOptions, name: values.name }).dir;
    const plan = await locked(values.name, async () => {
      const state = await readLabState(dir);
      const options = changeOptions(state?.options ?? { ...defaultLabOptions, name: values.name }, values);
      await requireProxyTools(options.proxyMode);
      await requireProxyKernel(options.proxyMode);
      const { store } = planLab(options);
      await requireStoreProgram(store, stores[store].program);
      const wanted = state ? planLab(options) : await reserveLab(lab, options, givenRanges(values));
      if (state) await refuseChanges(lab, state, options);
      const { SUDO_UID, SUDO_GID } = process.env;
      const owner = SUDO_UID === undefined ? undefined : { uid: Number(SUDO_UID), gid: Number(SUDO_GID ?? SUDO_UID) };
      try {
        await labUp(lab, wanted, state, { timeoutMs, signal, owner });
      } catch (err) {
        if (signal.aborted && !state) await takeAway(lab, wanted);
        throw err;
      }
      return wanted;
    });
    lab.progress.note(`Lab "${plan.options.name}" is ready after ${lab.progress.seconds}`);
    if (!plan.options.attach) lab.progress.note(detachedHint(plan.options));
    if (!plan.options.bare) process.stdout.write(`export KUBECONFIG=${plan.kubeconfig}\n`);
    return 0;
  },
});
