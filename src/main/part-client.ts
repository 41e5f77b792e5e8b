import { Client } from '../client/client.ts';
import { loadKubeconfig } from '../client/kubeconfig.ts';
import type { AgentPart } from './agent-command.ts';
import { grantCommand } from './manifest.ts';

/** The client of one part of a node; what RBAC refuses is told with what to do about it. Throws BAD_CONFIG. */
export async function partClient(part: AgentPart, kubeconfig: string, nodeName: string): Promise<Client> {
  const whenForbidden = (user: string): string | undefined => {
    if (part !== 'kubelet') return grantCommand(part, user);
    const wanted = `system:node:${nodeName}`;
    // The Node authorizer lets a node read what its pods use, a moment after they are there: no matter of roles.
    return user === wanted ? undefined : `to allow it: give this kubelet the kubeconfig of user "${wanted}" in group "system:nodes"`;
  };
  return new Client({ ...(await loadKubeconfig(kubeconfig)), userAgent: `fairlead-${part}`, whenForbidden });
}
