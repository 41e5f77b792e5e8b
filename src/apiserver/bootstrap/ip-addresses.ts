/**
 * Keeps an IPAddress for every ClusterIP, a moment behind the Services: who has an address is decided by `allocate`, the objects are
 * what `kubectl get ipaddresses` and the protection of ServiceCIDRs read.
 */
import { isDeepStrictEqual } from 'node:util';
import { needsClusterIp } from '../../api/defaults/service.ts';
import { ipAddresses, services } from '../../api/resource-types.ts';
import type { IPAddress, Service } from '../../api/schema/types.ts';
import type { Clock } from '../../clock/clock.ts';
import { messageOf } from '../../errors/known-error.ts';
import { parseIp } from '../../ip/ip.ts';
import type { Log } from '../../observability/log.ts';
import { ipAddressOf, isOfService } from '../allocate/ip-address.ts';
import type { Lookup } from '../cache/lookup.ts';
import { isStatusError } from '../status/status-error.ts';
import { type EnsureDeps, ensureExists } from './ensure.ts';

const retryMs = 5_000;

export async function keepIpAddresses(
  deps: EnsureDeps,
  context: { readonly lookup: Lookup; readonly clock: Clock; readonly log: Log; readonly signal: AbortSignal },
): Promise<void> {
  const { lookup, clock, log, signal } = context;
  const wanted = new Map<string, Service>();
  const stale = new Set<string>();
  let woken = Promise.withResolvers<void>();
  const look = (ip: string): void => {
    stale.add(ip);
    woken.resolve();
  };
  lookup.follow(services, {
    put: (service, previous) => {
      for (const ip of previous ? clusterIpsOf(previous) : []) if (wanted.get(ip)?.metadata.uid === service.metadata.uid) wanted.delete(ip);
      for (const ip of clusterIpsOf(service)) wanted.set(ip, service);
      if (previous && isDeepStrictEqual(clusterIpsOf(previous), clusterIpsOf(service))) return;
      for (const ip of [...(previous ? clusterIpsOf(previous) : []), ...clusterIpsOf(service)]) look(ip);
    },
    delete: (service) => {
      for (const ip of clusterIpsOf(service)) {
        if (wanted.get(ip)?.metadata.uid === service.metadata.uid) wanted.delete(ip);
        look(ip);
      }
    },
  });
  // Somebody's deletion is put right; what is left of a Service that went while nobody looked goes.
  lookup.follow(ipAddresses, { put: ({ metadata }) => look(metadata.name), delete: ({ metadata }) => look(metadata.name) });

  const row = deps.objects.registry.rowFor(ipAddresses);
  const remove = async (ip: string): Promise<void> => {
    try {
      await deps.objects.change(row, '', ip, (now) => ({ kind: isOfService(now.metadata) ? 'delete' : 'keep' }), false);
    } catch (err) {
      if (!isStatusError(err, 'NotFound')) throw err;
    }
  };
  const putRight = async (ip: string): Promise<void> => {
    const service = wanted.get(ip);
    const object = service && ipAddressOf(ip, service);
    const current: IPAddress | undefined = lookup.get(ipAddresses, ip);
    if (current && isOfService(current.metadata) && !isDeepStrictEqual(current.spec, object?.spec)) await remove(ip);
    if (object) await ensureExists(deps, object);
  };
  while (!signal.aborted) {
    await Promise.race([woken.promise, clock.sleep(retryMs, signal).catch(() => {})]);
    woken = Promise.withResolvers();
    for (const ip of [...stale]) {
      if (signal.aborted) return;
      // Before the work: what changes meanwhile is looked at again.
      stale.delete(ip);
      try {
        await putRight(ip);
      } catch (err) {
        if (signal.aborted) return;
        log.warn(`cannot keep the IPAddress of ${ip}, trying again`, { error: messageOf(err) });
        stale.add(ip);
      }
    }
  }
}

function clusterIpsOf({ spec = {} }: Service): string[] {
  // A name must be written in the one canonical way, a Service may have kept another.
  return needsClusterIp(spec) ? (spec.clusterIPs ?? []).flatMap((ip) => parseIp(ip) ?? []) : [];
}
