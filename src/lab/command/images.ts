/** `fairlead lab images`. */
import { type Command, defineCommand } from '../../cli/command.ts';
import { KnownError } from '../../errors/known-error.ts';

export const images: Command = defineCommand({
  name: 'images',
  summary: 'write the images of the lab as OCI archives, for nodes of other kinds',
  usage: 'DIRECTORY',
  completes: { files: true },
  examples: ['fairlead lab images . && for image in box pause; do ctr -n k8s.io images import $image.tar; done'],
  options: {},
  async run({ positionals }) {
    const [directory, stray] = positionals;
    if (directory === undefined || stray !== undefined)
      throw new KnownError('USAGE', 'Cannot write images: name one directory', { hint: 'fairlead lab images .' });
    const { writeImages } = await import('../images/write-images.ts');
    for (const line of await writeImages(directory)) process.stdout.write(`${line}\n`);
    return 0;
  },
});
