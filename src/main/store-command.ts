/** `fairlead store`: moves a cluster from one store to another. */
import { type Command, defineCommand } from '../cli/command.ts';
import { outputFormat, outputOption, renderOutput } from '../cli/output.ts';
import { standardProgress } from '../cli/progress.ts';
import { systemClock } from '../clock/clock.ts';
import { KnownError } from '../errors/known-error.ts';
import { withoutPassword } from '../errors/without-password.ts';

const copy = defineCommand({
  name: 'copy',
  summary: 'copy a cluster to another store, while no API server runs; the first store stays as it is',
  usage: 'FROM TO',
  examples: [
    'fairlead store copy sqlite:///var/lib/fairlead/server/state.db redis://127.0.0.1:6379/0 # every resourceVersion is kept',
    'fairlead store copy sqlite:///var/lib/fairlead/server/state.db etcd=http://127.0.0.1:2379 # all are higher than before',
  ],
  interrupted: 'the first store is as it was, and the second one is not whole; run the same copy again',
  options: { output: outputOption },
  async run({ values, positionals, signal }) {
    const [from, to] = endsOf(positionals);
    const { copyStore } = await import('../storage/snapshot/copy.ts');
    const progress = standardProgress(systemClock);
    const copied = await progress.step(`Copied to ${withoutPassword(to)}`, () =>
      copyStore(from, to, (done) => progress.note(`${done} records`), { signal }),
    );
    progress.note(
      copied.keepsRevisions
        ? 'Every resourceVersion is kept: clients that were up to date go on where they were'
        : 'Every resourceVersion is higher than all before: watches end with 410 Gone, and everybody lists anew',
    );
    const columns = [
      { title: 'RECORDS', cell: ({ records }: typeof copied) => String(records) },
      { title: 'OLD REVISION', cell: ({ oldRevision }: typeof copied) => String(oldRevision) },
      { title: 'REVISION', cell: ({ revision }: typeof copied) => String(revision) },
    ];
    process.stdout.write(renderOutput(outputFormat(values.output), copied, [copied], columns, () => withoutPassword(to)));
    return 0;
  },
});

export const storeCommand: Command = {
  name: 'store',
  summary: 'move a cluster from one store to another',
  subcommands: [copy],
};

function endsOf([from, to, ...more]: readonly string[]): readonly [from: string, to: string] {
  if (from !== undefined && to !== undefined && more.length === 0) return [from, to];
  throw new KnownError('USAGE', 'Cannot run "fairlead store copy": it takes the URLs of two stores', {
    hint: 'fairlead store copy FROM TO, each as "fairlead server --store" takes it',
  });
}
