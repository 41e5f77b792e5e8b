/** Lifecycle hooks: postStart and preStop. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Container, LifecycleHandler } from '../../api/schema/types.ts';
import type { Cri } from '../cri/cri.ts';
import { check } from '../probe/check.ts';

/** Runs a hook to its end, at most `timeoutMs`. Gives what went wrong, or undefined. */
export async function runHook(
  handler: LifecycleHandler,
  target: { readonly cri: Cri; readonly containerId: string; readonly container: Container; readonly podIp: string },
  timeoutMs: number,
): Promise<string | undefined> {
  if (handler.sleep) {
    await sleep(Math.min((handler.sleep.seconds ?? 0) * 1000, timeoutMs));
    return undefined;
  }
  const result = await check(handler, { ...target, timeoutMs });
  return result.ok ? undefined : result.output || 'the command ended with an error';
}
