/** Where the API server is and who asks, from a kubeconfig file. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { createSecureContext } from 'node:tls';
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../clock/clock.ts';
import { KnownError, messageOf } from '../errors/known-error.ts';
import type { ClientConfig, Credentials } from './client-config.ts';

interface Kubeconfig {
  readonly 'current-context'?: string;
  readonly clusters?: readonly { readonly name: string; readonly cluster: Readonly<Record<string, string | boolean | undefined>> }[];
  readonly users?: readonly { readonly name: string; readonly user: Readonly<Record<string, string | undefined>> }[];
  readonly contexts?: readonly { readonly name: string; readonly context: { readonly cluster: string; readonly user: string } }[];
}

/** Files as they are read. */
class Files {
  readonly paths: string[] = [];
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
  }

  async text(path: string): Promise<string> {
    const whole = resolve(this.#dir, path);
    this.paths.push(whole);
    return await readFile(whole, 'utf8');
  }

  /** Reads `KEY-data` (base64), else the file that `KEY` names. */
  async pem(from: Readonly<Record<string, string | boolean | undefined>>, key: string): Promise<string | undefined> {
    const [data, file] = [from[`${key}-data`], from[key]];
    if (typeof data === 'string') return Buffer.from(data, 'base64').toString('utf8');
    return typeof file === 'string' ? await this.text(file) : undefined;
  }
}

/** Ours are JSON, which is YAML too. The package yaml weighs 11 MB in memory, so it is loaded for those of others only. */
async function parseConfig(text: string): Promise<Kubeconfig> {
  if (text.startsWith('{')) return JSON.parse(text) as Kubeconfig;
  return ((await import('yaml')).parse(text) ?? {}) as Kubeconfig;
}

/** The current context of a kubeconfig file. Throws BAD_CONFIG naming what is missing. */
export async function loadKubeconfig(path: string): Promise<ClientConfig> {
  return (await readKubeconfig(path)).config;
}

/** How often files are looked at: soon enough for what has ended to be replaced, and no cost between. */
const lookMs = 10_000;

/**
 * The same, and its credentials follow the files: who rotates a certificate, or writes the kubeconfig anew, restarts nothing. Files that cannot be
 * used, as when one of two is written already, change nothing. Throws BAD_CONFIG.
 */
export async function followKubeconfig(path: string, clock: Pick<Clock, 'monotonic'>): Promise<ClientConfig> {
  const first = await readWithState(path, [path]);
  let { paths, state } = first;
  let lookedAt = clock.monotonic();
  const renewed = async (): Promise<Credentials | undefined> => {
    if (clock.monotonic() - lookedAt < lookMs) return undefined;
    lookedAt = clock.monotonic();
    const read = (await stateOf(paths)) === state ? undefined : await readWithState(path, paths).catch(() => undefined);
    if (!read || !isUsable(read.config)) return undefined;
    ({ paths, state } = read);
    return credentialsOf(read.config);
  };
  return { ...first.config, renewed };
}

/** What the files say, and how they were before that was read: who writes one meanwhile is seen by the next look. `paths` are those of the last time. */
async function readWithState(
  path: string,
  paths: readonly string[],
): Promise<{ config: ClientConfig; paths: readonly string[]; state: string }> {
  for (let looked = paths; ; ) {
    const state = await stateOf(looked);
    const read = await readKubeconfig(path);
    if (isDeepStrictEqual(read.paths, looked)) return { ...read, state };
    looked = read.paths;
  }
}

/** What changes when a file is written over, replaced, or reached by another link. */
async function stateOf(paths: readonly string[]): Promise<string> {
  const states = paths.map(async (path) => {
    const found = await stat(path).catch(() => undefined);
    return found && [found.ino, found.mtimeMs, found.size].join();
  });
  return (await Promise.all(states)).join(';');
}

/** Where the server is stays as it was: it may have been chosen in place of what the file says. */
function credentialsOf({ server: _server, serverName: _name, insecureSkipTlsVerify: _skip, ...credentials }: ClientConfig): Credentials {
  return credentials;
}

function isUsable({ ca, cert, key }: Credentials): boolean {
  try {
    createSecureContext({ ca, cert, key });
    // An empty text is fine there.
    return cert === undefined || (key !== undefined && new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)));
  } catch {
    return false;
  }
}

async function readKubeconfig(path: string): Promise<{ config: ClientConfig; paths: readonly string[] }> {
  const dir = dirname(path);
  const files = new Files(dir);
  try {
    const config = await parseConfig(await files.text(resolve(path)));
    const wanted = config['current-context'];
    const context = config.contexts?.find((c) => c.name === wanted)?.context;
    if (!context) throw new Error(`there is no context "${wanted ?? ''}"`);
    const cluster = config.clusters?.find((c) => c.name === context.cluster)?.cluster;
    if (typeof cluster?.server !== 'string') throw new Error(`there is no cluster "${context.cluster}" with a server`);
    const user = config.users?.find((u) => u.name === context.user)?.user ?? {};
    const found = {
      ca: await files.pem(cluster, 'certificate-authority'),
      cert: await files.pem(user, 'client-certificate'),
      key: await files.pem(user, 'client-key'),
      token: user.token,
      tokenFile: user.tokenFile === undefined ? undefined : resolve(dir, user.tokenFile),
      serverName: typeof cluster['tls-server-name'] === 'string' ? cluster['tls-server-name'] : undefined,
      insecureSkipTlsVerify: cluster['insecure-skip-tls-verify'] === true ? true : undefined,
    };
    const set = Object.entries(found).filter(([, value]) => value !== undefined);
    return { config: { server: cluster.server, ...Object.fromEntries(set) }, paths: files.paths };
  } catch (err) {
    throw new KnownError('BAD_CONFIG', `Cannot read kubeconfig "${path}": ${messageOf(err)}`, {
      hint: 'Give a file that "kubectl config view --kubeconfig FILE" can read',
      cause: err,
    });
  }
}
