/** `npm start`: installs what is missing, then starts the lab. Arguments go to `fairlead lab up`. */
import { join } from 'node:path';
import { ensureDependencies } from './dependencies.mjs';
import { ensurePackages } from './packages.mjs';
import { find, main, root, runPinned, say } from './process.mjs';

main((args) => {
  ensureDependencies();
  ensurePackages();
  const code = runPinned('start the lab', [join(root, 'src/main/fairlead.ts'), 'lab', 'up', ...args]);
  if (code === 0) say('"npm stop" ends it with all that you create in it; "npm stop -- --keep" keeps that for the next start');
  if (code === 0 && find('kubectl') === undefined)
    say('kubectl is not installed: get it as kubernetes.io/docs/tasks/tools says, or run "src/main/fairlead.sh lab tour"');
  return code;
});
