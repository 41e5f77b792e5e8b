/** `fairlead snapshot`: what the store holds, in one file, and back. */
import { type Command, defineCommand, switchFlag, textFlag } from '../cli/command.ts';
import { outputFormat, outputOption, renderOutput } from '../cli/output.ts';
import { standardProgress } from '../cli/progress.ts';
import { systemClock } from '../clock/clock.ts';
import { KnownError } from '../errors/known-error.ts';
import { withoutPassword } from '../errors/without-password.ts';
import type { SnapshotStatus } from '../storage/snapshot/snapshot.ts';

const store = textFlag('URL', 'the store, as the server has it in its own --store', 'sqlite:///var/lib/fairlead/server/state.db');
const file = { usage: 'FILE', completes: { files: true } } as const;

const save = defineCommand({
  name: 'save',
  summary: 'write what the store holds at this moment to a file, while the server goes on',
  ...file,
  examples: ['fairlead snapshot save /backup/$(date +%F).snapshot # keep /etc/kubernetes/pki with it'],
  interrupted: 'no file was written; an older one of that name is as it was',
  options: {
    store,
    portable: switchFlag("of etcd, too, in Fairlead's own format: any store can be made of it, where etcd's own needs etcd's tools"),
    output: outputOption,
  },
  async run({ values, positionals, signal }) {
    const target = fileOf('save', positionals);
    const [{ openDatabase, openImage }, { saveDatabase, saveSnapshot }, { programVersion }] = await Promise.all([
      import('../storage/open.ts'),
      import('../storage/snapshot/save.ts'),
      import('../observability/version.ts'),
    ]);
    const about = { version: programVersion, now: systemClock.now(), signal };
    const database = values.portable ? undefined : await openDatabase(values.store);
    if (database) {
      print(values.output, await saveDatabase(target, database, about));
      return 0;
    }
    await using image = await openImage(values.store, { closed: false });
    const status = await saveSnapshot(target, image, about);
    print(values.output, status);
    return 0;
  },
});

const status = defineCommand({
  name: 'status',
  summary: 'show what a snapshot is of, and whether it is whole; the exit code is 1 when it is not',
  ...file,
  options: { output: outputOption },
  async run({ values, positionals }) {
    const source = fileOf('status', positionals);
    const { readStatus } = await import('../storage/snapshot/snapshot.ts');
    const found = await readStatus(source);
    print(values.output, found);
    return found.damage === undefined ? 0 : 1;
  },
});

const restore = defineCommand({
  name: 'restore',
  summary: 'make a new store of a snapshot; no server may have it open, and it must not be there yet',
  ...file,
  examples: ['systemctl stop fairlead-server && fairlead snapshot restore /backup/2026-01-31.snapshot && systemctl start fairlead-server'],
  interrupted: 'there is no new store that a server would take; "fairlead snapshot restore" can be run again',
  options: {
    store,
    'revision-gap': textFlag('N', 'how far revisions lie above those of the snapshot, 1000000000 by default: more than were written since'),
    output: outputOption,
  },
  async run({ values, positionals, signal }) {
    const source = fileOf('restore', positionals);
    const gap = revisionsOf(values['revision-gap']);
    const [{ fillStore }, { openSnapshot, restoredRevision }] = await Promise.all([
      import('../storage/open.ts'),
      import('../storage/snapshot/snapshot.ts'),
    ]);
    const progress = standardProgress(systemClock);
    await using image = await progress.step('Snapshot checked', () => openSnapshot(source));
    const { revision } = await progress.step('Store made', () => fillStore(values.store, image, restoredRevision(image, gap), { signal }));
    progress.note('Revisions go on above all that clients have seen: watches end with 410 Gone, and everybody lists anew');
    const restored = { store: withoutPassword(values.store), records: image.count, snapshotRevision: image.revision, revision };
    process.stdout.write(
      renderOutput(
        outputFormat(values.output),
        restored,
        [restored],
        [
          { title: 'RECORDS', cell: ({ records }) => String(records) },
          { title: 'SNAPSHOT REVISION', cell: ({ snapshotRevision }) => String(snapshotRevision) },
          { title: 'REVISION', cell: (one) => String(one.revision) },
        ],
        (one) => one.store,
      ),
    );
    return 0;
  },
});

export const snapshotCommand: Command = {
  name: 'snapshot',
  summary: 'save what the store holds to a file, and make a store of it again',
  subcommands: [save, status, restore],
};

/** Throws USAGE unless it is a number of revisions. */
function revisionsOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,11}$/.test(text)) return Number(text);
  throw new KnownError('USAGE', `Cannot raise revisions by "${text}": it is no number above 0`, {
    hint: 'Leave --revision-gap away, or give it as --revision-gap=1000000',
  });
}

/** Throws USAGE unless one file is named. */
function fileOf(command: string, [file, ...more]: readonly string[]): string {
  if (file !== undefined && more.length === 0) return file;
  const what = file === undefined ? 'no file is named' : 'it takes one file, and there are more words';
  throw new KnownError('USAGE', `Cannot run "fairlead snapshot ${command}": ${what}`, { hint: `fairlead snapshot ${command} FILE` });
}

function print(format: string, found: SnapshotStatus): void {
  const columns = [
    { title: 'REVISION', cell: ({ revision }: SnapshotStatus) => String(revision ?? '?') },
    { title: 'RECORDS', cell: ({ records }: SnapshotStatus) => String(records ?? '?') },
    { title: 'BYTES', cell: ({ bytes }: SnapshotStatus) => String(bytes) },
    { title: 'CHECKSUM', cell: ({ damage }: SnapshotStatus) => (damage === undefined ? 'right' : `DAMAGED: ${damage}`) },
    { title: 'SAVED', cell: ({ savedAt }: SnapshotStatus) => savedAt },
    { title: 'VERSION', cell: ({ version }: SnapshotStatus) => version ?? '?' },
    { title: 'STORE', cell: ({ engine, cluster }: SnapshotStatus) => `${engine} ${cluster ?? ''}`, wide: true },
  ];
  process.stdout.write(renderOutput(outputFormat(format), found, [found], columns, (one) => one.file));
}
