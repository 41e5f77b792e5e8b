/** The package, built and unpacked for benches. */
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { mustRun, systemExec } from '../../src/linux/exec.ts';

const build = join(import.meta.dirname, '../../src/package/build.ts');

interface BuiltPackage {
  readonly archive: string;
  readonly deb: string;
  /** Where it is installed, with a Node.js of its own: `bin/fairlead`. */
  readonly installed: string;
}

/** In an empty directory. */
export async function buildPackage(dir: string): Promise<BuiltPackage> {
  const out = await mustRun(systemExec, process.execPath, [build, '--out', dir]);
  const [archive = '', deb = ''] = out
    .trimEnd()
    .split('\n')
    .map((path) => resolve(path));
  const installed = join(dir, 'installed');
  await mkdir(installed);
  await mustRun(systemExec, 'tar', ['-xzf', archive, '-C', installed, '--strip-components=1']);
  return { archive, deb, installed };
}
