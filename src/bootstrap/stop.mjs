/** `npm stop`: ends the lab. Arguments go to `fairlead lab down`. */
import { join } from 'node:path';
import { ensureDependencies } from './dependencies.mjs';
import { main, root, runPinned } from './process.mjs';

main((args) => {
  ensureDependencies();
  return runPinned('end the lab', [join(root, 'src/main/fairlead.ts'), 'lab', 'down', ...args]);
});
