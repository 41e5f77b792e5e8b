/** `fairlead upgrade`. */
import { hostname } from 'node:os';
import { type Command, defineCommand, switchFlag } from '../cli/command.ts';
import { systemClock } from '../clock/clock.ts';
import { KnownError } from '../errors/known-error.ts';
import type { StoreTools } from '../setup/upgrade/look.ts';
import { durationOf, nodeFlags, requireRoot, setupContext } from './setup-flags.ts';

const verbs = ['plan', 'apply'];

export const upgradeCommand: Command = defineCommand({
  name: 'upgrade',
  summary: 'run what is installed in place of what runs; pods, rules and connections stay',
  usage: '[plan|apply]',
  completes: { words: verbs },
  examples: [
    'fairlead upgrade plan # what runs, what is installed, what would be done, and what is refused',
    'apt install ./fairlead_0.2.0_amd64.deb && fairlead upgrade # the package itself restarts nothing',
    'fairlead upgrade --drain # moves the pods of this node away before, and lets pods onto it again after',
  ],
  interrupted: 'what has been done holds; "fairlead upgrade" goes on',
  options: {
    'dry-run': switchFlag('show the plan, do nothing'),
    drain: switchFlag('cordon the node and evict its pods before its agent is started again; without, they live on'),
    force: switchFlag('with --drain: evict also pods that no controller makes again'),
    'delete-emptydir-data': switchFlag('with --drain: evict also pods whose data in an emptyDir goes with them'),
    'ignore-preflight-errors': nodeFlags['ignore-preflight-errors'],
    timeout: nodeFlags.timeout,
    output: nodeFlags.output,
  },
  async run({ values, positionals, signal }) {
    const [verb = 'apply'] = positionals;
    if (!verbs.includes(verb))
      throw new KnownError('USAGE', `Cannot "upgrade ${verb}"`, { hint: 'fairlead upgrade plan, or fairlead upgrade' });
    requireRoot('upgrade a machine');
    const context = await setupContext(signal, durationOf('timeout', values.timeout));
    const [{ planText, planUpgrade, runUpgrade }, { lookAtMachine, readSite }, { lookAtStore }] = await Promise.all([
      import('../setup/upgrade/upgrade.ts'),
      import('../setup/upgrade/look.ts'),
      import('../storage/sqlite/look.ts'),
    ]);
    const tools: StoreTools = { look: lookAtStore, save: (url, target) => saveStore(url, target, signal) };
    const site = await readSite(hostname().toLowerCase());
    const facts = await lookAtMachine(context, site, tools);
    const wish = { drain: values.drain, ignored: values['ignore-preflight-errors'].split(',').filter(Boolean) };
    const print = (document: object, text: string): void => {
      process.stdout.write(values.output === 'json' ? `${JSON.stringify(document, undefined, 2)}\n` : text);
    };
    if (verb === 'plan' || values['dry-run']) {
      const plan = planUpgrade(facts, wish);
      print(plan, planText(plan));
      return plan.canUpgrade ? 0 : 1;
    }
    const [{ MachineWork }, { nodeRoles }] = await Promise.all([import('../setup/upgrade/work.ts'), import('./manifest.ts')]);
    const drain = { force: values.force, deleteEmptyDirData: values['delete-emptydir-data'] };
    const work = new MachineWork(context, { site, store: facts.store, tools, drain, nodeRoles: nodeRoles() });
    const result = await runUpgrade(facts, wish, context.steps, work);
    if (result.snapshot !== undefined) context.steps.note(`The way back: ${wayBack(result.snapshot)}`);
    print(result, '');
    context.progress.note(`"${result.nodeName}" runs ${result.version} after ${context.progress.seconds}`);
    return 0;
  },
});

async function saveStore(url: string, target: string, signal: AbortSignal): Promise<void> {
  const [{ openImage }, { saveSnapshot }, { programVersion: version }] = await Promise.all([
    import('../storage/open.ts'),
    import('../storage/snapshot/save.ts'),
    import('../observability/version.ts'),
  ]);
  await using image = await openImage(url, { closed: false });
  await saveSnapshot(target, image, { version, now: systemClock.now(), signal });
}

function wayBack(snapshot: string): string {
  return (
    'end "fairlead server", install the package of before, take state.db and the files beside it away, ' +
    `fairlead snapshot restore ${snapshot}, and start it; what was written since is lost`
  );
}
