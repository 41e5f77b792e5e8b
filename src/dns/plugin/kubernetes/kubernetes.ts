/** Answers the cluster's names and addresses from the zone. */
import type { Cidr } from '../../../ip/ip.ts';
import { RCODE, TYPE } from '../../message/names.ts';
import { asSpelt, type Query } from '../../message/query.ts';
import { type Reply, refusal } from '../../message/reply.ts';
import type { ClusterZone } from '../../zone/cluster-zone.ts';
import { ReverseRange, reverseAddress } from '../../zone/reverse.ts';
import type { Answer, Next, Plugin } from '../plugin.ts';
import { followAlias } from './external-name.ts';

export interface KubernetesOptions {
  readonly zone: ClusterZone;
  /** False until every informer holds its first list: until then nothing is known, so nothing is denied. */
  readonly isSynced: () => boolean;
  /** Reverse names in these ranges are never asked of others. */
  readonly ranges: readonly Cidr[];
}

const unsynced: Reply = { ...refusal(RCODE.SERVFAIL), authoritative: true };

export function kubernetesPlugin(options: KubernetesOptions): Plugin {
  const { zone, isSynced } = options;
  const ranges = options.ranges.map((cidr) => new ReverseRange(cidr));
  return {
    name: 'kubernetes',
    handle(query, next) {
      if (zone.holds(query.name)) {
        if (!isSynced()) return unsynced;
        const answer = zone.answer(query.name, query.type, asSpelt(query, zone.origin));
        return answer.kind === 'reply' ? answer.reply : followAlias(query, answer, zone, next);
      }
      return query.name.endsWith('.arpa') ? reverse(query, next) : next(query);
    },
  };

  function reverse(query: Query, next: Next): Answer | Promise<Answer> {
    const ip = reverseAddress(query.name);
    const range = ranges.find((r) => r.holds(query.name, ip));
    const negative = (rcode: number, of: string): Reply => zone.negativeReverse(rcode, asSpelt(query, of));
    if (!isSynced()) return range ? unsynced : next(query);
    const pointer = ip === undefined ? undefined : zone.pointer(ip);
    if (pointer && query.type === TYPE.PTR) return pointer;
    // An address of ours outside the ranges (a node's, a server's outside) lives in the zone that CoreDNS would serve for it.
    if (pointer) return negative(RCODE.NOERROR, range?.zone ?? (ip?.includes(':') ? 'ip6.arpa' : 'in-addr.arpa'));
    if (!range) return next(query);
    // What is no whole address is a level above addresses.
    return negative(ip === undefined ? RCODE.NOERROR : RCODE.NXDOMAIN, range.zone);
  }
}
