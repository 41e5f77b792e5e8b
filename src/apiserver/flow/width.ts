/** How many seats a request fills, as upstream's work estimator counts. */
import type { RequestInfo } from '../http/request-info.ts';

const objectsPerSeat = 100;
const most = 10;
const watchersPerSeat = 10;

export interface Work {
  /** Objects of the resource, and who watches them. */
  readonly objects: number;
  readonly watchers: number;
}

/**
 * A list fills a seat for each hundred objects, up to ten; a write one more for each ten who are told of it: up to ten as well, but where the
 * cluster can wait up to all seats of the level. There a thousand watches and a few dozen writes at once would be made to keep everybody waiting.
 */
export function widthOf({ verb, name }: Pick<RequestInfo, 'verb' | 'name'>, { objects, watchers }: Work, paced: boolean): number {
  switch (verb) {
    case 'list':
    case 'watch':
    case 'deletecollection':
      return name ? 1 : Math.min(most, Math.max(1, Math.ceil(objects / objectsPerSeat)));
    case 'create':
    case 'update':
    case 'patch':
    case 'delete':
      return Math.min(paced ? Number.POSITIVE_INFINITY : most, 1 + Math.floor(watchers / watchersPerSeat));
    default:
      return 1;
  }
}
