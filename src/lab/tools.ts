/** The programs that a lab starts: where they are, and what installs those that are missing. */
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { KnownError } from '../errors/known-error.ts';
import { stateRoot } from './plan.ts';

/** Programs that the lab starts, and the Debian package that brings each. */
const packages = {
  busybox: 'busybox-static',
  containerd: 'containerd',
  'containerd-shim-runc-v2': 'containerd',
  ctr: 'containerd',
  runc: 'runc',
  ip: 'iproute2',
  nft: 'nftables',
  nsenter: 'util-linux',
  unshare: 'util-linux',
  umount: 'mount',
  cp: 'coreutils',
  tar: 'tar',
} as const;

export type Tool = keyof typeof packages;
export type Tools = Readonly<Record<Tool, string>>;

/** Where administrators' programs are, also when PATH (a user's, under sudo) does not say so. */
export const systemPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

async function find(name: string, path: string): Promise<string | undefined> {
  for (const dir of path.split(delimiter)) if (await isProgram(join(dir, name))) return join(dir, name);
  return undefined;
}

/** The system's own first: a PATH with an odd busybox must not decide what nodes are made of. */
async function findOnPath(name: string, path: string = process.env.PATH ?? ''): Promise<string | undefined> {
  return await find(name, `${systemPath}:${path}`);
}

export async function isProgram(path: string): Promise<boolean> {
  return await access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** A static busybox that bootstrap unpacked because the system's own, dynamic one must stay. */
const unpackedBusybox = join(stateRoot, '.cache', 'busybox');

/** The static busybox that images are made of, if it is installed. */
export async function findBusybox(): Promise<string | undefined> {
  return (await isProgram(unpackedBusybox)) ? unpackedBusybox : await find('busybox', systemPath);
}

/** Throws TOOL_MISSING where nodes could not run the service proxy in this mode. */
export async function requireProxyTools(mode: string | undefined): Promise<void> {
  if ((mode !== 'iptables' && mode !== 'ipvs') || (await findOnPath('iptables-restore')) !== undefined) return;
  throw new KnownError('TOOL_MISSING', `Cannot start a lab with proxy mode "${mode}": iptables is not installed`, {
    hint: 'apt-get install --no-remove --no-install-recommends iptables',
  });
}

/** Throws TOOL_MISSING where control planes could not run a member of the store. */
export async function requireStoreProgram(
  store: string,
  program: { readonly name: string; readonly package: string } | undefined,
  path?: string,
): Promise<void> {
  if (!program || (await findOnPath(program.name, path)) !== undefined) return;
  throw new KnownError('TOOL_MISSING', `Cannot start a lab with store "${store}": ${program.name} is not installed`, {
    hint: `apt-get install --no-remove --no-install-recommends ${program.package}`,
  });
}

/** Finds every program. Throws TOOL_MISSING that names all that are missing and the command that installs them. */
export async function findTools(): Promise<Tools> {
  const names = Object.keys(packages) as Tool[];
  const found = new Map(await Promise.all(names.map(async (name) => [name, await findOnPath(name)] as const)));
  if (await isProgram(unpackedBusybox)) found.set('busybox', unpackedBusybox);
  const missing = names.filter((name) => found.get(name) === undefined);
  if (missing.length > 0) {
    const wanted = [...new Set(missing.map((name) => packages[name]))].join(' ');
    throw new KnownError('TOOL_MISSING', `Cannot start a lab: ${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} not installed`, {
      hint: `apt-get install --no-remove --no-install-recommends ${wanted}`,
    });
  }
  return Object.fromEntries(found) as Tools;
}
