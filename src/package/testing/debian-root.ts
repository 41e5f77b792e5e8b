/** A root directory that holds what a bare Debian has, some packages with all that they depend on, and nothing else of this machine. */
import { existsSync, globSync, lstatSync } from 'node:fs';
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { mustRun, systemExec } from '../../linux/exec.ts';

/** Installed packages by name, with what they need; those that every system has are marked. */
async function installed(): Promise<Map<string, { readonly needs: readonly string[]; readonly essential: boolean }>> {
  const format = `\${Package}\t\${Essential}\t\${Pre-Depends}, \${Depends}\n`;
  const lines = (await mustRun(systemExec, 'dpkg-query', ['-W', '-f', format])).trimEnd().split('\n');
  return new Map(
    lines.map((line) => {
      const [name = '', essential, needs = ''] = line.split('\t');
      return [name, { needs: namesIn(needs), essential: essential === 'yes' }];
    }),
  );
}

/** The names in a list of dependencies, alternatives and all. */
export function namesIn(dependencies: string): string[] {
  return dependencies
    .split(/[,|]/)
    .map((word) => /^\s*([a-z0-9][a-z0-9+.-]*)/.exec(word)?.[1])
    .filter((name) => name !== undefined);
}

/** Makes `root` of the packages as they are installed here. Throws for one that is not. */
export async function makeDebianRoot(root: string, names: readonly string[]): Promise<void> {
  const all = await installed();
  const missing = names.filter((name) => !all.has(name));
  if (missing.length > 0) throw new Error(`not installed here: ${missing.join(', ')}`);
  const wanted = new Set([...names, ...[...all].filter(([, { essential }]) => essential).map(([name]) => name)]);
  for (const name of wanted) for (const need of all.get(name)?.needs ?? []) if (all.has(need)) wanted.add(need);
  const listed = (await mustRun(systemExec, 'dpkg-query', ['-L', ...wanted])).split('\n').filter((path) => path.startsWith('/'));
  const files = listed.filter(
    (path) => !/^\/usr\/share\/(?:doc|locale|man|info|perl)\//.test(path) && existsSync(path) && !lstatSync(path).isDirectory(),
  );
  for (const dir of ['usr/bin', 'usr/sbin', 'usr/lib', 'usr/lib64', 'etc', 'proc', 'sys', 'dev', 'run', 'tmp', 'var/cache', 'root'])
    await mkdir(join(root, dir), { recursive: true });
  for (const dir of ['bin', 'sbin', 'lib', 'lib64']) await symlink(`usr/${dir}`, join(root, dir));
  const archive = join(root, 'tmp/packages.tar');
  await mustRun(systemExec, 'tar', ['-cf', archive, '-C', '/', '--no-recursion', '-T', '-'], {
    input: files.map((path) => `.${path}\n`).join(''),
  });
  await mustRun(systemExec, 'tar', ['-xf', archive, '-C', root]);
  await mustRun(systemExec, 'rm', [archive]);
  // What update-alternatives and ldconfig made of them.
  const made = globSync(['etc/alternatives/ip*tables*', 'usr/sbin/ip*tables*', 'etc/ld.so.*'], { cwd: '/' });
  await mustRun(systemExec, 'cp', ['-a', '--parents', ...made, root], { cwd: '/' });
}
