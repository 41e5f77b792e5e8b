/**
 * Modules that the same processes load, as one file. Splitting by `import()` leaves a start with a hundred files and six hundred names to resolve, which takes
 * Node.js longer than to run what is in them.
 */
import { type BuildOptions, build, type Metafile, type OnResolveArgs, type OnResolveResult, type Plugin } from 'esbuild';

export interface Modules {
  /** Names and contents. */
  readonly contents: ReadonlyMap<string, string>;
  readonly outputs: Metafile['outputs'];
}

interface Place {
  /** The file that it is merged into. */
  readonly file: string;
  /** Tells its exports from those of others in the file. */
  readonly number: number;
  readonly exports: readonly string[];
}

const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

/** What a module loads at once. */
function importsOf({ imports }: Metafile['outputs'][string]): string[] {
  return imports.filter(({ kind, external }) => kind === 'import-statement' && !external).map(({ path }) => nameOf(path));
}

/** What entries load together. */
function closureOf(entries: readonly string[], outputs: Metafile['outputs']): Set<string> {
  const byName = new Map(Object.entries(outputs).map(([path, output]) => [nameOf(path), output]));
  const waiting = Object.entries(outputs).flatMap(([path, { entryPoint }]) => (entries.includes(entryPoint ?? '') ? [nameOf(path)] : []));
  if (waiting.length !== entries.length) throw new Error(`Not all of ${entries.join(', ')} are ways into the bundle`);
  const loaded = new Set<string>();
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    const output = byName.get(name);
    if (!output || loaded.has(name)) continue;
    loaded.add(name);
    waiting.push(...importsOf(output));
  }
  return loaded;
}

/**
 * Where modules go: those that the same processes load go together. What a module loads at once is loaded by whichever process
 * loads the module, so no two files load each other.
 */
function placesOf({ outputs }: Modules, ways: readonly string[], processes: readonly (readonly string[])[]): Map<string, Place> {
  const loaded = [...ways.map((way) => [way]), ...processes].map((entries) => closureOf(entries, outputs));
  const all = Object.entries(outputs).map(([path, output]) => ({ ...output, name: nameOf(path) }));
  const loadersOf = ({ name }: { name: string }): string => loaded.map((names) => (names.has(name) ? '1' : '0')).join('');
  const groups = Map.groupBy(
    all.filter(({ entryPoint = '', name }) => !ways.includes(entryPoint) && loaded.some((names) => names.has(name))),
    loadersOf,
  );
  const places = new Map<string, Place>();
  for (const [at, members] of [...groups.values()].filter(({ length }) => length > 1).entries())
    for (const [number, { name, exports }] of members.entries()) places.set(name, { file: `shared-${at}.js`, number, exports });
  return places;
}

/** `export` of names of a module under those that they have where it was merged, or the other way round. */
function reexport({ number, exports }: Place, from: string, isBack: boolean): string {
  const names = exports.map((name) => (isBack ? `${name}$${number} as ${name}` : `${name} as ${name}$${number}`));
  return names.length > 0 ? `export { ${names.join(', ')} } from ${JSON.stringify(from)};` : `import ${JSON.stringify(from)};`;
}

/** What a file that is made of several is made from. */
function all(file: string, places: ReadonlyMap<string, Place>): string {
  const members = [...places].filter(([, place]) => place.file === file);
  return members.map(([name, place]) => reexport(place, `./${name}`, false)).join('\n');
}

/** Where a module is that another imports: in the same file, or in one that is imported in its place. By `import()` it is asked for under its own name. */
function found({ path, kind, importer }: OnResolveArgs, places: ReadonlyMap<string, Place>): OnResolveResult {
  const name = nameOf(path);
  const place = path.startsWith('./') && kind === 'import-statement' ? places.get(name) : undefined;
  if (!place) return { path, external: true };
  const isBeside = importer === place.file || places.get(importer)?.file === place.file;
  return { path: name, namespace: isBeside ? 'here' : 'elsewhere' };
}

function merging({ contents }: Modules, places: ReadonlyMap<string, Place>): Plugin {
  return {
    name: 'merge',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /.*/ }, (asked) => {
        if (asked.kind !== 'entry-point') return found(asked, places);
        return { path: asked.path, namespace: places.has(asked.path) ? 'elsewhere' : 'here' };
      });
      onLoad({ filter: /.*/, namespace: 'here' }, ({ path }) => ({ contents: contents.get(path) ?? all(path, places) }));
      onLoad({ filter: /.*/, namespace: 'elsewhere' }, ({ path }) => {
        const place = places.get(path);
        return place && { contents: reexport(place, `./${place.file}`, true) };
      });
    },
  };
}

/**
 * Gives names and contents of fewer modules. `ways` are entries that are named from outside: they stay what they are, and each is loaded by a process of its own.
 * Each of `processes` is a list of entries that others load by `import()`.
 */
export async function merge(
  modules: Modules,
  ways: readonly string[],
  processes: readonly (readonly string[])[],
  options: BuildOptions,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const places = placesOf(modules, ways, processes);
  const kept = Object.entries(modules.outputs).filter(([path, { entryPoint }]) => entryPoint !== undefined || !places.has(nameOf(path)));
  const names = new Set([...kept.map(([path]) => nameOf(path)), ...[...places.values()].map(({ file }) => file)]);
  const entryPoints = Object.fromEntries([...names].toSorted().map((name) => [name.replace(/\.js$/, ''), name]));
  const { outputFiles = [] } = await build({ ...options, entryPoints, plugins: [merging(modules, places)] });
  return new Map(outputFiles.map(({ path, contents }) => [nameOf(path), contents]));
}
