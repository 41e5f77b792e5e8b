/** kubelet.conf: how the node that this machine is reaches its cluster, and as whom. */
import { readUnlessEmpty } from '../../bootstrap/secret-file.ts';
import type { ClientConfig } from '../../client/client-config.ts';
import { loadKubeconfig } from '../../client/kubeconfig.ts';
import { KnownError, messageOf } from '../../errors/known-error.ts';
import { layout } from '../layout.ts';

/** Undefined where there is none, or one that a power cut has left empty. Throws BAD_CONFIG for one that cannot be used, such as one whose certificate somebody has removed. */
export async function readNodeConfig(path: string = layout.kubeletConfig): Promise<ClientConfig | undefined> {
  if ((await readUnlessEmpty(path)) === undefined) return undefined;
  try {
    return await loadKubeconfig(path);
  } catch (err) {
    throw new KnownError('BAD_CONFIG', messageOf(err), {
      hint: `Take it away, then run the same command again, which makes another: rm ${path}`,
      cause: err,
    });
  }
}
