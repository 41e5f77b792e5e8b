import { join } from 'node:path';
import { type Command, defineCommand, type OptionSpec } from '../cli/command.ts';
import { outputFormat, outputOption } from '../cli/output.ts';
import { standardProgress } from '../cli/progress.ts';
import { systemClock } from '../clock/clock.ts';
import { isKnownError, KnownError } from '../errors/known-error.ts';
import { systemExec } from '../linux/exec.ts';
import type { LabContext } from './down.ts';
import { changeOptions, labFlags } from './lab-flags.ts';
import { defaultLabName, defaultLabOptions, type LabOptions, type LabPlan, planLab, stateRoot } from './plan.ts';
import { type LabState, labNames, makeThoroughfare, readState, requireRoot } from './state.ts';
import { findTools } from './tools.ts';

const nameOption = {
  type: 'string',
  default: defaultLabName,
  value: 'NAME',
  help: 'Which lab',
} as const satisfies OptionSpec;

async function context(): Promise<LabContext> {
  return { exec: systemExec, clock: systemClock, tools: await findTools(), progress: standardProgress(systemClock) };
}

async function locked<T>(name: string, run: () => Promise<T>): Promise<T> {
  await makeThoroughfare(stateRoot);
  const dir = join(stateRoot, '.locks', name);
  const { lockDirectory } = await import('../linux/lock.ts');
  let unlock: () => void;
  try {
    unlock = lockDirectory(dir);
  } catch (err) {
    if (!isKnownError(err, 'STATE_IN_USE')) throw err;
    throw new KnownError('LAB_BUSY', `Cannot change lab "${name}": another command is at work on it`, {
      hint: 'Wait for the other "fairlead lab" command to end',
      cause: err,
    });
  }
  try {
    return await run();
  } finally {
    unlock();
  }
}

/** The plan and record of a lab that exists. Throws LAB_NOT_RUNNING. */
async function existing(name: string): Promise<{ plan: LabPlan; state: LabState }> {
  const state = await readState(planLab({ ...defaultLabOptions, name }).dir);
  if (!state) {
    const names = await labNames();
    if (names.includes(name))
      throw new KnownError('LAB_NOT_RUNNING', `Cannot read the record of lab "${name}": its start was not finished`, {
        hint: `Start it again: fairlead lab up --name ${name}, or end it: fairlead lab down --name ${name}`,
      });
    const others = names.filter((n) => n !== name);
    const known = others.length > 0 ? `Known labs: ${others.join(', ')}; choose with --name` : 'Start one: npm start, or fairlead lab up';
    throw new KnownError('LAB_NOT_RUNNING', `Cannot find lab "${name}": it was not started`, { hint: known });
  }
  return { plan: planLab(state.options), state };
}

