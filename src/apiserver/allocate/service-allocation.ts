/** ClusterIPs, node ports and health-check ports of Services. Messages are upstream's. */
import { randomInt } from 'node:crypto';
import { needsClusterIp, needsHealthCheckPort, needsNodePort } from '../../api/defaults/service.ts';
import { ipAddresses, type KubeObject, services } from '../../api/resource-types.ts';
import type { IPAddress, Service, ServiceSpec } from '../../api/schema/types.ts';
import { type FieldError, invalid } from '../../api/validation/field-error.ts';
import type { Clock } from '../../clock/clock.ts';
import { isIp } from '../../ip/ip.ts';
import type { Lookup } from '../cache/lookup.ts';
import { internalError } from '../status/status-error.ts';
import type { Allocation } from './allocation.ts';
import { isOfService } from './ip-address.ts';
import { type Band, inBand, NumberPool } from './number-pool.ts';
import { ServiceRanges } from './service-ranges.ts';

export interface PortRange {
  readonly from: number;
  readonly to: number;
}

/** What the pools are told of one Service. */
interface Holdings {
  readonly addresses: readonly number[];
  readonly ports: readonly number[];
}

/** `serviceCidr` is one range of either family; ServiceCIDRs add to it. Follows the caches from the call on. */
export function serviceAllocation(options: {
  readonly serviceCidr: string;
  readonly nodePorts: PortRange;
  readonly lookup: Lookup;
  readonly clock: Clock;
}): Allocation {
  const { lookup, clock, nodePorts } = options;
  const ranges = new ServiceRanges(options.serviceCidr, lookup);
  const random = (below: number): number => randomInt(below);
  const addresses = new NumberPool({ clock, random });
  const portCount = nodePorts.to - nodePorts.from + 1;
  const ports = new NumberPool({ clock, random });
  const portBand: Band = {
    first: nodePorts.from,
    last: nodePorts.to,
    dynamicFrom: nodePorts.from + (portCount >= 32 ? Math.min(Math.max(16, Math.floor(portCount / 32)), 128) : 0),
  };
  const numbersOf = (ips: readonly string[]): number[] => ips.flatMap((ip) => ranges.numberOf(ip) ?? []);

  const holdings = (service: Service): Holdings => {
    const spec = service.spec ?? {};
    const held = needsClusterIp(spec) ? numbersOf(spec.clusterIPs ?? []) : [];
    const taken = (spec.ports ?? []).flatMap((p) => (p.nodePort ? [p.nodePort] : []));
    return { addresses: held, ports: spec.healthCheckNodePort ? [...taken, spec.healthCheckNodePort] : taken };
  };
  const hold = (service: Service): void => {
    const { addresses: ips, ports: numbers } = holdings(service);
    for (const one of ips) addresses.hold(one, ownerOf(service));
    for (const one of numbers) ports.hold(one, ownerOf(service));
  };
  const drop = (service: Service): void => {
    const { addresses: ips, ports: numbers } = holdings(service);
    for (const one of ips) addresses.drop(one, ownerOf(service));
    for (const one of numbers) ports.drop(one, ownerOf(service));
  };
  lookup.follow(services, {
    put: (service, previous) => {
      if (previous) drop(previous);
      hold(service);
    },
    delete: drop,
  });
  // An address that somebody keeps for something else; those of Services are only the shadow of the Services.
  const reserved = ({ metadata }: IPAddress): number[] => (isOfService(metadata) ? [] : numbersOf([metadata.name]));
  lookup.follow(ipAddresses, {
    put: (object) => {
      for (const one of reserved(object)) addresses.hold(one, `ipaddress ${object.metadata.name}`);
    },
    delete: (object) => {
      for (const one of reserved(object)) addresses.drop(one, `ipaddress ${object.metadata.name}`);
    },
  });

  const allocateAddress = (spec: ServiceSpec, owner: string): FieldError[] => {
    if (!needsClusterIp(spec) || spec.clusterIP === 'None') return [];
    const asked = spec.clusterIPs?.length ? spec.clusterIPs : spec.clusterIP ? [spec.clusterIP] : [];
    for (const ip of asked) {
      const because = (why: string): FieldError[] => [invalid('spec.clusterIPs', asked, `failed to allocate IP ${ip}: ${why}`)];
      if (!isIp(ip)) return [invalid('spec.clusterIPs', asked, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)')];
      const number = ranges.numberOf(ip);
      if (number === undefined || !ranges.contains(ip)) {
        return because(`the provided IP (${ip}) is not in the valid range. The range of valid IPs is ${ranges.text}`);
      }
      if (!addresses.take(number, owner)) return because('provided IP is already allocated');
    }
    if (asked.length > 0) {
      spec.clusterIP = asked[0]!;
      spec.clusterIPs = [...asked];
      return [];
    }
    if (spec.ipFamilies?.[0] && spec.ipFamilies[0] !== `IPv${ranges.family}`) {
      return [invalid('spec.ipFamilies[0]', spec.ipFamilies[0], 'not configured on this cluster')];
    }
    const number = anyOf(ranges.bands, (band) => addresses.takeAny(band, owner));
    if (number === undefined) throw internalError(`failed to allocate a serviceIP: range is full (${ranges.text})`);
    spec.clusterIP = ranges.addressOf(number);
    spec.clusterIPs = [spec.clusterIP];
    return [];
  };

  const takePort = (number: number, owner: string, path: string): FieldError[] => {
    if (!inBand(portBand, number)) {
      const why = `provided port is not in the valid range. The range of valid ports is ${nodePorts.from}-${nodePorts.to}`;
      return [invalid(path, number, why)];
    }
    return ports.take(number, owner) ? [] : [invalid(path, number, 'provided port is already allocated')];
  };

  const anyPort = (owner: string): number => {
    const port = ports.takeAny(portBand, owner);
    if (port === undefined) throw internalError('failed to allocate a nodePort: range is full');
    return port;
  };

  const allocatePorts = (spec: ServiceSpec, owner: string): FieldError[] => {
    const errors: FieldError[] = [];
    const list = spec.ports ?? [];
    for (const [i, port] of list.entries()) {
      if (port.nodePort && (needsNodePort(spec) || spec.type === 'LoadBalancer'))
        errors.push(...takePort(port.nodePort, owner, `spec.ports[${i}].nodePort`));
    }
    if (errors.length > 0 || !needsNodePort(spec)) return errors;
    for (const port of list) {
      if (port.nodePort) continue;
      // One number may serve TCP and UDP of the same port, as DNS wants it.
      const twin = list.find((other) => other.nodePort && other.port === port.port && other.protocol !== port.protocol);
      const free = twin?.nodePort && !list.some((o) => o.nodePort === twin.nodePort && o.protocol === port.protocol);
      port.nodePort = free ? twin.nodePort : anyPort(owner);
    }
    return errors;
  };

  return {
    resource: 'services',
    allocate: (next: KubeObject, _old, dryRun) => {
      const service = next as Service;
      const { spec } = service;
      if (!spec) return [];
      const owner = ownerOf(service);
      const errors = [...allocateAddress(spec, owner), ...allocatePorts(spec, owner)];
      if (errors.length === 0 && needsHealthCheckPort(spec)) {
        if (spec.healthCheckNodePort) errors.push(...takePort(spec.healthCheckNodePort, owner, 'spec.healthCheckNodePort'));
        else spec.healthCheckNodePort = anyPort(owner);
      }
      if (dryRun || errors.length > 0) giveBack(owner);
      return errors;
    },
    release: (object) => giveBack(ownerOf(object as Service)),
  };

  function giveBack(owner: string): void {
    addresses.giveBack(owner);
    ports.giveBack(owner);
  }
}

function anyOf<T>(list: readonly T[], find: (one: T) => number | undefined): number | undefined {
  for (const one of list) {
    const found = find(one);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The name would do for one life of a Service; the uid tells two apart that follow each other. */
function ownerOf(service: Service): string {
  return `${service.metadata.namespace}/${service.metadata.name} ${service.metadata.uid}`;
}
