/** Damages the files of stores in every way that a disk or a hand can, and asks: is everything there that was acknowledged, or is it refused? */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { seededRandom } from '../../clock/testing/seeded-random.ts';
import { isKnownError } from '../../errors/known-error.ts';
import { text } from '../testing/events.ts';
import { markBytes, slotBytes } from './mark.ts';
import { openSqliteStore } from './sqlite-store.ts';
import { type CrashImage, checkpoint, crashImages, type Files, type Part, putFiles, takeFiles } from './testing/crash-image.ts';

type Random = (n: number) => number;

interface Case {
  readonly image: CrashImage;
  /** Earlier than the image, of the same store. */
  readonly older: CrashImage;
  readonly foreign: CrashImage;
  readonly random: Random;
}

const seed = Number(process.env.FAIRLEAD_SEED ?? 1);
const tries = Number(process.env.FAIRLEAD_TRIES ?? 6);
// In memory where there is such a folder: nothing here asks whether a disk keeps what it was given.
const dir = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'fairlead-damage-'));
after(() => rmSync(dir, { recursive: true }));

function rot(bytes: Buffer | undefined, random: Random): Buffer {
  const copy = Buffer.from(bytes ?? Buffer.alloc(0));
  if (copy.length === 0) return copy;
  const at = random(copy.length);
  for (let i = at; i < Math.min(copy.length, at + 1 + random(64)); i++) copy.writeUInt8(copy.readUInt8(i) ^ (1 + random(255)), i);
  return copy;
}

function without(files: Files, ...gone: readonly Part[]): Files {
  return Object.fromEntries(Object.entries(files).filter(([part]) => !gone.includes(part as Part)));
}

/** Bytes of a slot that was being written when the power went: some sectors new, some old. */
function tornMark({ image, random }: Case): Files {
  const mark = Buffer.from(image.files['-mark'] ?? Buffer.alloc(markBytes));
  const [first, second] = [0, slotBytes].map((at) => mark.readBigUInt64LE(at + 8));
  // Over the older slot, or the copy of the same.
  const at = first! >= second! ? slotBytes : 0;
  mark.fill(random(256), at + random(90), at + 90 + random(6));
  return { ...image.files, '-mark': mark };
}

function cutAnywhere(files: Files, random: Random): Files {
  return { ...files, '-wal': (files['-wal'] ?? Buffer.alloc(0)).subarray(0, random((files['-wal']?.length ?? 0) + 1)) };
}

/** What is done to the files; `whole` when nothing is lost by it, so that they must open. */
const damages: Readonly<Record<string, { readonly whole?: true; readonly refuses?: true; readonly on: (c: Case) => Files }>> = {
  'nothing happened': { whole: true, on: ({ image }) => image.files },
  'a write of the mark was torn': { whole: true, on: tornMark },
  'the log was removed': { refuses: true, on: ({ image }) => without(image.files, '-wal') },
  'the log rots': { refuses: true, on: ({ image, random }) => ({ ...image.files, '-wal': rot(image.files['-wal'], random) }) },
  'the log was cut': { refuses: true, on: ({ image, random }) => cutAnywhere(image.files, random) },
  'the log is an older copy': { on: ({ image, older }) => ({ ...image.files, '-wal': older.files['-wal'] ?? Buffer.alloc(0) }) },
  'the log is of another cluster': {
    refuses: true,
    on: ({ image, foreign }) => ({ ...image.files, '-wal': foreign.files['-wal'] ?? Buffer.alloc(0) }),
  },
  'the file is an older copy': { on: ({ image, older }) => ({ ...image.files, '': older.files['']! }) },
  'file and log are older copies': {
    refuses: true,
    on: ({ image, older }) => ({ ...older.files, '-mark': image.files['-mark']! }),
  },
  'file and log are of another cluster': {
    refuses: true,
    on: ({ image, foreign }) => ({ ...foreign.files, '-mark': image.files['-mark']! }),
  },
  'the file is of another cluster': { refuses: true, on: ({ image, foreign }) => ({ ...image.files, '': foreign.files['']! }) },
  'the file was removed': { refuses: true, on: ({ image }) => without(image.files, '') },
  'file and log were removed': { refuses: true, on: ({ image }) => without(image.files, '', '-wal') },
  'the mark was removed': { refuses: true, on: ({ image }) => without(image.files, '-mark') },
  'the mark rots': { on: ({ image, random }) => ({ ...image.files, '-mark': rot(image.files['-mark'], random) }) },
  'both slots of the mark rot': {
    refuses: true,
    on: ({ image }) => ({ ...image.files, '-mark': Buffer.alloc(markBytes, 0x5a) }),
  },
  'the mark was cut': { on: ({ image, random }) => ({ ...image.files, '-mark': image.files['-mark']!.subarray(0, random(markBytes)) }) },
  'the mark is an older copy': { on: ({ image, older }) => ({ ...image.files, '-mark': older.files['-mark']! }) },
  'log and mark were removed': { refuses: true, on: ({ image }) => without(image.files, '-wal', '-mark') },
};

