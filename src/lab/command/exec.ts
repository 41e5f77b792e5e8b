/** `fairlead lab exec`. */
import { type Command, defineCommand } from '../../cli/command.ts';
import { KnownError } from '../../errors/known-error.ts';
import { requireRoot } from '../state.ts';
import { findTools } from '../tools.ts';
import { existingLab, nameOption } from './find-lab.ts';

export const exec: Command = defineCommand({
  name: 'exec',
  summary: 'run a command on a node, or in the client namespace',
  usage: 'NODE [-- COMMAND…]',
  completes: { words: ['control-plane', 'worker-1', 'worker-2', 'client', '--'] },
  examples: [
    'fairlead lab exec worker-1 # a shell',
    'fairlead lab exec worker-1 -- nft list table ip kube-proxy',
    'fairlead lab exec control-plane -- kubectl get pods -A',
  ],
  options: { name: nameOption },
  async run({ values, positionals, rest }) {
    requireRoot('enter a node');
    const { labExec } = await import('../exec.ts');
    const [node, ...more] = positionals;
    if (node === undefined)
      throw new KnownError('USAGE', 'Cannot run a command: no node is named', { hint: 'fairlead lab exec worker-1 -- ip route' });
    if (more.length > 0)
      throw new KnownError('USAGE', `Cannot run "${more.join(' ')}" on "${node}": "--" must stand between node and command`, {
        hint: `fairlead lab exec ${node} -- ${[...more, ...rest].join(' ')}`,
      });
    const { plan, state } = await existingLab(values.name);
    return await labExec(await findTools(), plan, state, node, rest.length > 0 ? rest : ['sh']);
  },
});
