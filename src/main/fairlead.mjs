/** `fairlead COMMAND`, with compiled code that is kept from the beginning: `fairlead.ts` itself is in it. */
// biome-ignore lint/correctness/useImportExtensions: the types beside it are for .ts files
import { useCompileCache } from './compile-cache.mjs';

useCompileCache();
await import('./fairlead.ts');
