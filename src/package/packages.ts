/**
 * npm packages as they go into the package: the pinned Node.js, and what is loaded from `node_modules` as it is, with the native code of one architecture.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { file, type TarEntry } from '../lab/images/tar.ts';
import { mustRun, systemExec } from '../linux/exec.ts';

export const architectures = ['x64', 'arm64'] as const;
export type Architecture = (typeof architectures)[number];

/** The package that brings Node.js. */
export function nodePackage(arch: Architecture): string {
  return `node-linux-${arch}`;
}

/** What is taken of a package that is loaded as it is. One that is not in the table is refused: nobody has said what it needs. */
const taken = (arch: Architecture): Readonly<Record<string, readonly RegExp[]>> => ({
  koffi: [/^index\.cjs$/, /^src\/koffi\/index\.cjs$/, /^src\/koffi\/src\/static\.cjs$/],
  [`@koromix/koffi-linux-${arch}`]: [/^index\.js$/, new RegExp(`^linux_${arch}/koffi\\.node$`)],
  netlink: [/^dist\/.*\.js$/, new RegExp(`^prebuilds/linux-${arch}/`)],
  'node-gyp-build': [/^(?:index|node-gyp-build)\.js$/],
  yaml: [/^dist\/.*\.js$/],
});

/** What a package loads by itself. */
const loads = (arch: Architecture): Readonly<Record<string, readonly string[]>> => ({
  koffi: [`@koromix/koffi-linux-${arch}`],
  netlink: ['node-gyp-build'],
});

/** Those packages, with what they load. */
export function withLoaded(required: readonly string[], arch: Architecture): string[] {
  return required.flatMap((name) => [name, ...(loads(arch)[name] ?? [])]);
}

/** The files of a package, below `node_modules` of the package that is built. */
export function packageFiles(modules: string, name: string, arch: Architecture): TarEntry[] {
  const wanted = taken(arch)[name];
  if (!wanted) throw new Error(`"${name}" is loaded as it is: say in src/package/packages.ts what of it is needed`);
  const folder = join(modules, name);
  const names = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .filter((path) => path === 'package.json' || wanted.some((pattern) => pattern.test(path)));
  return names.map((path) => file(join('node_modules', name, path), readFileSync(join(folder, path))));
}

/**
 * Gives `use` a `node_modules` for the architecture: the checkout's own, or one that npm fetches into a temporary folder and holds to the
 * integrity of the lock file.
 */
export async function withModules<T>(root: string, arch: Architecture, use: (modules: string) => Promise<T>): Promise<T> {
  if (arch === process.arch) return await use(join(root, 'node_modules'));
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-build-'));
  try {
    for (const name of ['package.json', 'package-lock.json', '.npmrc']) await copyFile(join(root, name), join(folder, name));
    const target = [`--cpu=${arch}`, '--os=linux', '--libc=glibc'];
    await mustRun(systemExec, 'npm', ['ci', ...target, '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: folder });
    return await use(join(folder, 'node_modules'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
