/** Requests about a pod that the API server's Node authorizer may not know yet: it learns of pods from a watch of its own. */
import { isForbidden } from '../../client/api-error.ts';
import type { Clock } from '../../clock/clock.ts';

const retryMs = [20, 50, 100, 200, 400] as const;

/** Makes the request, and again for about a second while it is refused in a way that may pass. */
export async function onceAuthorized<T>(
  clock: Clock,
  request: () => Promise<T>,
  mayPass: (err: unknown) => boolean = isForbidden,
): Promise<T> {
  for (const wait of retryMs) {
    try {
      return await request();
    } catch (err) {
      if (!mayPass(err)) throw err;
      await clock.sleep(wait);
    }
  }
  return await request();
}
