/** Clients of parts: each reads its kubeconfig, and cuts its connections at the end. */
import { isNodePart } from '../../api/node-parts.ts';
import { Client } from '../../client/client.ts';
import { followKubeconfig } from '../../client/kubeconfig.ts';
import { aborted } from '../../clock/aborted.ts';
import { type Clock, systemClock } from '../../clock/clock.ts';
import { KnownError } from '../../errors/known-error.ts';
import type { FlagReader } from '../flag-reader.ts';
import { grantCommand } from '../manifest.ts';
import type { Setting } from './part.ts';

function kubeconfigOf(part: string, flags: FlagReader<'kubeconfig'>): string {
  const path = flags.optional('kubeconfig');
  if (path !== undefined) return path;
  throw new KnownError('USAGE', `Cannot run "fairlead ${part}": no kubeconfig is given`, {
    hint: isNodePart(part)
      ? `--kubeconfig FILE; a node's own will do after: fairlead manifest ${part} --group system:nodes | kubectl apply -f -`
      : `--kubeconfig /etc/kubernetes/${part}.conf`,
  });
}

/** The client of a part that may run on any machine. Throws USAGE and BAD_CONFIG. */
export async function partClient(part: string, flags: FlagReader<'kubeconfig'>, setting: Setting): Promise<Client> {
  const { apiServer, term } = setting;
  const config = await followKubeconfig(kubeconfigOf(part, flags), systemClock);
  return new Client({ ...config, ...apiServer, ...(term ? { term } : {}) });
}

/** The client of one part of a node; what RBAC refuses is told with what to do about it. `server` in place of the kubeconfig's. Throws USAGE and BAD_CONFIG. */
export async function nodePartClient(part: string, flags: FlagReader<'kubeconfig'>, nodeName: string, server?: string): Promise<Client> {
  const whenForbidden = (user: string): string | undefined => {
    if (isNodePart(part)) return grantCommand(part, user);
    const wanted = `system:node:${nodeName}`;
    // The Node authorizer lets a node read what its pods use, a moment after they are there: no matter of roles.
    return user === wanted ? undefined : `to allow it: give this kubelet the kubeconfig of user "${wanted}" in group "system:nodes"`;
  };
  const config = await followKubeconfig(kubeconfigOf(part, flags), systemClock);
  return new Client({ ...config, ...(server === undefined ? {} : { server }), userAgent: `fairlead-${part}`, whenForbidden });
}

/** Host of the API server that a client talks to. */
export function apiServerOf(client: Client): string {
  return new URL(client.server).hostname.replace(/^\[|\]$/g, '');
}

/** What is under way when a part is told to stop has so long. */
const graceMs = 1_000;

/**
 * Resolves when `running` has ended after the signal. Requests that hang are cut, and none is sent any more: whoever takes the place of
 * this part may rely on it.
 */
export async function endClient(
  client: Pick<Client, 'close'>,
  running: Promise<unknown>,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<void> {
  void aborted(signal)
    .then(() => Promise.race([running, clock.sleep(graceMs)]))
    .finally(() => client.close())
    .catch(() => {});
  await running;
}
