/** Node ports and health-check ports: which Service has which number of the range. Messages are upstream's. */
import { mayHaveNodePorts, needsHealthCheckPort, needsNodePort } from '../../api/defaults/service.ts';
import type { Service, ServiceSpec } from '../../api/schema/types.ts';
import { type FieldError, invalid } from '../../api/validation/field-error.ts';
import { internalError } from '../status/status-error.ts';
import { type Band, inBand, type NumberPool } from './number-pool.ts';

export interface PortRange {
  readonly from: number;
  readonly to: number;
}

export class ServicePorts {
  readonly #band: Band;
  readonly #pool: NumberPool;

  constructor({ from, to }: PortRange, pool: NumberPool) {
    const size = to - from + 1;
    const kept = size >= 32 ? Math.min(Math.max(16, Math.floor(size / 32)), 128) : 0;
    this.#band = { first: from, last: to, dynamicFrom: from + kept };
    this.#pool = pool;
  }

  /** What a stored Service has. */
  heldBy({ spec = {} }: Service): number[] {
    if (!mayHaveNodePorts(spec)) return [];
    return [...(spec.ports ?? []).map((port) => port.nodePort), spec.healthCheckNodePort].flatMap((port) => port || []);
  }

  /** Takes the ports that are asked for, and any where some are needed, and writes them into the spec. Returns what is wrong. */
  allocate(spec: ServiceSpec, owner: string): FieldError[] {
    const errors = this.#takeAsked(spec, owner);
    if (errors.length === 0 && needsNodePort(spec)) this.#fillIn(spec, owner);
    return errors;
  }

  /** To be asked once nothing else is wrong. */
  allocateHealthCheck(spec: ServiceSpec, owner: string): FieldError[] {
    if (!needsHealthCheckPort(spec)) return [];
    if (spec.healthCheckNodePort) return this.#take(spec.healthCheckNodePort, owner, 'spec.healthCheckNodePort');
    spec.healthCheckNodePort = this.#any(owner);
    return [];
  }

  #takeAsked(spec: ServiceSpec, owner: string): FieldError[] {
    if (!mayHaveNodePorts(spec)) return [];
    return (spec.ports ?? []).flatMap(({ nodePort }, i) => (nodePort ? this.#take(nodePort, owner, `spec.ports[${i}].nodePort`) : []));
  }

  #fillIn({ ports = [] }: ServiceSpec, owner: string): void {
    for (const port of ports) {
      if (port.nodePort) continue;
      // One number may serve TCP and UDP of the same port, as DNS wants it.
      const twin = ports.find((other) => other.nodePort && other.port === port.port && other.protocol !== port.protocol)?.nodePort;
      const isFree = twin && !ports.some((other) => other.nodePort === twin && other.protocol === port.protocol);
      port.nodePort = isFree ? twin : this.#any(owner);
    }
  }

  #take(number: number, owner: string, path: string): FieldError[] {
    const { first, last } = this.#band;
    if (!inBand(this.#band, number))
      return [invalid(path, number, `provided port is not in the valid range. The range of valid ports is ${first}-${last}`)];
    return this.#pool.take(number, owner) ? [] : [invalid(path, number, 'provided port is already allocated')];
  }

  #any(owner: string): number {
    const port = this.#pool.takeAny(this.#band, owner);
    if (port === undefined) throw internalError('failed to allocate a nodePort: range is full');
    return port;
  }
}