/** The records and the revision of the store at `path`, or what it is refused with. */
async function look(path: string, acceptDataLoss = false): Promise<{ records: Map<string, string>; revision: number } | Error> {
  try {
    await using store = await openSqliteStore(path, { acceptDataLoss });
    const { records, revision } = await store.range('/', '0');
    return { revision, records: new Map(records.map((record) => [record.key, text(record.value)!])) };
  } catch (err) {
    assert.ok(isKnownError(err, 'STORE_CORRUPT'), String(err));
    return err;
  }
}

describe(`a damaged store (FAIRLEAD_SEED=${seed})`, () => {
  const random = seededRandom(seed);
  let images: CrashImage[];
  let foreign: CrashImage[];
  before(async () => {
    images = await crashImages(join(dir, 'one', 'store.db'), random, 40);
    foreign = await crashImages(join(dir, 'two', 'store.db'), random, 10);
  });

  for (const [what, damage] of Object.entries(damages))
    test(`holds every acknowledged write or is refused when ${what}`, async () => {
      const path = join(dir, 'damaged', 'store.db');
      let refused = 0;
      for (let i = 0; i < tries; i++) {
        const n = 1 + random(images.length - 1);
        const image = images[n]!;
        const files = damage.on({ image, older: images[random(n)]!, foreign: foreign[random(foreign.length)]!, random });
        putFiles(path, files);
        const found = await look(path);
        if (found instanceof Error) {
          refused++;
          assert.ok(!damage.whole, `image ${n} is whole: ${found.message}`);
          if (files['']) assert.deepEqual(takeFiles(path)[''], files[''], 'a refused file was changed');
          continue;
        }
        assert.deepEqual(found.records, image.records, `image ${n}`);
        assert.ok(found.revision >= image.revision);
      }
      if (damage.refuses) assert.ok(refused > 0, 'the damage never mattered');
    });

  test('refuses a file from before a checkpoint when the log began anew before anybody noted it', async () => {
    const path = join(dir, 'unnoted', 'store.db');
    await using store = await openSqliteStore(path);
    const before = takeFiles(path)[''];
    await store.put('/a', Buffer.from('1'));
    checkpoint(path);
    await store.put('/b', Buffer.from('2'));
    const files = takeFiles(path);
    putFiles(join(dir, 'damaged', 'store.db'), { ...files, '': before! });
    assert.match(String(await look(join(dir, 'damaged', 'store.db'))), /older copy/);
    putFiles(join(dir, 'damaged', 'store.db'), files);
    const whole = await look(join(dir, 'damaged', 'store.db'));
    assert.equal(whole instanceof Error ? whole.message : whole.records.size, 2);
  });

  test('goes on with what is there when its owner accepts the loss, at revisions that nobody has seen', async () => {
    const path = join(dir, 'accepted', 'store.db');
    let opened = 0;
    for (const what of [
      'the log was removed',
      'the log was cut',
      'file and log are older copies',
      'the mark was removed',
      'both slots of the mark rot',
    ])
      for (let i = 0; i < 2; i++) {
        const image = images[20 + random(20)]!;
        const files = damages[what]!.on({ image, older: images[random(20)]!, foreign: foreign[0]!, random });
        putFiles(path, files);
        if (!((await look(path)) instanceof Error)) continue;
        const accepted = await look(path, true);
        // A checkpoint that was half done when its log went leaves a file that only a backup can replace.
        if (accepted instanceof Error) {
          assert.match(accepted.message, /damaged inside/);
          continue;
        }
        opened++;
        assert.ok(accepted.revision > image.revision, what);
        if (what.includes('mark')) assert.deepEqual(accepted.records, image.records);
        assert.deepEqual(await look(path), accepted, 'the loss is accepted once');
      }
    assert.ok(opened >= 4, `${opened}`);
  });
});
