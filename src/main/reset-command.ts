/** `fairlead reset`. */
import { createInterface } from 'node:readline/promises';
import { type Command, defineCommand, switchFlag, textFlag } from '../cli/command.ts';
import { KnownError } from '../errors/known-error.ts';
import { durationOf, nodeFlags, requireRoot, setupContext } from './setup-flags.ts';

export const resetCommand: Command = defineCommand({
  name: 'reset',
  summary: 'take away what "fairlead init" or "fairlead join" made of this machine: pods, rules, links, keys, state',
  examples: ['fairlead reset --force && kubectl delete node worker-1 # the second on the control plane'],
  interrupted: 'what is gone is gone; "fairlead reset" goes on',
  options: {
    'cri-socket': textFlag('URL', 'the container runtime (default: that of the agent)'),
    force: { ...switchFlag('do not ask'), short: 'f' },
    timeout: nodeFlags.timeout,
    output: nodeFlags.output,
  },
  async run({ values, signal }) {
    requireRoot('take a node away');
    if (!values.force) await confirm(signal);
    const context = await setupContext(signal, durationOf('timeout', values.timeout));
    const [{ readAgentEnv, runReset, runtimeFlags }, { cleanUpPods }, { cleanUpNetwork }, { cleanUpPlugin }, { cleanUpProxy }] =
      await Promise.all([
        import('../setup/reset/reset.ts'),
        import('../kubelet/clean-up.ts'),
        import('../net-agent/clean-up.ts'),
        import('../cni/clean-up.ts'),
        import('../proxy/other-modes.ts'),
      ]);
    const { endpoint, cniBinDir, cniConfDir } = runtimeFlags(await readAgentEnv(), values['cri-socket']);
    const { answers, cniBinDir: binDir = cniBinDir, cniConfDir: confDir = cniConfDir } = await context.readRuntime(endpoint);
    if (!answers) context.steps.warn(`No container runtime answers at ${endpoint}: pods that it runs stay`);
    const result = await runReset(context, {
      endPods: async () => (answers ? await cleanUpPods(endpoint) : 0),
      cleanUpNetwork: async () => {
        await cleanUpProxy();
        await cleanUpNetwork();
        await cleanUpPlugin({ binDir, confDir });
      },
    });
    if (values.output === 'json') process.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`);
    else context.progress.note(`The Node object stays in the cluster: kubectl delete node ${result.nodeName ?? 'NAME'}`);
    return 0;
  },
});

/** Throws USAGE where nobody can be asked, or somebody says no. */
async function confirm(signal: AbortSignal): Promise<void> {
  const hint = 'fairlead reset --force';
  if (!process.stdin.isTTY) throw new KnownError('USAGE', 'Cannot ask whether to take this node away: there is no terminal', { hint });
  const asking = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await asking.question('This ends every pod on this machine and removes its keys and state. Go on? [y/N] ', { signal });
  asking.close();
  if (!/^y(es)?$/i.test(answer)) throw new KnownError('USAGE', 'Nothing was done', { hint: 'Answer "y" to go on' });
}
