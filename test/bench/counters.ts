/**
 * What it costs that rules count connections of Services, in mode nftables: processor time of a new connection, with and without in turns, and the
 * time of a load. Needs root; makes and removes a network namespace.
 */
import { parseArgs } from 'node:util';
import { FamilyProxy } from '../../src/proxy/family.ts';
import { NftablesMode } from '../../src/proxy/mode/nftables/nftables-mode.ts';
import type { NodeContext } from '../../src/proxy/plan/node-context.ts';
import { Connections } from './proxy/connections.ts';
import { enterNode } from './proxy/contestant.ts';
import { clusterIp, nodeIp, objectsOf, serviceCidr } from './proxy/objects.ts';

const usage = `usage: npm run bench -- counters [OPTIONS]

  --services N   of two endpoints each; default: 1000
  --rounds N     of which medians are told; default: 30
`;
/** Few enough that conntrack, which remembers each for ten seconds, is never full. */
const connectionsPerRound = 2000;

const plain: NodeContext = {
  family: 'ip',
  nodeName: 'node1',
  local: { mode: 'ClusterCIDR', cidr: '10.128.0.0/9' },
  masqueradeAll: false,
  nodePortIps: [nodeIp],
  serviceCidrs: [serviceCidr],
  nodeIps: [nodeIp],
};
const counting: NodeContext = { ...plain, countsConnections: true };

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

class Bench {
  readonly #mode = NftablesMode.ofKernel();
  readonly #objects: ReturnType<typeof objectsOf>;
  readonly #services: number;
  #family: FamilyProxy | undefined;

  constructor(services: number) {
    this.#services = services;
    this.#objects = objectsOf({ services, endpoints: 2 });
  }

  /** Milliseconds until the kernel has everything, from an empty table. */
  async load(node: NodeContext): Promise<number> {
    await this.#mode.cleanUp();
    this.#family = await FamilyProxy.open(this.#mode, node);
    this.#fill(this.#family);
    const begun = performance.now();
    await this.#family.sync();
    return performance.now() - begun;
  }

  /** Each Service here has one slice. */
  #fill(family: FamilyProxy): void {
    const { services, slices } = this.#objects;
    services.forEach((service, i) => {
      const slice = slices[i];
      if (slice) family.put(`${service.metadata.namespace}/${service.metadata.name}`, service, [slice]);
    });
    family.settle();
  }

  /** Makes the rules count, or not. */
  async turn(node: NodeContext): Promise<void> {
    if (!this.#family) return;
    this.#family.reset(node);
    this.#fill(this.#family);
    await this.#family.sync();
  }

  async close(): Promise<void> {
    await this.#mode.cleanUp();
    this.#mode.close();
  }

  /** Microseconds of processor time for each. */
  connect(connections: Connections): number {
    const before = process.cpuUsage();
    for (let n = 0; n < connectionsPerRound; n++)
      if (connections.arrival(clusterIp((n * 7919) % this.#services)) === undefined) throw new Error('A connection did not arrive');
    const { user, system } = process.cpuUsage(before);
    return (user + system) / connectionsPerRound;
  }
}

async function main(services: number, rounds: number): Promise<void> {
  await using _node = await enterNode(`fl-bench-${process.pid}`);
  const bench = new Bench(services);
  using connections = new Connections();
  const figures = { load: [[], []] as [number[], number[]], connection: [[], []] as [number[], number[]] };
  const ways = [plain, counting] as const;
  // The first of each warms up.
  for (let round = -1; round < 7; round++)
    for (const which of [0, 1] as const) {
      const took = await bench.load(ways[which]);
      if (round >= 0) figures.load[which].push(took);
    }
  for (let round = -1; round < rounds; round++)
    for (const which of [0, 1] as const) {
      await bench.turn(ways[which]);
      const took = bench.connect(connections);
      // The first makes the counters, and warms up.
      if (round >= 0) figures.connection[which].push(took);
    }
  const line = (what: string, [without, withCounters]: [number[], number[]], unit: string): string => {
    const [a, b] = [median(without), median(withCounters)];
    return `${what.padEnd(28)}${a.toFixed(1).padStart(10)}${b.toFixed(1).padStart(10)}${(b / a).toFixed(3).padStart(8)}   ${unit}\n`;
  };
  process.stdout.write(
    `${`${services} Services x 2`.padEnd(28)}${'without'.padStart(10)}${'counting'.padStart(10)}${'ratio'.padStart(8)}\n`,
  );
  process.stdout.write(line('first full sync', figures.load, 'ms'));
  process.stdout.write(line('CPU for a new connection', figures.connection, 'µs'));
  await bench.close();
}

try {
  const options = { services: { type: 'string', default: '1000' }, rounds: { type: 'string', default: '30' } } as const;
  const { values } = parseArgs({ args: process.argv.slice(2), options });
  await main(Number(values.services), Number(values.rounds));
} catch (err) {
  process.stderr.write(`${err instanceof Error ? err.message : String(err)}\n\n${usage}`);
  process.exitCode = 2;
}
