/** What lies in an installation, `/opt/fairlead`, and what beside it makes a machine know of it. */
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { completionScript, type Shell } from '../cli/completion.ts';
import { manPage } from '../cli/man-page.ts';
import { file, symlink, type TarEntry } from '../lab/images/tar.ts';
import { programOf } from '../main/commands.ts';
import { type Bundle, launcher } from './bundle.ts';
import { licenceFiles } from './licences.ts';
import { type Architecture, nodePackage, packageFiles, withLoaded } from './packages.ts';

export interface Sources {
  /** The checkout. */
  readonly root: string;
  /** Where the packages of the architecture are. */
  readonly modules: string;
  readonly arch: Architecture;
  readonly version: string;
  readonly bundle: Bundle;
}

/** A text with words replaced, each of which must be there. */
export function replaceAll(text: string, words: Readonly<Record<string, string>>): string {
  return Object.entries(words).reduce((now, [word, by]) => {
    if (!now.includes(word)) throw new Error(`"${word}" is not in the text that the package is made of`);
    return now.replaceAll(word, by);
  }, text);
}

function copy(root: string, path: string): TarEntry {
  const mode = statSync(join(root, path)).mode & 0o111 ? 0o755 : 0o644;
  return file(path, readFileSync(join(root, path)), mode);
}

function modules({ root, bundle }: Sources): TarEntry[] {
  const folder = `lib/${bundle.id}`;
  const text = readFileSync(join(root, launcher), 'utf8');
  return [
    ...[...bundle.modules].map(([name, content]) => file(`${folder}/${name}`, content)),
    file(
      `${folder}/fairlead.sh`,
      replaceAll(text, { '$root/node_modules/.bin/node': '$root/bin/node', 'fairlead.mjs': 'fairlead.js' }),
      0o755,
    ),
    symlink('bin/fairlead', `../${folder}/fairlead.sh`),
  ];
}

/** The folder of a package of the bundle: a path below the checkout. */
function folderOf(sources: Sources, bundled: string): string {
  return join(sources.modules, bundled.replace(/^node_modules\//, ''));
}

/** The installation, in the order of its paths, with the sums of its files. */
export function installation(sources: Sources): TarEntry[] {
  const { root, modules: from, arch, version, bundle } = sources;
  const node = join(from, nodePackage(arch));
  const asTheyAre = withLoaded(bundle.required, arch);
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<string, unknown>;
  const { name, description, license, type } = manifest;
  const cni = readFileSync(join(root, 'cni-bin/fairlead'), 'utf8');
  const own = ['cni-bin/fairlead.cjs', 'LICENSE', 'CHANGELOG.md'];
  const entries = [
    file('bin/node', readFileSync(join(node, 'bin/node')), 0o755),
    ...modules(sources),
    ...asTheyAre.flatMap((required) => packageFiles(from, required, arch)),
    ...[...new Set([...own, ...bundle.files])].filter((path) => path !== 'package.json').map((path) => copy(root, path)),
    file('package.json', `${JSON.stringify({ name, version, description, license, type }, undefined, 2)}\n`),
    file('cni-bin/fairlead', replaceAll(cni, { '/../node_modules/.bin': '/../bin' }), 0o755),
    ...licenceFiles([...new Set([node, ...asTheyAre.map((n) => join(from, n)), ...bundle.bundled.map((b) => folderOf(sources, b))])]),
  ].toSorted((a, b) => (a.path < b.path ? -1 : 1));
  return [...entries, file('SHA256SUMS', sums(entries))];
}

/** As sha256sum(1) reads it: `sha256sum -c SHA256SUMS`. */
function sums(entries: readonly TarEntry[]): string {
  const lines = entries.flatMap(({ path, kind, content }) =>
    kind === 'file'
      ? [
          `${createHash('sha256')
            .update(content ?? '')
            .digest('hex')}  ${path}\n`,
        ]
      : [],
  );
  return lines.join('');
}

const exitCodes = [
  [0, 'it is done'],
  [1, 'what was checked is not as it should be'],
  [2, 'wrong words, or it could not run'],
  [130, 'interrupted'],
] as const;

const files = [
  ['/etc/fairlead/server.env', 'Options of "fairlead server" under fairlead-server.service, as environment variables.'],
  ['/etc/fairlead/agent.env', 'Options of "fairlead agent" under fairlead-agent.service, as environment variables.'],
  ['/etc/kubernetes/pki', "The cluster's keys and certificates, named as kubeadm names them."],
  ['/var/lib/fairlead', 'What the API server stores, and what a node must know after a reboot.'],
] as const;

const program = await programOf();

const completions: Readonly<Record<Shell, string>> = {
  bash: 'bash-completion/completions/fairlead',
  zsh: 'zsh/vendor-completions/_fairlead',
  fish: 'fish/vendor_completions.d/fairlead.fish',
};

/** What goes below `/usr/share`. */
export function shared(version: string): TarEntry[] {
  return [
    ...Object.entries(completions).map(([shell, path]) => file(path, completionScript(shell as Shell, program))),
    file('man/man1/fairlead.1', manPage(program, { version, exitCodes, files })),
  ];
}

/** The units of systemd, below a folder. */
export function units(root: string, folder: string): TarEntry[] {
  return ['fairlead-agent.service', 'fairlead-server.service'].map((name) => {
    const unit = copy(root, join('src/package/systemd', name));
    return { ...unit, path: `${folder}/${basename(name)}` };
  });
}
