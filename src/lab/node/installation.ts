/** Where the program that runs lies, on this machine and on a node: a checkout or an unpacked package, which nodes see at /opt/fairlead. */
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const installation: string = fileURLToPath(new URL('../../../', import.meta.url));

/** What a shell runs as `fairlead`. */
export const program: string = fileURLToPath(new URL('../../main/fairlead.sh', import.meta.url));

/** The path on a node of a file of the installation. */
export function onNode(path: string): string {
  return join('/opt/fairlead', relative(installation, path));
}
