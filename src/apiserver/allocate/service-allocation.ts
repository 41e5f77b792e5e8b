/** ClusterIPs, node ports and health-check ports of Services. Messages are upstream's. */
import { randomInt } from 'node:crypto';
import { needsClusterIp, needsHealthCheckPort, needsNodePort } from '../../api/defaults/service.ts';
import { type KubeObject, services } from '../../api/resource-types.ts';
import type { Service, ServiceSpec } from '../../api/schema/types.ts';
import { type FieldError, invalid } from '../../api/validation/field-error.ts';
import type { Clock } from '../../clock/clock.ts';
import { bigIntToIp, cidrContains, familyOf, ipToBigInt, isIp, mustCidr } from '../../ip/ip.ts';
import type { Lookup } from '../cache/lookup.ts';
import { internalError } from '../status/status-error.ts';
import type { Allocation } from './allocation.ts';
import { NumberPool } from './number-pool.ts';

export interface PortRange {
  readonly from: number;
  readonly to: number;
}

/** What the pools are told of one Service. */
interface Holdings {
  readonly offsets: readonly number[];
  readonly ports: readonly number[];
}

/** `serviceCidr` is one range of either family. Follows the cache of Services from the call on. */
export function serviceAllocation(options: {
  readonly serviceCidr: string;
  readonly nodePorts: PortRange;
  readonly lookup: Lookup;
  readonly clock: Clock;
}): Allocation {
  const { lookup, clock, nodePorts } = options;
  const cidr = mustCidr(options.serviceCidr);
  const base = cidr.first;
  const bits = (cidr.family === 4 ? 32 : 128) - cidr.prefix;
  // No broadcast address, and no more than upstream keeps track of in a range of IPv6.
  const last = bits >= 16 ? (cidr.family === 4 ? Math.min(2 ** bits - 2, 2 ** 20) : 65_535) : 2 ** bits - (cidr.family === 4 ? 2 : 1);
  const random = (below: number): number => randomInt(below);
  const addresses = new NumberPool({ first: 1, last, dynamicFrom: 1 + Math.min(Math.max(16, Math.floor(last / 16)), 256), clock, random });
  const portCount = nodePorts.to - nodePorts.from + 1;
  const ports = new NumberPool({
    first: nodePorts.from,
    last: nodePorts.to,
    dynamicFrom: nodePorts.from + (portCount >= 32 ? Math.min(Math.max(16, Math.floor(portCount / 32)), 128) : 0),
    clock,
    random,
  });
  const offsetOf = (ip: string): number => Number(ipToBigInt(ip) - base);
  const inRange = (ip: string): boolean => familyOf(ip) === cidr.family && cidrContains(cidr, ip);
  const addressOf = (offset: number): string => bigIntToIp(base + BigInt(offset), cidr.family);

  const holdings = (service: Service): Holdings => {
    const spec = service.spec ?? {};
    const held = needsClusterIp(spec) ? (spec.clusterIPs ?? []).filter((ip) => isIp(ip) && inRange(ip)).map(offsetOf) : [];
    const taken = (spec.ports ?? []).flatMap((p) => (p.nodePort ? [p.nodePort] : []));
    return { offsets: held, ports: spec.healthCheckNodePort ? [...taken, spec.healthCheckNodePort] : taken };
  };
  const hold = (service: Service): void => {
    const { offsets, ports: numbers } = holdings(service);
    for (const one of offsets) addresses.hold(one, ownerOf(service));
    for (const one of numbers) ports.hold(one, ownerOf(service));
  };
  const drop = (service: Service): void => {
    const { offsets, ports: numbers } = holdings(service);
    for (const one of offsets) addresses.drop(one, ownerOf(service));
    for (const one of numbers) ports.drop(one, ownerOf(service));
  };
  lookup.follow(services, {
    put: (service, previous) => {
      if (previous) drop(previous);
      hold(service);
    },
    delete: drop,
  });

  const allocateAddress = (spec: ServiceSpec, owner: string): FieldError[] => {
    if (!needsClusterIp(spec) || spec.clusterIP === 'None') return [];
    const asked = spec.clusterIPs?.length ? spec.clusterIPs : spec.clusterIP ? [spec.clusterIP] : [];
    for (const ip of asked) {
      const because = (why: string): FieldError[] => [invalid('spec.clusterIPs', asked, `failed to allocate IP ${ip}: ${why}`)];
      if (!isIp(ip)) return [invalid('spec.clusterIPs', asked, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)')];
      if (!inRange(ip) || !addresses.contains(offsetOf(ip))) {
        return because(`the provided IP (${ip}) is not in the valid range. The range of valid IPs is ${options.serviceCidr}`);
      }
      if (!addresses.take(offsetOf(ip), owner)) return because('provided IP is already allocated');
    }
    if (asked.length > 0) {
      spec.clusterIP = asked[0]!;
      spec.clusterIPs = [...asked];
      return [];
    }
    if (spec.ipFamilies?.[0] && spec.ipFamilies[0] !== `IPv${cidr.family}`) {
      return [invalid('spec.ipFamilies[0]', spec.ipFamilies[0], 'not configured on this cluster')];
    }
    const offset = addresses.takeAny(owner);
    if (offset === undefined) throw internalError(`failed to allocate a serviceIP: range is full (${options.serviceCidr})`);
    spec.clusterIP = addressOf(offset);
    spec.clusterIPs = [spec.clusterIP];
    return [];
  };

  const takePort = (number: number, owner: string, path: string): FieldError[] => {
    if (!ports.contains(number)) {
      const why = `provided port is not in the valid range. The range of valid ports is ${nodePorts.from}-${nodePorts.to}`;
      return [invalid(path, number, why)];
    }
    return ports.take(number, owner) ? [] : [invalid(path, number, 'provided port is already allocated')];
  };

  const anyPort = (owner: string): number => {
    const port = ports.takeAny(owner);
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

/** The name would do for one life of a Service; the uid tells two apart that follow each other. */
function ownerOf(service: Service): string {
  return `${service.metadata.namespace}/${service.metadata.name} ${service.metadata.uid}`;
}
