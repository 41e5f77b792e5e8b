/** `fairlead COMMAND`. */
import { useCompileCache } from './compile-cache.ts';

useCompileCache();
// Only what is loaded from now on is kept compiled.
const [{ runProcess }, { root }] = await Promise.all([import('../cli/cli.ts'), import('./commands.ts')]);
await runProcess(root);
