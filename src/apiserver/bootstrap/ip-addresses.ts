/**
 * Keeps an IPAddress for every ClusterIP, a moment behind the Services: who has an address is decided by `allocate`, the objects are
 * what `kubectl get ipaddresses` and the protection of ServiceCIDRs read.
 */
import { isDeepStrictEqual } from 'node:util';
import { needsClusterIp } from '../../api/defaults/service.ts';
import { ipAddresses, services } from '../../api/resource-types.ts';
import type { IPAddress, Service } from '../../api/schema/types.ts';
import { messageOf } from '../../errors/known-error.ts';
import { parseIp } from '../../ip/ip.ts';
import { ipAddressOf, isOfService } from '../allocation/ip-address.ts';
import type { Lookup } from '../cache/lookup.ts';
import { isStatusError } from '../status/status-error.ts';
import { type Background, type EnsureDeps, ensureExists } from './ensure.ts';

const retryMs = 5_000;

interface IpAddressContext extends Background {
  readonly lookup: Lookup;
}

/** Until the signal aborts. */
export async function keepIpAddresses(deps: EnsureDeps, context: IpAddressContext): Promise<void> {
  const { clock, signal } = context;
  const keeper = new IpAddressKeeper(deps, context);
  while (!signal.aborted) {
    await Promise.race([keeper.woken, clock.sleep(retryMs, signal).catch(() => {})]);
    await keeper.putRight();
  }
}

class IpAddressKeeper {
  readonly #deps: EnsureDeps;
  readonly #context: IpAddressContext;
  /** By address: the Service that has it. */
  readonly #wanted = new Map<string, Service>();
  /** Addresses to look at. */
  readonly #stale = new Set<string>();
  #wake = Promise.withResolvers<void>();

  constructor(deps: EnsureDeps, context: IpAddressContext) {
    this.#deps = deps;
    this.#context = context;
    const { lookup } = context;
    lookup.follow(services, {
      put: (service, previous) => this.#onService(service, previous),
      delete: (service) => {
        this.#forget(service);
        for (const ip of clusterIpsOf(service)) this.#look(ip);
      },
    });
    // Somebody's deletion is put right; what is left of a Service that went while nobody looked goes.
    lookup.follow(ipAddresses, { put: ({ metadata }) => this.#look(metadata.name), delete: ({ metadata }) => this.#look(metadata.name) });
  }

  /** Resolves when there is something to look at. */
  get woken(): Promise<void> {
    return this.#wake.promise;
  }

  /** Looks at every address that is due; what fails is due again. */
  async putRight(): Promise<void> {
    const { log, signal } = this.#context;
    this.#wake = Promise.withResolvers();
    for (const ip of [...this.#stale]) {
      if (signal.aborted) return;
      // Before the work: what changes meanwhile is looked at again.
      this.#stale.delete(ip);
      try {
        await this.#putRight(ip);
      } catch (err) {
        if (signal.aborted) return;
        log.warn(`cannot keep the IPAddress of ${ip}, trying again`, { error: messageOf(err) });
        this.#stale.add(ip);
      }
    }
  }

  #onService(service: Service, previous: Service | undefined): void {
    if (previous) this.#forget(previous);
    const [before, now] = [previous ? clusterIpsOf(previous) : [], clusterIpsOf(service)];
    for (const ip of now) this.#wanted.set(ip, service);
    if (previous && isDeepStrictEqual(before, now)) return;
    for (const ip of [...before, ...now]) this.#look(ip);
  }

  #forget(service: Service): void {
    for (const ip of clusterIpsOf(service)) if (this.#wanted.get(ip)?.metadata.uid === service.metadata.uid) this.#wanted.delete(ip);
  }

  #look(ip: string): void {
    this.#stale.add(ip);
    this.#wake.resolve();
  }

  async #putRight(ip: string): Promise<void> {
    const service = this.#wanted.get(ip);
    const object = service && ipAddressOf(ip, service);
    const current: IPAddress | undefined = this.#context.lookup.get(ipAddresses, ip);
    if (current && isOfService(current.metadata) && !isDeepStrictEqual(current.spec, object?.spec)) await this.#remove(ip);
    if (object) await ensureExists(this.#deps, object);
  }

  async #remove(ip: string): Promise<void> {
    const { objects } = this.#deps;
    const row = objects.registry.rowFor(ipAddresses);
    try {
      await objects.change(row, '', ip, (now) => ({ kind: isOfService(now.metadata) ? 'delete' : 'keep' }), false);
    } catch (err) {
      if (!isStatusError(err, 'NotFound')) throw err;
    }
  }
}

function clusterIpsOf({ spec = {} }: Service): string[] {
  // A name must be written in the one canonical way, a Service may have kept another.
  return needsClusterIp(spec) ? (spec.clusterIPs ?? []).flatMap((ip) => parseIp(ip) ?? []) : [];
}
