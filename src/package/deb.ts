/** A Debian package (deb(5)), byte for byte the same for the same contents. Pure. */
import { createHash } from 'node:crypto';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import { directory, file, type TarEntry, tarOf, withFolders } from '../lab/images/tar.ts';

/** Of ten levels of effort the one after which a second of work saves less than 1 %. */
const effort = 9;

/** One member of an archive of ar(1). */
function member(name: string, content: Uint8Array, seconds: number): Uint8Array {
  const header = [
    name.padEnd(16),
    String(seconds).padEnd(12),
    '0'.padEnd(6),
    '0'.padEnd(6),
    '100644'.padEnd(8),
    String(content.length).padEnd(10),
    '`\n',
  ];
  return Buffer.concat([Buffer.from(header.join('')), content, Buffer.from(content.length % 2 === 0 ? '' : '\n')]);
}

function md5sums(entries: readonly TarEntry[]): string {
  const lines = entries.flatMap(({ path, kind, content }) =>
    kind === 'file'
      ? [
          `${createHash('md5')
            .update(content ?? '')
            .digest('hex')}  ${path}\n`,
        ]
      : [],
  );
  return lines.join('');
}

/** In KiB, each file in whole ones. */
export function installedSize(entries: readonly TarEntry[]): number {
  return entries.reduce((total, { content }) => total + Math.ceil((content?.length ?? 0) / 1024), 0);
}

/** As dpkg names paths: from `./` on, each folder before what is in it. */
function fromRoot(entries: readonly TarEntry[]): TarEntry[] {
  return [directory('.'), ...withFolders(entries).map((entry) => ({ ...entry, path: `./${entry.path}` }))];
}

export interface Deb {
  /** Paths below `/`. */
  readonly entries: readonly TarEntry[];
  /** The control file and the maintainer's scripts. */
  readonly control: Readonly<Record<string, string>>;
  /** The time of everything. */
  readonly seconds: number;
}

export function debOf({ entries, control, seconds }: Deb): Uint8Array {
  const meta = Object.entries(control).map(([name, text]) => file(name, text, name === 'control' ? 0o644 : 0o755));
  const controlTar = tarOf(fromRoot([...meta, file('md5sums', md5sums(entries))]), seconds);
  const dataTar = tarOf(fromRoot(entries), seconds);
  return Buffer.concat([
    Buffer.from('!<arch>\n'),
    member('debian-binary', Buffer.from('2.0\n'), seconds),
    member('control.tar.gz', gzipSync(controlTar), seconds),
    member('data.tar.zst', zstdCompressSync(dataTar, { params: { [constants.ZSTD_c_compressionLevel]: effort } }), seconds),
  ]);
}
