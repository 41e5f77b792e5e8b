/** `fairlead lab load`. */
import { type Command, defineCommand, textFlag } from '../../cli/command.ts';
import { KnownError } from '../../errors/known-error.ts';
import { requireRoot } from '../state.ts';
import { existingLab, labContext, locked, nameOption } from './find-lab.ts';

export const load: Command = defineCommand({
  name: 'load',
  summary: 'put images of your own into every node',
  usage: 'FILE|DIRECTORY|tools',
  completes: { words: ['tools'], files: true },
  examples: [
    'docker save app:1 -o app.tar && fairlead lab load app.tar',
    'fairlead lab load ./oci-dir --as app:1 # an OCI layout whose image has no name, or another one',
    'fairlead lab load tools # fairlead.local/tools:1: curl, dig, wget, nc, iperf3, tcpdump, ip, jq',
  ],
  options: {
    name: nameOption,
    'in-background': { type: 'boolean', default: false, hidden: true, help: 'By the lab itself: nothing waits for it to end' },
    as: textFlag('IMAGE', 'What the image is called in the cluster'),
  },
  async run({ values, positionals }) {
    requireRoot('load images into nodes');
    const [path, stray] = positionals;
    if (path === undefined || stray !== undefined)
      throw new KnownError('USAGE', 'Cannot load images: name one file or directory', { hint: 'fairlead lab load app.tar' });
    const context = await labContext();
    const { loadImages } = await import('../images/load.ts');
    const { isToolsImage, withToolsArchive } = await import('../images/tools-image.ts');
    const { livingNodes } = await import('../survey.ts');
    const work = async (): Promise<void> => {
      const { plan, state } = await existingLab(values.name);
      const nodes = await livingNodes(state);
      if (nodes.size === 0)
        throw new KnownError('LAB_NOT_RUNNING', `Cannot load images into lab "${values.name}": none of its nodes lives`, {
          hint: `Start it: fairlead lab up --name ${values.name}`,
        });
      const into = (file: string): Promise<readonly string[]> => loadImages(context, plan, nodes, file, values.as);
      await context.progress.step(
        (names: readonly string[]) => `Loaded ${names.join(', ')} into ${[...nodes.keys()].join(', ')}`,
        () => (isToolsImage(path) ? withToolsArchive(context, plan, into) : into(path)),
      );
    };
    // What the lab itself started ends with it, and must not be what its end waits for.
    await (values['in-background'] ? work() : locked(values.name, work));
    return 0;
  },
});
