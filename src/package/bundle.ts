/**
 * The JavaScript of the package: what each process loads in few files, and what it loads later in files of its own. Without it, a start would strip types
 * from hundreds of files, which Node.js does not even do below `node_modules`.
 */
import { createHash } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { build, type Metafile, type Plugin } from 'esbuild';
import { merge } from './merge.ts';
import { requiredIn, rewriteUrls } from './project-urls.ts';

export interface Bundle {
  /** Names and contents of the modules, all in one folder. */
  readonly modules: ReadonlyMap<string, Uint8Array>;
  /** The same modules have the same. */
  readonly id: string;
  /** Files of the project that modules name by a URL. */
  readonly files: readonly string[];
  /** Packages that are loaded as they are: with native code, or seldom. */
  readonly required: readonly string[];
  /** Folders below `node_modules` from which something was taken. */
  readonly bundled: readonly string[];
}

const entry = 'src/main/fairlead.ts';
/** Where `import()` stands of every command. */
const commandLists = ['src/main/commands.ts', 'src/main/part-commands.ts'];
/** What each process loads before it is ready that runs for long. A command that is not here works as well, with more in its files than it needs. */
const processes: readonly (readonly string[])[] = [
  ['main/part/proxy', 'main/part/proxy-tasks', 'main/part/proxy-configuration', 'main/part/run-proxy', 'proxy/mode/nftables/nftables-mode'],
  ['main/part/kubelet', 'kubelet/kubelet'],
  ['main/part/net-agent', 'net-agent/start', 'cni/start'],
  ['main/part/dns', 'dns/start'],
  ['main/part/speaker', 'speaker/start'],
  ['main/agent-command', 'kubelet/kubelet', 'main/part/run-proxy', 'proxy/mode/nftables/nftables-mode', 'net-agent/start', 'dns/start'],
  ['main/part/apiserver', 'apiserver/apiserver', 'storage/open'],
  ['main/part/controller-manager', 'controllers/start', 'main/part/led'],
  ['main/part/scheduler', 'scheduler/scheduler', 'main/part/led'],
  ['main/server-command', 'apiserver/apiserver', 'storage/open', 'storage/sqlite/open-url', 'controllers/start', 'scheduler/scheduler'],
].map((files) => ['cli/cli', 'main/commands', 'main/part/part-process', 'main/part/part-client', ...files].map((file) => `src/${file}.ts`));
/** A shell's way in lies beside the modules: it names them. */
export const launcher = 'src/main/fairlead.sh';
/** It finds its native part by where it lies. */
const unbundled: string[] = ['netlink'];

/** What URLs in the sources led to. */
class Found {
  readonly entries: Set<string> = new Set([entry]);
  readonly files = new Set<string>();
  readonly required: Set<string> = new Set(unbundled);
}

/** The name of a module without its folder. Throws where two would have the same. */
function nameOf(path: string, entries: ReadonlySet<string>): string {
  const name = basename(path, '.ts');
  const same = [...entries].filter((other) => basename(other, '.ts') === name);
  if (same.length > 1) throw new Error(`${same.join(' and ')} would be one file of the package: rename one`);
  return name;
}

/** The modules that ask where they lie, as a pattern of their paths: being asked about every module would cost the build most of its time. */
function askingWhere(root: string): RegExp {
  const files = globSync('src/**/*.ts', { cwd: root }).filter((file) => readFileSync(join(root, file), 'utf8').includes('import.meta.'));
  return new RegExp(`/(?:${files.map((file) => file.replaceAll('.', '\\.')).join('|')})$`);
}

function projectUrls(root: string, found: Found): Plugin {
  const place = (file: string, path: string): string => {
    const target = relative(root, join(dirname(file), path));
    if (target === launcher) return './fairlead.sh';
    if (target.endsWith('.ts')) {
      found.entries.add(target);
      return `./${nameOf(target, found.entries)}.js`;
    }
    if (target !== '') found.files.add(target);
    return `../../${target}`;
  };
  return {
    name: 'project-urls',
    setup({ onLoad }) {
      onLoad({ filter: askingWhere(root) }, ({ path }) => {
        const text = readFileSync(path, 'utf8');
        for (const name of requiredIn(text)) found.required.add(name);
        return { contents: rewriteUrls(text, relative(root, path), (url) => place(path, url)), loader: 'ts' };
      });
    },
  };
}

const common = {
  bundle: true,
  write: false,
  outdir: 'lib',
  format: 'esm',
  platform: 'node',
  target: 'node24',
  legalComments: 'none',
  logLevel: 'error',
} as const;

function packagesOf(metafile: Metafile): string[] {
  const folders = Object.keys(metafile.inputs).map((input) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0]);
  return [...new Set(folders.filter((folder) => folder !== undefined))].toSorted();
}

/** What `--help`, `--version` and completion load: of every command its flags. */
function flagsOfAll({ inputs }: Metafile): string[] {
  const imports = commandLists.flatMap((file) => inputs[file]?.imports ?? []);
  const flags = imports.flatMap(({ kind, path }) => (kind === 'dynamic-import' ? [path] : []));
  return [...new Set(['src/cli/cli.ts', 'src/main/commands.ts', ...flags])];
}

/** `import()` of CommonJS gives no names once it is a module of a bundle. Throws where one would be missed. */
function refuseNamesOfCommonJs({ inputs }: Metafile): void {
  for (const [file, { imports }] of Object.entries(inputs))
    for (const { kind, path } of imports)
      if (kind === 'dynamic-import' && inputs[path]?.format === 'cjs')
        throw new Error(
          `${file} takes names of ${path} by import(), which is CommonJS: say in src/package/bundle.ts which modules to take`,
        );
}

/** Bundles the program. `root` is the checkout. */
export async function bundle(root: string): Promise<Bundle> {
  const found = new Found();
  for (;;) {
    const before = found.entries.size;
    const result = await build({
      absWorkingDir: root,
      // In one order, as it is in the names of modules.
      entryPoints: Object.fromEntries([...found.entries].toSorted().map((path) => [nameOf(path, found.entries), path])),
      splitting: true,
      external: unbundled,
      // Its other half is CommonJS.
      alias: { yaml: join(root, 'node_modules/yaml/browser/index.js') },
      metafile: true,
      ...common,
      plugins: [projectUrls(root, found)],
    });
    // A worker or a process that a module starts is one more way in, with modules of its own.
    if (found.entries.size > before) continue;
    refuseNamesOfCommonJs(result.metafile);
    const split = new Map(result.outputFiles.map(({ path, text }) => [basename(path), text]));
    const ways = [...found.entries].toSorted();
    const listed = [...processes, flagsOfAll(result.metafile)];
    const modules = await merge({ contents: split, outputs: result.metafile.outputs }, ways, listed, {
      ...common,
      // What older packages are written for, where no module of theirs is.
      banner: { js: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);" },
    });
    const hash = createHash('sha256');
    for (const [name, content] of [...modules].toSorted()) hash.update(`${name}\n`).update(content);
    return {
      modules,
      id: hash.digest('hex').slice(0, 12),
      files: [...found.files].toSorted(),
      required: [...found.required].toSorted(),
      bundled: packagesOf(result.metafile),
    };
  }
}
