/** Takes away pods that nobody else will: those of a node that is gone for good, and the oldest of too many that ended. */

import { objectKey } from '../../api/object-key.ts';
import { nodes, pods } from '../../api/resource-types.ts';
import type { Pod } from '../../api/schema/types.ts';
import { isConflict, isNotFound } from '../../client/api-error.ts';
import { messageOf } from '../../errors/known-error.ts';
import type { ControllerContext } from '../context.ts';
import { isOver } from '../ownership/pod-state.ts';

const checkMs = 20_000;
/** A node may be on its way in: its pods wait this long. */
const quarantineMs = 40_000;
const maxTerminated = 12_500;

export async function runPodGc(context: ControllerContext): Promise<void> {
  const { client, informers, clock, log, signal } = context;
  const podInformer = informers.of(pods);
  const nodeInformer = informers.of(nodes);
  const missing = new Map<string, number>();
  await Promise.all([podInformer.synced, nodeInformer.synced]);
  while (!signal.aborted) {
    await clock.sleep(checkMs, signal).catch(() => {});
    if (signal.aborted) return;
    const all = podInformer.list();
    for (const pod of all) {
      const nodeName = pod.spec?.nodeName;
      if (!nodeName || nodeInformer.get(nodeName)) continue;
      const since = missing.get(nodeName) ?? clock.monotonic();
      missing.set(nodeName, since);
      if (clock.monotonic() - since >= quarantineMs) await remove(pod, `its node "${nodeName}" is gone`);
    }
    const named = new Set(all.map((p) => p.spec?.nodeName));
    for (const name of missing.keys()) if (nodeInformer.get(name) || !named.has(name)) missing.delete(name);
    for (const pod of all)
      if (pod.metadata.deletionTimestamp && !pod.spec?.nodeName) await remove(pod, 'it was deleted before it had a node');
    const ended = all.filter(isOver);
    const age = (p: Pod): string => p.metadata.creationTimestamp ?? '';
    for (const pod of ended.toSorted((a, b) => (age(a) < age(b) ? -1 : 1)).slice(0, Math.max(ended.length - maxTerminated, 0)))
      await remove(pod, 'too many pods have ended');
  }

  async function remove(pod: Pod, why: string): Promise<void> {
    const { name, namespace = '', uid } = pod.metadata;
    log.info(`Deleting pod "${objectKey(pod)}": ${why}`, { pod: objectKey(pod) });
    await client.delete(pods, name, { namespace, gracePeriodSeconds: 0, preconditions: { uid } }).catch((err: unknown) => {
      if (!isNotFound(err) && !isConflict(err)) log.warn(`Cannot delete pod "${objectKey(pod)}": ${messageOf(err)}`);
    });
  }
}
