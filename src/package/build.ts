/** `npm run build`: what is installed on a node, as an archive for any Linux and as a Debian package. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { runProcess } from '../cli/cli.ts';
import { type Command, defineCommand, textFlag } from '../cli/command.ts';
import { type Progress, standardProgress } from '../cli/progress.ts';
import { systemClock } from '../clock/clock.ts';
import { file, symlink, type TarEntry, tarOf, withFolders } from '../lab/images/tar.ts';
import { type Bundle, bundle } from './bundle.ts';
import { installation, replaceAll, shared, units } from './contents.ts';
import { debOf, installedSize } from './deb.ts';
import { type Architecture, architectures, withModules } from './packages.ts';

const root = resolve(fileURLToPath(new URL('../../', import.meta.url)));

/** The time of all files, unless SOURCE_DATE_EPOCH says another: 1 January 2026. When it was built must not change a byte. */
const fixedTime = 1_767_225_600;

const debianNames: Readonly<Record<Architecture, string>> = { x64: 'amd64', arm64: 'arm64' };

export interface Settings {
  readonly arch: Architecture;
  readonly version: string;
  readonly seconds: number;
}

function under(folder: string, entries: readonly TarEntry[]): TarEntry[] {
  return entries.map((entry) => ({ ...entry, path: `${folder}/${entry.path}` }));
}

function controlFiles({ arch, version }: Settings, id: string, size: number): Record<string, string> {
  const read = (name: string): string => readFileSync(join(root, 'src/package/debian', name), 'utf8');
  return {
    control: replaceAll(read('control'), { '@VERSION@': version, '@ARCHITECTURE@': debianNames[arch], '@SIZE@': String(size) }),
    prerm: replaceAll(read('prerm'), { '@ID@': id }),
    postinst: replaceAll(read('postinst'), { '@ID@': id }),
    postrm: read('postrm'),
  };
}

/** The archive: everything in one folder, for whoever installs by hand. */
export function archiveOf({ arch, version, seconds }: Settings, installed: readonly TarEntry[]): Uint8Array {
  const all = [...installed, ...under('share', [...shared(version), ...units(root, 'systemd')])];
  return gzipSync(tarOf(withFolders(under(`fairlead-${version}-linux-${arch}`, all)), seconds));
}

/** The Debian package. */
export function debianOf(settings: Settings, installed: readonly TarEntry[], id: string): Uint8Array {
  const { version, seconds } = settings;
  const texts = shared(version).map(({ path, content = new Uint8Array(), ...rest }) =>
    path.startsWith('man/') ? { ...rest, path: `${path}.gz`, content: gzipSync(content, { level: 9 }) } : { ...rest, path, content },
  );
  const copyright =
    'Fairlead is under the Apache License 2.0: /usr/share/common-licenses/Apache-2.0\nWhat is inside: /opt/fairlead/licenses\n';
  const entries = [
    ...under('opt/fairlead', installed),
    symlink('usr/bin/fairlead', '/opt/fairlead/bin/fairlead'),
    ...units(root, 'usr/lib/systemd/system'),
    ...under('usr/share', [...texts, file('doc/fairlead/copyright', copyright)]),
  ];
  return debOf({ entries, control: controlFiles(settings, id, installedSize(entries)), seconds });
}

/** Writes a file with its sum beside it, as sha256sum(1) reads it. */
function put(path: string, content: Uint8Array): string {
  writeFileSync(path, content);
  writeFileSync(`${path}.sha256`, `${createHash('sha256').update(content).digest('hex')}  ${basename(path)}\n`);
  return `Wrote ${relative(process.cwd(), path)}, ${(content.length / 1e6).toFixed(0)} MB`;
}

/** Gives the paths of the two files. */
async function write(settings: Settings, made: Bundle, out: string, progress: Progress): Promise<readonly string[]> {
  const { arch, version } = settings;
  const fetched = arch === process.arch ? 'Took Node.js and native code' : `Fetched Node.js and native code for ${arch}`;
  const installed = await progress.step(fetched, () =>
    withModules(root, arch, async (modules) => installation({ root, modules, arch, version, bundle: made })),
  );
  mkdirSync(out, { recursive: true });
  const archive = join(out, `fairlead-${version}-linux-${arch}.tar.gz`);
  const deb = join(out, `fairlead_${version}_${debianNames[arch]}.deb`);
  await progress.step(
    (said: string) => said,
    async () => put(archive, archiveOf(settings, installed)),
  );
  await progress.step(
    (said: string) => said,
    async () => put(deb, debianOf(settings, installed, made.id)),
  );
  return [archive, deb];
}

const command: Command = defineCommand({
  name: 'npm run build --',
  summary: 'make the package of Fairlead: an archive and a Debian package, in dist/',
  examples: ['npm run build', 'npm run build -- --arch arm64 # fetches Node.js and native code of the other architecture'],
  options: {
    arch: { ...textFlag('ARCH', 'for which processors', process.arch), choices: architectures },
    out: textFlag('DIR', 'where the files are written', 'dist'),
    release: textFlag('VERSION', "another version than package.json's, to try an upgrade"),
  },
  async run({ values }) {
    const progress = standardProgress(systemClock);
    const own = (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { readonly version: string }).version;
    const seconds = Number(process.env.SOURCE_DATE_EPOCH ?? fixedTime);
    const settings: Settings = { arch: values.arch as Architecture, version: values.release ?? own, seconds };
    const made = await progress.step(
      ({ modules }: Bundle) => `Bundled ${modules.size} modules`,
      () => bundle(root),
    );
    const written = await write(settings, made, resolve(values.out), progress);
    const [, deb = ''] = written.map((path) => relative(process.cwd(), path));
    progress.note(`Built in ${progress.seconds}. Install it on a node: sudo apt install ./${deb}`);
    process.stdout.write(written.map((path) => `${path}\n`).join(''));
    return 0;
  },
});

if (import.meta.main) await runProcess(command);
