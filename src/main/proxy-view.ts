/** What the commands that look at a proxy know of it: from their flags, and from the proxy that runs here. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { homedir, hostname } from 'node:os';
import { join } from 'node:path';
import { Client } from '../client/client.ts';
import { loadKubeconfig } from '../client/kubeconfig.ts';
import { KnownError } from '../errors/known-error.ts';
import { completed, readProxyConfig } from '../proxy/config/config.ts';
import type { KubeProxyConfiguration } from '../proxy/config/kube-proxy-configuration.ts';
import { defaultMode } from '../proxy/mode/modes.ts';
import type { ModeView } from '../proxy/mode/view.ts';
import { views } from '../proxy/mode/views.ts';
import type { FlagReader } from './flag-reader.ts';

/** One that does not listen is known at once; a busy machine answers late. */
const defaultPatienceMs = 20_000;

/** Whether nothing came in time, be it of us or of `fetch`, whose patience to connect is shorter. */
function isLate(err: unknown): boolean {
  if (err instanceof DOMException && err.name === 'TimeoutError') return true;
  const { code } = ((err as Error).cause ?? {}) as { readonly code?: string };
  return code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'ETIMEDOUT';
}

/** What is no proxy tells nothing. One that is late is not passed over: what it runs would be shown as another mode's. Throws PROXY_UNREACHABLE. */
async function page(address: string, path: string, patienceMs: number): Promise<string | undefined> {
  try {
    const answer = await fetch(`http://${address}${path}`, { signal: AbortSignal.timeout(patienceMs) });
    return answer.ok ? await answer.text() : undefined;
  } catch (err) {
    if (!isLate(err)) return undefined;
    throw new KnownError('PROXY_UNREACHABLE', `Cannot ask the service proxy at "${address}" for its mode: it has not answered`, {
      hint: `Try again; what it does stands in its log, and curl http://${address}/healthz tells whether it is stuck`,
      cause: err,
    });
  }
}

/** The configuration of the proxy that runs here, and its mode; nothing when there is none, or one that does not tell. */
async function askRunning(address: string, patienceMs: number): Promise<{ readonly mode?: string; readonly configuration?: object }> {
  const [mode, configz] = await Promise.all([page(address, '/proxyMode', patienceMs), page(address, '/configz', patienceMs)]);
  const configuration = configz === undefined ? undefined : (JSON.parse(configz) as Record<string, object>)['kubeproxy.config.k8s.io'];
  // What another proxy tells is its own, and may have no version.
  if (!(configuration && 'apiVersion' in configuration)) return mode ? { mode: mode.trim() } : {};
  return { ...(mode ? { mode: mode.trim() } : {}), ...(configuration ? { configuration } : {}) };
}

/** In the mode that the flag, the proxy that runs here, or the configuration says. `asks`: whether the proxy that runs here counts. Throws BAD_CONFIG, PROXY_UNREACHABLE. */
export async function viewedConfiguration(
  read: FlagReader,
  asks: boolean,
  patienceMs: number = defaultPatienceMs,
): Promise<KubeProxyConfiguration> {
  const running = asks ? await askRunning(read.text('proxy-metrics-address'), patienceMs) : {};
  const path = read.optional('config');
  const text = path === undefined ? running.configuration && JSON.stringify(running.configuration) : await readFile(path, 'utf8');
  const told = text === undefined ? completed() : completed(readProxyConfig(text));
  const runningMode = path === undefined ? running.mode : undefined;
  return completed(told, { mode: read.optional('mode') ?? runningMode ?? (told.mode || defaultMode) });
}

/** Throws BAD_CONFIG for a mode that has no rules. */
export async function viewOf(mode: string): Promise<ModeView> {
  const load = Object.hasOwn(views, mode) ? views[mode] : undefined;
  if (load) return await load();
  throw new KnownError('BAD_CONFIG', `Cannot show the rules of mode "${mode}": it carries packets in the proxy's process, by no rules`, {
    hint: `What another mode would program is shown by --mode ${Object.keys(views).join(' or ')}`,
  });
}

/** Throws USAGE when nothing says where the API server is. */
export async function viewingClient(read: FlagReader, { clientConnection }: KubeProxyConfiguration): Promise<Client> {
  const home = join(homedir(), '.kube/config');
  const path =
    read.optional('kubeconfig') ??
    (clientConnection.kubeconfig || process.env.KUBECONFIG?.split(':').find(Boolean) || (existsSync(home) ? home : undefined));
  if (path === undefined)
    throw new KnownError('USAGE', 'Cannot read the cluster: no kubeconfig is given', {
      hint: "--kubeconfig FILE; a node's own will do: /etc/kubernetes/kubelet.conf",
    });
  return new Client(await loadKubeconfig(path));
}

/** As upstream's parts name the node. */
export function thisNode({ hostnameOverride }: Pick<KubeProxyConfiguration, 'hostnameOverride'>): string {
  return hostnameOverride || hostname().toLowerCase();
}

/** Throws NOT_ROOT. */
export function requireRootToRead(command: string): void {
  if (process.getuid?.() === 0) return;
  throw new KnownError('NOT_ROOT', `Cannot read this node's rules: root is needed`, { hint: `sudo fairlead ${command}` });
}
