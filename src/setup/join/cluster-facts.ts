/** What only the cluster can tell about a machine that joins: other nodes, the time, how Services become rules, what addresses pods have. */
import { parse } from 'yaml';
import { configMaps, nodes } from '../../api/resource-types.ts';
import type { ConfigMap, Node } from '../../api/schema/types.ts';
import { ignoreNotFound, isForbidden, isUnauthorized } from '../../client/api-error.ts';
import type { Client } from '../../client/client.ts';
import { KnownError } from '../../errors/known-error.ts';
import { rangeWish } from '../config/cluster-plan.ts';
import { wishedFamilies } from '../config/ranges.ts';
import { refusedToken } from '../discovery/discovery.ts';
import { layout } from '../layout.ts';
import type { Facts, KnownNode } from '../preflight/facts.ts';
import { settingsKeys, settingsNames, settingsNamespace } from '../settings/settings.ts';
import type { SetupContext } from '../setup-context.ts';
import type { Token } from '../token/token.ts';

type ClusterFacts = Pick<Facts, 'nodes' | 'skewMs' | 'proxyMode' | 'families'>;

/**
 * `token`: what the client shows; undefined for a machine that has a certificate. Throws CHECK_FAILED when the cluster does not know the one, and BAD_CONFIG
 * when it does not know the other, which is that of another cluster then.
 */
export async function clusterFacts(
  client: Pick<Client, 'list' | 'get' | 'transport' | 'server'>,
  token: Token | undefined,
  { clock, signal, steps }: Pick<SetupContext, 'clock' | 'signal' | 'steps'>,
): Promise<ClusterFacts> {
  try {
    const before = clock.now();
    const response = await client.transport.send({ method: 'GET', path: '/version', signal });
    response.resume();
    return {
      skewMs: skewOf(response.headers.date, before, clock.now()),
      nodes: await knownNodes(client, signal, steps),
      proxyMode: (await settingOf<{ readonly mode?: string }>(client, 'proxy', signal)).mode ?? '',
      families: wishedFamilies(rangeWish({}, await settingOf(client, 'cluster', signal))),
    };
  } catch (err) {
    if (!isUnauthorized(err)) throw err;
    if (token !== undefined) throw refusedToken(client.server, token, err);
    throw new KnownError('BAD_CONFIG', `Cannot join: ${client.server} does not know the certificate in ${layout.kubeletConfig}`, {
      hint: `It has ended by the clock there, or the cluster has another authority. Take it away, then run the same command again, which gets another: rm ${layout.kubeletConfig}`,
      cause: err,
    });
  }
}

/** A header says whole seconds, cut off, at some moment between question and answer. */
export function skewOf(date: string | undefined, before: number, after: number): number | undefined {
  const there = Date.parse(date ?? '');
  if (Number.isNaN(there)) return undefined;
  if (before > there + 1000) return before - there - 1000;
  return after < there ? after - there : 0;
}

async function knownNodes(client: Pick<Client, 'list'>, signal: AbortSignal, steps: SetupContext['steps']): Promise<KnownNode[]> {
  try {
    return (await client.list<Node>(nodes, { signal })).items.map(knownNode);
  } catch (err) {
    // kubeadm lets who joins read single Nodes alone.
    if (!isForbidden(err)) throw err;
    steps.note('This cluster shows its nodes to none who joins: whether another has this name or address is not checked');
    return [];
  }
}

export function knownNode({ metadata, status }: Node): KnownNode {
  return {
    name: metadata.name ?? '',
    machineId: status?.nodeInfo?.machineID ?? '',
    addresses: (status?.addresses ?? []).filter(({ type }) => type === 'InternalIP').map(({ address }) => address),
    isReady: status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false,
  };
}

/** Without fields where it may not be read. */
async function settingOf<Setting extends object>(
  client: Pick<Client, 'get'>,
  source: keyof typeof settingsNames,
  signal: AbortSignal,
): Promise<Partial<Setting>> {
  const map = await client
    .get<ConfigMap>(configMaps, settingsNames[source], { namespace: settingsNamespace, signal })
    // kubeadm lets who joins read that of the proxy, and who has joined no longer.
    .catch((err: unknown) => (isForbidden(err) ? undefined : ignoreNotFound(err)));
  return (parse(map?.data?.[settingsKeys[source]] ?? '') ?? {}) as Partial<Setting>;
}
