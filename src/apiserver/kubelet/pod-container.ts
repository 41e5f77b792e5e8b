/** Which container of a pod a request means, and where the pod runs. */
import type { Pod } from '../../api/schema/types.ts';
import { badRequest } from '../status/status-error.ts';

export function nodeOf(pod: Pod): string {
  if (!pod.spec?.nodeName) throw badRequest(`pod ${pod.metadata.name} does not have a host assigned`);
  return pod.spec.nodeName;
}

/** Throws 400 when the name is missing and not clear, or wrong. */
export function containerOf(pod: Pod, asked: string | null): string {
  const { name } = pod.metadata;
  const all = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? []), ...(pod.spec?.ephemeralContainers ?? [])].map(
    (c) => c.name,
  );
  if (asked) {
    if (all.includes(asked)) return asked;
    throw badRequest(`container ${asked} is not valid for pod ${name}`);
  }
  const own = (pod.spec?.containers ?? []).map((c) => c.name);
  if (own.length === 1) return own[0]!;
  const init = (pod.spec?.initContainers ?? []).map((c) => c.name);
  const also = init.length > 0 ? ` or one of the init containers: [${init.join(' ')}]` : '';
  throw badRequest(`a container name must be specified for pod ${name}, choose one of: [${own.join(' ')}]${also}`);
}
