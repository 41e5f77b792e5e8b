/** Answers the cluster's names and addresses from a zone that informers feed. */
import { endpointSlices, namespaces, services } from '../../../api/resource-types.ts';
import { agesOf, registerWatchAge } from '../../../client/watch-age.ts';
import { type Cidr, mustCidr } from '../../../ip/ip.ts';
import { RCODE, TYPE } from '../../message/names.ts';
import { asSpelt } from '../../message/query.ts';
import { emptyReply, type Reply } from '../../message/reply.ts';
import { ClusterZone } from '../../zone/cluster-zone.ts';
import { feedZone } from '../../zone/feed.ts';
import { ReverseRange, reverseAddress } from '../../zone/reverse.ts';
import type { Answer, Env, Handler, Next, Plugin, Request } from '../plugin.ts';
import { followAlias } from './external-name.ts';
import { registerProgrammingDuration } from './metrics.ts';

export interface KubernetesBlock {
  /** `cluster.local` */
  readonly zone: string;
  /** Of pods and Services: reverse names in these ranges are never asked of others. */
  readonly ranges: readonly string[];
  /** Seconds a client may keep an answer. Default 5. */
  readonly ttl?: number | undefined;
  /** /ready says no when the API server was not heard for so long: names may be old. Default: never, as CoreDNS. */
  readonly maxWatchAgeMs?: number | undefined;
}

export const kubernetes: Plugin<KubernetesBlock> = {
  name: 'kubernetes',
  setup({ zone: origin, ranges, ttl = 5, maxWatchAgeMs = Number.POSITIVE_INFINITY }, env) {
    const { clock, informers, serverIps, metrics, lookup } = env;
    const zone = new ClusterZone(origin, { ttl, serial: Math.floor(clock.now() / 1000), serverIps });
    let isSynced = false;
    const synced = feedZone(zone, env, registerProgrammingDuration(metrics)).then(() => {
      isSynced = true;
    });
    const watchAges = (): ReadonlyMap<string, number> =>
      agesOf([informers.of(services), informers.of(endpointSlices), informers.of(namespaces)]);
    registerWatchAge(metrics, watchAges);
    const handler = new Kubernetes({ zone, isSynced: () => isSynced, ranges: ranges.map(mustCidr), lookup });
    return {
      handle: (request, next) => handler.handle(request, next),
      synced,
      notReady() {
        if (!isSynced) return 'kubernetes';
        const [old] = [...watchAges()].filter(([, ms]) => ms > maxWatchAgeMs);
        return old && `kubernetes: no word of ${old[0]} for ${Math.round(old[1] / 1000)} s`;
      },
    };
  },
};

export interface KubernetesOptions extends Pick<Env, 'lookup'> {
  readonly zone: ClusterZone;
  /** False until every informer holds its first list: until then nothing is known, so nothing is denied. */
  readonly isSynced: () => boolean;
  readonly ranges: readonly Cidr[];
}

const unsynced: Reply = { ...emptyReply(RCODE.SERVFAIL), authoritative: true };

export class Kubernetes implements Handler {
  readonly #options: KubernetesOptions;
  readonly #ranges: readonly ReverseRange[];

  constructor(options: KubernetesOptions) {
    this.#options = options;
    this.#ranges = options.ranges.map((cidr) => new ReverseRange(cidr));
  }

  handle(request: Request, next: Next): Answer | Promise<Answer> {
    const { query } = request;
    const { zone, isSynced, lookup } = this.#options;
    if (!zone.holds(query.name)) return query.name.endsWith('.arpa') ? this.#reverse(request, next) : next(request);
    if (!isSynced()) return unsynced;
    const answer = zone.answer(query.name, query.type, asSpelt(query, zone.origin));
    return answer.kind === 'reply' ? answer.reply : followAlias(request, answer, zone, lookup);
  }

  #reverse(request: Request, next: Next): Answer | Promise<Answer> {
    const { query } = request;
    const { zone, isSynced } = this.#options;
    const ip = reverseAddress(query.name);
    const range = this.#ranges.find((r) => r.holds(query.name, ip));
    if (!isSynced()) return range ? unsynced : next(request);
    const pointer = ip === undefined ? undefined : zone.pointer(ip);
    if (pointer && query.type === TYPE.PTR) return pointer;
    const negative = (rcode: number, of: string): Reply => zone.negativeReverse(rcode, asSpelt(query, of));
    // An address of ours outside the ranges (a node's, a server's outside) lives in the zone that CoreDNS would serve for it.
    if (pointer) return negative(RCODE.NOERROR, range?.zone ?? (ip?.includes(':') ? 'ip6.arpa' : 'in-addr.arpa'));
    if (!range) return next(request);
    // What is no whole address is a level above addresses.
    return negative(ip === undefined ? RCODE.NOERROR : RCODE.NXDOMAIN, range.zone);
  }
}
