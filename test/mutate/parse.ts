/** Syntax trees, from TypeScript's own parser. */
import type { SourceFile } from 'typescript/unstable/ast';
import { createVirtualFileSystem } from 'typescript/unstable/fs';
import { API } from 'typescript/unstable/sync';

/** A tree for each text. Nothing else is read: neither what they import nor the library. */
export function parse(texts: ReadonlyMap<string, string>): Map<string, SourceFile> {
  const config = { compilerOptions: { noLib: true, noResolve: true, types: [] }, files: [...texts.keys()].map((file) => `/${file}`) };
  const files = Object.fromEntries([...texts].map(([file, text]) => [`/${file}`, text]));
  const api = new API({ cwd: '/', fs: createVirtualFileSystem({ ...files, '/tsconfig.json': JSON.stringify(config) }) });
  try {
    const [project] = api.updateSnapshot({ openProjects: ['/tsconfig.json'] }).getProjects();
    return new Map([...texts.keys()].map((file) => [file, project!.program.getSourceFile(`/${file}`)!]));
  } finally {
    api.close();
  }
}
