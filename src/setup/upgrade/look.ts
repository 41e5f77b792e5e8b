/** Looks at a machine that is to be upgraded, and at its cluster: the edge under `judge.ts`. Changes nothing. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { nodes as nodesResource } from '../../api/resource-types.ts';
import type { Node } from '../../api/schema/types.ts';
import { Client } from '../../client/client.ts';
import { loadKubeconfig } from '../../client/kubeconfig.ts';
import { ownHost, ownServer } from '../../client/own-server.ts';
import { messageOf } from '../../errors/known-error.ts';
import { withoutPassword } from '../../errors/without-password.ts';
import { gitVersion } from '../../observability/version.ts';
import { type Env, envOf, lookAtCertificates, lookAtServices } from '../doctor/gather.ts';
import { layout } from '../layout.ts';
import type { SetupContext } from '../setup-context.ts';
import { isCordonedByUpgrade } from './drain.ts';
import type { StoreFact, UpgradeFacts } from './facts.ts';

export interface StoreTools {
  /** Undefined where there is none that can be read. */
  readonly look: (path: string) => Omit<StoreFact & { readonly kind: 'file' }, 'kind'> | undefined;
  /** Keeps what the store holds in a file. */
  readonly save: (url: string, target: string) => Promise<void>;
}

/** What init or join has written down of this machine. */
export interface Site {
  readonly server: Env | undefined;
  readonly agent: Env | undefined;
  readonly nodeName: string;
}

export async function readSite(hostName: string): Promise<Site> {
  const { server, agent } = { server: await envOf('server'), agent: await envOf('agent') };
  return { server, agent, nodeName: agent?.FAIRLEAD_NODE_NAME ?? hostName };
}

/** Of a control plane its own API server and not one beside it; of a worker the one that its node talks to. */
export async function openClient({ server }: Site, timeoutMs: number): Promise<Client> {
  if (!server) return new Client({ ...(await loadKubeconfig(layout.kubeletConfig)), timeoutMs });
  const config = await loadKubeconfig(layout.adminConfig);
  return new Client({
    ...config,
    ...ownServer(server.FAIRLEAD_BIND_ADDRESS, server.FAIRLEAD_SECURE_PORT ?? '6443'),
    timeoutMs,
  });
}

export async function serverVersion(client: Pick<Client, 'raw'>, signal: AbortSignal): Promise<string> {
  return (JSON.parse(await client.raw('GET', '/version', { signal })) as { readonly gitVersion: string }).gitVersion;
}

/** How long an answer may take that is looked for before anything is done. */
const askMs = 10_000;
/** How long a service may take to end. */
const endMs = 10_000;

export async function lookAtMachine(context: SetupContext, site: Site, tools: Pick<StoreTools, 'look'>): Promise<UpgradeFacts> {
  const { server, agent, nodeName } = site;
  return {
    now: context.clock.now(),
    installed: gitVersion,
    role: server ? 'control-plane' : agent ? 'worker' : undefined,
    services: await servicesOf(context, site),
    nodeName,
    store: server && storeOf(server, tools),
    certificates: (await lookAtCertificates()).certificates,
    ...(server || agent ? await ask(site, context.signal) : { server: { why: 'nobody was asked' }, nodes: [], isCordonedByUpgrade: false }),
  };
}

async function servicesOf(context: SetupContext, site: Site): Promise<UpgradeFacts['services']> {
  const at = placesOf(site);
  const found = await lookAtServices(context, site);
  return await Promise.all(
    found.map(async (one) => ({ ...one, isElsewhere: !one.isRunning && (await staysTaken(at[one.name], context)) })),
  );
}

interface Place {
  readonly host: string;
  readonly port: number;
}

/** Where server and agent listen; an agent has no choice. Pure. */
export function placesOf({ server }: Pick<Site, 'server'>): Readonly<Record<'server' | 'agent', Place>> {
  return {
    server: { host: ownHost(server?.FAIRLEAD_BIND_ADDRESS), port: Number(server?.FAIRLEAD_SECURE_PORT ?? 6443) },
    agent: { host: '127.0.0.1', port: 10_250 },
  };
}

/** What an upgrade has ended before it was killed itself may take a while to go. */
async function staysTaken(place: Place, { clock, signal }: Pick<SetupContext, 'clock' | 'signal'>): Promise<boolean> {
  for (const deadline = clock.monotonic() + endMs; await isTaken(place); await clock.sleep(100, signal))
    if (clock.monotonic() > deadline) return true;
  return false;
}

/** Whether somebody listens there. */
export async function isTaken({ host, port }: Place): Promise<boolean> {
  const socket = connect(port, host);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function ask(site: Site, signal: AbortSignal): Promise<Pick<UpgradeFacts, 'server' | 'nodes' | 'isCordonedByUpgrade'>> {
  let client: Client | undefined;
  try {
    client = await openClient(site, askMs);
    await client.raw('GET', '/readyz', { signal });
    const version = await serverVersion(client, signal);
    const { items } = await client.list<Node>(nodesResource, { signal });
    return {
      server: { version },
      nodes: items.map(nodeVersion),
      isCordonedByUpgrade: isCordonedByUpgrade(items.find(({ metadata }) => metadata.name === site.nodeName)),
    };
  } catch (err) {
    signal.throwIfAborted();
    return { server: { why: messageOf(err) }, nodes: [], isCordonedByUpgrade: false };
  } finally {
    client?.close();
  }
}

function nodeVersion({ metadata, status }: Node): UpgradeFacts['nodes'][number] {
  const isReady = status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false;
  return { name: metadata.name ?? '', version: status?.nodeInfo?.kubeletVersion ?? '', isReady };
}

function storeOf(env: Env, { look }: Pick<StoreTools, 'look'>): StoreFact {
  const url = env.FAIRLEAD_STORE;
  if (url !== undefined && !url.startsWith('sqlite:')) return { kind: 'elsewhere', url: withoutPassword(url) };
  const path = url === undefined ? join(env.FAIRLEAD_DATA_DIR ?? layout.serverDir, 'state.db') : decodeURIComponent(new URL(url).pathname);
  const found = look(path);
  return found ? { kind: 'file', ...found } : { kind: 'unreadable', path };
}
