/** Which files of a folder are to be changed, and which of its tests can notice. */
import { posix } from 'node:path';

/** Path from the root → text. */
export type Sources = ReadonlyMap<string, string>;

/** Files, sockets, processes and the kernel: what is done there only tests of another kind see. */
const edges =
  /from '(?:node:(?:fs|net|tls|https?|http2|dgram|dns|child_process|worker_threads|sqlite)(?:\/\w+)?|koffi|netlink|fastify|ws|@grpc\/[\w-]+)'/;

const modules = /'(\.{1,2}\/[^'\n]+\.(?:ts|mjs))'/g;

/** With `import(…)` and `new URL('…')`, which workers are started with. */
function importsOf(file: string, text: string): string[] {
  return [...text.matchAll(modules)].map((match) => posix.join(posix.dirname(file), match[1]!));
}

/** With all that they load from elsewhere: a test may come to a file by way of another folder. `read` gives a file's text, and nothing when there is none. */
export function withLoaded(sources: Sources, read: (file: string) => string | undefined): Sources {
  const all = new Map(sources);
  for (const [name, text] of all)
    for (const target of importsOf(name, text)) {
      const loaded = all.has(target) ? undefined : read(target);
      if (loaded !== undefined) all.set(target, loaded);
    }
  return all;
}

/** The tests among the sources that bear a file's name, or load it, directly or by what they import; nearest first. */
export function testsOf(file: string, sources: Sources): string[] {
  const importers = new Map<string, string[]>();
  for (const [name, text] of sources)
    for (const target of importsOf(name, text)) importers.set(target, [...(importers.get(target) ?? []), name]);
  const namesake = file.replace(/\.ts$/, '.test.ts');
  const seen = new Set(sources.has(namesake) ? [file, namesake] : [file]);
  for (const name of seen) for (const importer of importers.get(name) ?? []) seen.add(importer);
  return [...seen].filter((name) => name.endsWith('.test.ts') && !name.endsWith('.integration.test.ts'));
}

/** Neither a test nor made for tests (`conformance.ts` is what every variant of a seam has to pass), nor types alone. */
export function isSource(file: string): boolean {
  return file.endsWith('.ts') && !/\.test\.ts$|\.d\.ts$|(^|\/)(testing\/|conformance\.ts$)/.test(file);
}

/** Nothing that it loads has an edge. `read` gives a file's text, and nothing when there is none. */
export function isPure(file: string, read: (file: string) => string | undefined): boolean {
  const seen = new Set([file]);
  for (const name of seen) {
    const text = read(name)?.replaceAll(/^import type [^;]*;/gm, '') ?? '';
    if (edges.test(text)) return false;
    for (const target of importsOf(name, text)) seen.add(target);
  }
  return true;
}
