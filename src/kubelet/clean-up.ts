/** Ends every pod on this node, whoever wanted it, and takes away their cgroups. For a node that leaves its cluster; the kubelet has ended before. */

import { type Cri, unlessMissing } from './cri/cri.ts';
import { GrpcCri } from './cri/grpc-cri.ts';
import { CgroupManager } from './node/cgroup-manager.ts';

/** How many there were. */
export async function removePods(cri: Pick<Cri, 'listPodSandboxes' | 'stopPodSandbox' | 'removePodSandbox'>): Promise<number> {
  const sandboxes = await cri.listPodSandboxes();
  await Promise.all(
    sandboxes.map(async ({ id }) => {
      await unlessMissing(cri.stopPodSandbox(id));
      await unlessMissing(cri.removePodSandbox(id));
    }),
  );
  return sandboxes.length;
}

export async function cleanUpPods(endpoint: string): Promise<number> {
  const cri = new GrpcCri(endpoint);
  try {
    return await removePods(cri);
  } finally {
    cri.close();
    await (await CgroupManager.ofThisProcess()).removeAll();
  }
}
