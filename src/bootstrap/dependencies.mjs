/** Installs the npm packages that the lock file names, when those that are there are not the same. */
import { accessSync, constants, lstatSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isRoot, mustRun, pinnedNode, readJson, root, Stop, say } from './process.mjs';

function fits(entry) {
  const lists = [
    [entry.os, process.platform],
    [entry.cpu, process.arch],
  ];
  return lists.every(([list, value]) => !list || (list.includes(value) && !list.includes(`!${value}`)));
}

/** Why `npm ci` is needed, or undefined. npm leaves a copy of what it installed in node_modules/.package-lock.json. */
export function outdated(lock, installed) {
  if (!installed) return 'nothing is installed yet';
  for (const [path, entry] of Object.entries(lock.packages)) {
    if (path === '' || entry.link) continue;
    const there = installed.packages[path];
    // What is optional is left out for other processors and C libraries.
    if (!there && (entry.optional || !fits(entry))) continue;
    if (there?.version !== entry.version || there?.integrity !== entry.integrity) return `${path} is not ${entry.version}`;
  }
  return undefined;
}

/** The user a checkout belongs to: what root installs must not become root's there. */
function owner() {
  const { uid, gid } = statSync(root);
  if (!isRoot() || uid === 0) return {};
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.split(':')[2] === String(uid));
  const home = line?.split(':')[5];
  return { uid, gid, env: { ...process.env, ...(home ? { HOME: home, npm_config_cache: join(home, '.npm') } : {}) } };
}

export function ensureDependencies() {
  const lock = readJson(join(root, 'package-lock.json'));
  const why = lock ? outdated(lock, readJson(join(root, 'node_modules/.package-lock.json'))) : undefined;
  let pinned = true;
  try {
    statSync(pinnedNode);
  } catch {
    pinned = false;
  }
  if (why === undefined && pinned) return;
  // npm would empty the directory behind a link, which belongs to another checkout.
  if (lstatSync(join(root, 'node_modules'), { throwIfNoEntry: false })?.isSymbolicLink())
    throw new Stop(
      `Cannot install npm packages: node_modules is a link, and ${why ?? 'the pinned Node.js is missing'}\n  next: remove the link`,
    );
  try {
    accessSync(root, constants.W_OK);
  } catch {
    throw new Stop(
      `Cannot install npm packages: "${root}" may not be written\n  next: run it with sudo, or clone into a directory of your own`,
    );
  }
  say(`Installing npm packages: ${why ?? 'the pinned Node.js is missing'}`);
  // npm tells its scripts where it is; another npm on the path may be of another version.
  const npm = process.env.npm_execpath;
  // Whatever the user's own npm is told: development packages are needed (NODE_ENV=production leaves them out), and packages that want
  // a newer Node.js get it, as they run under the pinned one.
  const args = ['ci', '--no-audit', '--no-fund', '--include=dev', '--include=optional', '--engine-strict=false', '--loglevel=error'];
  const options = { ...owner(), next: 'npm must reach its registry, or have the packages in its cache' };
  if (npm?.endsWith('.js')) mustRun(process.execPath, [npm, ...args], options);
  else mustRun('npm', args, options);
}
