/** `npm run build`: installs what is missing, then makes the package. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ensureDependencies } from './dependencies.mjs';
import { main, pinnedNode, root } from './process.mjs';

main((args) => {
  ensureDependencies();
  const { status } = spawnSync(pinnedNode, [join(root, 'src/package/build.ts'), ...args], { stdio: 'inherit' });
  return status ?? 130;
});
