/**
 * What it costs that rules count connections of Services, in mode nftables: processor time of a new connection, with and without in turns, and the
 * time of a load. Needs root; makes and removes a network namespace.
 */
import { parseArgs } from 'node:util';
import { inNetns } from '../../src/linux/netns.ts';
import { FamilyProxy } from '../../src/proxy/family.ts';
import { NftablesMode } from '../../src/proxy/mode/nftables/nftables-mode.ts';
import type { NodeContext } from '../../src/proxy/plan/node-context.ts';
import { Connections } from './proxy/connections.ts';
import { enterNode } from './proxy/contestant.ts';
import { clusterIp, nodeIp, objectsOf, serviceCidr } from './proxy/objects.ts';

const usage = `usage: npm run bench -- counters [OPTIONS]

  --services N   of two endpoints each; default: 1000
  --rounds N     of four turns, two of each side; default: 30
`;
/** Few enough that conntrack, which remembers each for ten seconds, is never full. */
const connectionsPerTurn = 1000;

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

function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((x, y) => x - y);
  return sorted[Math.min(Math.floor(sorted.length * q), sorted.length - 1)] ?? Number.NaN;
}

/** A node of its own whose rules count, or do not: both stand side by side, so that they are measured in turns. */
class Side implements AsyncDisposable {
  readonly load: number[] = [];
  readonly connection: number[] = [];
  readonly #path: string;
  readonly #context: NodeContext;
  readonly #mode: NftablesMode;
  readonly #connections: Connections;
  readonly #services: number;
  readonly #objects: ReturnType<typeof objectsOf>;
  #met = 0;

  /** In the node that the thread has entered. */
  constructor(path: string, context: NodeContext, services: number) {
    this.#path = path;
    this.#context = context;
    this.#services = services;
    this.#objects = objectsOf({ services, endpoints: 2 });
    this.#mode = NftablesMode.ofKernel();
    this.#connections = new Connections();
  }

  /** From an empty table, until the kernel has everything. */
  async measureLoad(): Promise<void> {
    await this.#mode.cleanUp();
    const family = await FamilyProxy.open(this.#mode, this.#context);
    const { services, slices } = this.#objects;
    services.forEach((service, i) => {
      const slice = slices[i];
      // Each Service here has one slice.
      if (slice) family.put(`${service.metadata.namespace}/${service.metadata.name}`, service, [slice]);
    });
    family.settle();
    const begun = performance.now();
    await family.sync();
    this.load.push(performance.now() - begun);
  }

  /** Through one Service after the other, again and again. */
  measureConnections(): void {
    inNetns(this.#path, () => {
      const before = process.cpuUsage();
      for (let n = 0; n < connectionsPerTurn; n++, this.#met++)
        if (this.#connections.arrival(clusterIp((this.#met * 7919) % this.#services)) === undefined)
          throw new Error('A connection did not arrive');
      const { user, system } = process.cpuUsage(before);
      this.connection.push((user + system) / connectionsPerTurn);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#connections[Symbol.dispose]();
    await this.#mode.cleanUp();
    this.#mode.close();
  }
}

function lines(services: number, [without, counting]: readonly [Side, Side]): string {
  const row = (what: string, values: readonly string[]): string =>
    `${what.padEnd(40)}${values.map((value) => value.padStart(10)).join('')}\n`;
  // Of neighbours in time: what else the machine does slows down both.
  const figures = (what: string, of: (side: Side) => readonly number[]): string => {
    const [a, b] = [of(without), of(counting)];
    const ratios = a.map((value, i) => (b[i] ?? Number.NaN) / value);
    return [0.5, 0]
      .map((q) => {
        const ratio = q === 0 ? quantile(b, 0) / quantile(a, 0) : quantile(ratios, q);
        return row(`${what}, ${q === 0 ? 'least' : 'median'}`, [quantile(a, q).toFixed(2), quantile(b, q).toFixed(2), ratio.toFixed(3)]);
      })
      .join('');
  };
  return [
    row(`${services} Services x 2`, ['without', 'counting', 'ratio']),
    figures('first full sync (ms)', (side) => side.load),
    figures('CPU for a new connection (µs)', (side) => side.connection),
  ].join('');
}

async function main(services: number, rounds: number): Promise<void> {
  const names = [`fl-bench-${process.pid}-a`, `fl-bench-${process.pid}-b`] as const;
  await using stack = new AsyncDisposableStack();
  const sides: Side[] = [];
  for (const [i, context] of [plain, counting].entries()) {
    const name = names[i] ?? '';
    // Each is left before the next is entered: the namespaces nest.
    stack.use(await enterNode(name));
    sides.push(stack.use(new Side(`/run/netns/${name}`, context, services)));
  }
  const [a, b] = sides as [Side, Side];
  const inTurn = [a, b, b, a];
  for (let round = 0; round < 4; round++) for (const side of inTurn) await side.measureLoad();
  // The first make the counters, which then stay, and warm up.
  const warmUps = Math.ceil((services * 4) / connectionsPerTurn);
  for (let round = -warmUps; round < rounds; round++) {
    for (const side of inTurn) side.measureConnections();
    if (round === -1) for (const side of sides) side.connection.length = 0;
  }
  process.stdout.write(lines(services, [a, b]));
}

try {
  const options = { services: { type: 'string', default: '1000' }, rounds: { type: 'string', default: '30' } } as const;
  const { values } = parseArgs({ args: process.argv.slice(2), options });
  await main(Number(values.services), Number(values.rounds));
} catch (err) {
  process.stderr.write(`${err instanceof Error ? err.message : String(err)}\n\n${usage}`);
  process.exitCode = 2;
}