/** `podCidr` → `--pod-cidr`. */
function flagOf(option: string): string {
  return `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

async function refuseChanges(lab: LabContext, state: LabState, options: LabOptions): Promise<void> {
  const { changedOptions } = await import('./up.ts');
  const { isGone, surveyLab } = await import('./survey.ts');
  const { readHierarchies } = await import('./cgroups.ts');
  const survey = await surveyLab(lab.exec, lab.tools, await readHierarchies(), planLab(state.options), state);
  const changed = changedOptions(state.options, options, !survey.rebooted && !isGone(survey));
  if (changed.length === 0) return;
  const why = isGone(survey) ? 'its objects and keys depend on it' : 'it is running';
  throw new KnownError('BAD_CONFIG', `Cannot change ${changed.map(flagOf).join(', ')} of lab "${options.name}": ${why}`, {
    hint: `End it first: fairlead lab down --name ${options.name}`,
  });
}

const up = defineCommand({
  name: 'up',
  summary: 'start a lab, or what is missing of it',
  examples: [
    'fairlead lab up # the lab "lab", reached from this machine',
    'fairlead lab up --workers 3 # another worker joins',
    'fairlead lab up --name two --underlay 192.168.121.0/24 --pod-cidr 10.245.0.0/16 --service-cidr 10.97.0.0/16 # one beside it',
  ],
  interrupted: 'what has been started is still there; "fairlead lab up" goes on, "fairlead lab down" ends it',
  options: {
    ...labFlags,
    name: nameOption,
    timeout: { type: 'string', default: '180', value: 'SECONDS', help: 'How long each step may take' },
  },
  async run({ values, signal }) {
    requireRoot('start a lab');
    const { labUp } = await import('./up.ts');
    const timeoutMs = Number(values.timeout) * 1000;
    if (!(timeoutMs > 0)) throw new KnownError('USAGE', `Cannot use --timeout="${values.timeout}": it is no number of seconds`);
    const lab = await context();
    const dir = planLab({ ...defaultLabOptions, name: values.name }).dir;
    const plan = await locked(values.name, async () => {
      const state = await readState(dir);
      const options = changeOptions(state?.options ?? { ...defaultLabOptions, name: values.name }, values);
      const wanted = planLab(options);
      if (state) await refuseChanges(lab, state, options);
      const { SUDO_UID, SUDO_GID } = process.env;
      const owner = SUDO_UID === undefined ? undefined : { uid: Number(SUDO_UID), gid: Number(SUDO_GID ?? SUDO_UID) };
      await labUp(lab, wanted, state, { timeoutMs, signal, owner });
      return wanted;
    });
    lab.progress.note(`Lab "${plan.options.name}" is ready after ${lab.progress.seconds}`);
    process.stdout.write(`export KUBECONFIG=${plan.kubeconfig}\n`);
    return 0;
  },
});

const down = defineCommand({
  name: 'down',
  summary: 'end a lab with all its objects, and leave nothing behind',
  examples: ['fairlead lab down', 'fairlead lab down --keep # what you created is there again after the next "lab up"'],
  options: {
    name: nameOption,
    keep: { type: 'boolean', default: false, help: 'Keep what you created in the cluster, and its keys, for the next "lab up"' },
  },
  async run({ values }) {
    requireRoot('end a lab');
    const { labDown } = await import('./down.ts');
    const lab = await context();
    await locked(values.name, async () => {
      const fallback = planLab({ ...defaultLabOptions, name: values.name });
      const state = await readState(fallback.dir);
      await labDown(lab, state ? planLab(state.options) : fallback, state, values.keep);
    });
    return 0;
  },
});

const status = defineCommand({
  name: 'status',
  summary: 'show what there is of a lab: nodes, network, DNS (exit code 1 when something is missing)',
  examples: ['fairlead lab status -o wide # also processes and logs', 'fairlead lab status -o json | jq -r .kubeconfig'],
  options: { name: nameOption, output: outputOption },
  async run({ values }) {
    requireRoot('look into a lab');
    const { labStatus } = await import('./status.ts');
    const { plan, state } = await existing(values.name);
    const { text, healthy } = await labStatus(await context(), plan, state, outputFormat(values.output));
    process.stdout.write(text);
    return healthy ? 0 : 1;
  },
});

const exec = defineCommand({
  name: 'exec',
  summary: 'run a command on a node, or in the client namespace',
  usage: 'NODE [-- COMMAND…]',
  examples: [
    'fairlead lab exec worker-1 # a shell',
    'fairlead lab exec worker-1 -- nft list table ip kube-proxy',
    'fairlead lab exec control-plane -- kubectl get pods -A',
  ],
  options: { name: nameOption },
  async run({ values, positionals, rest }) {
    requireRoot('enter a node');
    const { labExec } = await import('./exec.ts');
    const [node, ...more] = positionals;
    if (node === undefined)
      throw new KnownError('USAGE', 'Cannot run a command: no node is named', { hint: 'fairlead lab exec worker-1 -- ip route' });
    if (more.length > 0)
      throw new KnownError('USAGE', `Cannot run "${more.join(' ')}" on "${node}": "--" must stand between node and command`, {
        hint: `fairlead lab exec ${node} -- ${[...more, ...rest].join(' ')}`,
      });
    const { plan, state } = await existing(values.name);
    return await labExec(await findTools(), plan, state, node, rest.length > 0 ? rest : ['sh']);
  },
});

const tour = defineCommand({
  name: 'tour',
  summary: 'show Services, DNS, scaling, logs and exec at work, without kubectl',
  options: { name: nameOption, keep: { type: 'boolean', default: false, help: 'Leave the objects of the tour in the cluster' } },
  async run({ values, signal }) {
    requireRoot('enter nodes');
    const { labTour } = await import('./tour/tour.ts');
    const { plan, state } = await existing(values.name);
    return await labTour(await context(), plan, state, { keep: values.keep, signal });
  },
});

/** `fairlead lab …`. */
export const labCommand: Command = {
  name: 'lab',
  summary: 'nodes as network namespaces on one machine',
  subcommands: [up, down, status, exec, tour],
};
