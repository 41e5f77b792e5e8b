/**
 * How the code names a file of the project that is no module of its own process: `new URL('./launch.sh', import.meta.url)`, and nothing else. A
 * bundle moves modules, so the build rewrites each of these, and refuses what it would break. Pure.
 */
import { KnownError } from '../errors/known-error.ts';

const urlPattern = /new URL\(\s*'([^']+)',\s*import\.meta\.url\s*\)/g;
const requirePattern = /createRequire\(import\.meta\.url\)\('([^']+)'\)/g;

/** `place` is given each path as it is written, and gives what stands there in the bundle. Throws USAGE for other uses of where a module lies. */
export function rewriteUrls(text: string, file: string, place: (path: string) => string): string {
  const rewritten = text.replace(urlPattern, (_, path: string) => `new URL('${place(path)}', import.meta.url)`);
  const rest = rewritten.replace(urlPattern, '').replace(requirePattern, '');
  const other = /import\.meta\.(?:url|dirname|filename)/.exec(rest)?.[0];
  if (other === undefined) return rewritten;
  throw new KnownError('USAGE', `Cannot bundle "${file}": it uses ${other}, and a bundle lies elsewhere`, {
    hint: "Name the file by new URL('./file', import.meta.url)",
  });
}

/** Packages that a module loads when it needs them. */
export function requiredIn(text: string): string[] {
  return [...text.matchAll(requirePattern)].map((found) => found[1] ?? '');
}
