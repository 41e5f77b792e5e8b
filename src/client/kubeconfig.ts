/** Where the API server is and who asks, from a kubeconfig file. */
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { KnownError, messageOf } from '../errors/known-error.ts';
import type { ClientConfig } from './client-config.ts';

interface Kubeconfig {
  readonly 'current-context'?: string;
  readonly clusters?: readonly { readonly name: string; readonly cluster: Readonly<Record<string, string | boolean | undefined>> }[];
  readonly users?: readonly { readonly name: string; readonly user: Readonly<Record<string, string | undefined>> }[];
  readonly contexts?: readonly { readonly name: string; readonly context: { readonly cluster: string; readonly user: string } }[];
}

/** Reads `KEY-data` (base64), else the file that `KEY` names, relative to the kubeconfig. */
async function pem(from: Readonly<Record<string, string | boolean | undefined>>, key: string, dir: string): Promise<string | undefined> {
  const data = from[`${key}-data`];
  if (typeof data === 'string') return Buffer.from(data, 'base64').toString('utf8');
  const file = from[key];
  return typeof file === 'string' ? await readFile(resolve(dir, file), 'utf8') : undefined;
}

/** Ours are JSON, which is YAML too. The package yaml weighs 11 MB in memory, so it is loaded for those of others only. */
async function parseConfig(text: string): Promise<Kubeconfig> {
  if (text.startsWith('{')) return JSON.parse(text) as Kubeconfig;
  return (await import('yaml')).parse(text) as Kubeconfig;
}

/**
 * The current context of a kubeconfig file. Throws BAD_CONFIG naming what is missing.
 */
export async function loadKubeconfig(path: string): Promise<ClientConfig> {
  const dir = dirname(path);
  try {
    const config = await parseConfig(await readFile(path, 'utf8'));
    const wanted = config['current-context'];
    const context = config.contexts?.find((c) => c.name === wanted)?.context;
    if (!context) throw new Error(`there is no context "${wanted ?? ''}"`);
    const cluster = config.clusters?.find((c) => c.name === context.cluster)?.cluster;
    if (typeof cluster?.server !== 'string') throw new Error(`there is no cluster "${context.cluster}" with a server`);
    const user = config.users?.find((u) => u.name === context.user)?.user ?? {};
    const found = {
      ca: await pem(cluster, 'certificate-authority', dir),
      cert: await pem(user, 'client-certificate', dir),
      key: await pem(user, 'client-key', dir),
      token: user.token,
      tokenFile: user.tokenFile === undefined ? undefined : resolve(dir, user.tokenFile),
      serverName: typeof cluster['tls-server-name'] === 'string' ? cluster['tls-server-name'] : undefined,
      insecureSkipTlsVerify: cluster['insecure-skip-tls-verify'] === true ? true : undefined,
    };
    const set = Object.entries(found).filter(([, value]) => value !== undefined);
    return { server: cluster.server, ...Object.fromEntries(set) };
  } catch (err) {
    throw new KnownError('BAD_CONFIG', `Cannot read kubeconfig "${path}": ${messageOf(err)}`, {
      hint: 'Give a file that "kubectl config view --kubeconfig FILE" can read',
      cause: err,
    });
  }
}
