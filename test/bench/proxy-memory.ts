/** What the service proxy keeps of the cluster, in bytes of its heap: of objects as they come over the wire, and of what they mean on this node. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { objectKey } from '../../src/api/object-key.ts';
import type { EndpointSlice, Service } from '../../src/api/schema/types.ts';
import { labelServiceName } from '../../src/api/well-known.ts';
import { Indexer } from '../../src/client/indexer.ts';
import { Planner } from '../../src/proxy/plan/planner.ts';
import { sampleNode } from '../../src/proxy/testing/sample-node.ts';
import { slimService, slimSlice } from '../../src/proxy/track/slim.ts';
import { objectsOf, type Size, serviceCidr } from './proxy/objects.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as (options: object) => void;

/** Bytes in use once all garbage is collected. */
function held(): number {
  // What one finds to be garbage may be all that held on to more.
  for (let i = 0; i < 3; i++) collect({ type: 'major', flavor: 'last-resort' });
  return process.memoryUsage().heapUsed;
}

const serviceOf = ({ metadata }: EndpointSlice): string[] => [`${metadata.namespace}/${metadata.labels?.[labelServiceName]}`];

class Kept {
  readonly #services = new Indexer<Service>();
  readonly #slices = new Indexer<EndpointSlice>();
  readonly #planner = new Planner({ ...sampleNode, serviceCidrs: [serviceCidr] });

  constructor() {
    this.#slices.addIndex('service', serviceOf);
  }

  takeServices(texts: readonly string[]): void {
    for (const text of texts) {
      const object = slimService(JSON.parse(text));
      this.#services.put(objectKey(object), object);
    }
  }

  takeSlices(texts: readonly string[]): void {
    for (const text of texts) {
      const object = slimSlice(JSON.parse(text));
      this.#slices.put(objectKey(object), object);
    }
  }

  plan(): void {
    for (const key of this.#services.keys()) this.#planner.put(key, this.#services.get(key), this.#slices.byIndex('service', key));
    this.#planner.take();
  }
}

/** The objects themselves are gone then: their strings would be found again. */
function asSent(size: Size): { services: string[]; slices: string[] } {
  const { services, slices } = objectsOf(size);
  return { services: services.map((object) => JSON.stringify(object)), slices: slices.map((object) => JSON.stringify(object)) };
}

function measure(size: Size): void {
  const { services, slices } = asSent(size);
  const kept = new Kept();
  const stages: readonly (readonly [what: string, work: () => void])[] = [
    ['Services', () => kept.takeServices(services)],
    ['EndpointSlices', () => kept.takeSlices(slices)],
    ['plans', () => kept.plan()],
  ];
  let [sum, before] = [0, held()];
  for (const [what, work] of stages) {
    work();
    const now = held();
    process.stdout.write(`${what.padEnd(16)}${((now - before) / size.services).toFixed(0).padStart(8)} bytes of a Service\n`);
    sum += now - before;
    before = now;
  }
  const [perService, perEndpoint] = [sum / size.services, sum / size.services / size.endpoints].map((bytes) => bytes.toFixed(0));
  process.stdout.write(`${'all'.padEnd(16)}${perService?.padStart(8)} bytes of a Service, ${perEndpoint} for each endpoint of it\n`);
}

const [services = Number.NaN, endpoints = Number.NaN] = (process.argv[2] ?? '500x50').split('x').map(Number);
if (services > 0 && endpoints > 0) measure({ services, endpoints });
else {
  process.stderr.write('usage: npm run bench -- proxy-memory [SERVICESxENDPOINTS]\n');
  process.exitCode = 2;
}
