/** `fairlead COMMAND`. */
// biome-ignore lint/correctness/useImportExtensions: the types beside it are for .ts files
import { useCompileCache } from './compile-cache.mjs';

useCompileCache();
// Only what is loaded from now on is kept compiled.
const [{ runProcess }, { programOf }] = await Promise.all([import('../cli/cli.ts'), import('./commands.ts')]);
await runProcess(await programOf(process.argv[2]));
