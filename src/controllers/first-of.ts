/** A controller of what few clusters have waits for the first of it before its code is loaded. */
import type { KubeObject, ResourceType } from '../api/resource-types.ts';
import { aborted } from '../clock/aborted.ts';
import type { ControllerContext } from './context.ts';

/** Resolves when there is an object of one of these types; to false when the signal aborts before that. */
export async function firstOf(
  { informers, signal }: Pick<ControllerContext, 'informers' | 'signal'>,
  ...types: readonly ResourceType<KubeObject>[]
): Promise<boolean> {
  using heard = new DisposableStack();
  const listening = new AbortController();
  heard.defer(() => listening.abort());
  const first = new Promise<void>((resolve) => {
    for (const type of types) informers.of(type).on({ add: () => resolve() }, listening.signal);
  });
  await Promise.race([first, aborted(signal)]);
  return !signal.aborted;
}
