/**
 * Three control planes of one cluster without their machines: an API server and what its store runs on each, and a balancer in front. What a client sees of a
 * death is true: nobody listens at its address any more, its connections break, its part of the store is killed.
 */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { withoutHistory } from '../../../src/apiserver/cache/load.ts';
import { TestServer } from '../../../src/apiserver/testing/test-server.ts';
import { systemClock } from '../../../src/clock/clock.ts';
import { eventually } from '../../../src/clock/testing/eventually.ts';
import { freePorts } from '../../../src/ip/testing/free-port.ts';
import { Balancer } from '../../../src/lab/balancer/balancer.ts';
import { probeServer } from '../../../src/lab/balancer/probe.ts';
import { silentLog } from '../../../src/observability/log.ts';
import { openStore } from '../../../src/storage/open.ts';

/** What keeps the objects of three machines. */
export interface Engine extends AsyncDisposable {
  /** As the API server of a machine is told, by its number. */
  url(machine: number): string;
  /** The machine without which nothing is written until the others agree on another one. */
  chief(): Promise<number>;
  kill(machine: number): Promise<void>;
}

/** An address at which the API server of a machine is reached. */
const addressOf = (machine: number): string => `127.0.1.${machine + 1}`;

export class Machines implements AsyncDisposable {
  readonly engine: Engine;
  readonly #servers: TestServer[] = [];
  readonly #ways: { close(): void }[] = [];
  readonly #stop = new AbortController();
  readonly #agents: Agent[] = [];
  #kubeconfig = '';

  private constructor(engine: Engine) {
    this.engine = engine;
  }

  static async start(engine: Engine): Promise<Machines> {
    const machines = new Machines(engine);
    try {
      await machines.#begin();
      return machines;
    } catch (err) {
      await machines[Symbol.asyncDispose]();
      throw err;
    }
  }

  /** The path of one that leads to the balancer. */
  get kubeconfig(): string {
    return this.#kubeconfig;
  }

  async #begin(): Promise<void> {
    const [port, front] = (await freePorts(2)) as [number, number];
    for (const machine of [0, 1, 2]) {
      const store = await openStore(this.engine.url(machine), { withoutHistory });
      const [beside] = this.#servers;
      const options = { ...(beside && { beside }), advertiseAddress: `192.0.2.${machine + 1}` };
      // All that a cluster begins with is written at once, which a busy machine may not do in time.
      const server = await eventually('an API server', () => TestServer.start(store, options));
      this.#servers.push(server);
      this.#ways.push(await wayTo(server.server.address.port, addressOf(machine), port));
    }
    await this.#balance(port, front);
    const { pki, dir } = this.#servers[0]!;
    const { cert, key } = await pki.client('kubernetes-admin', 'system:masters');
    this.#kubeconfig = join(dir, 'admin.conf');
    writeFileSync(this.#kubeconfig, kubeconfigText(`https://127.0.0.1:${front}`, pki.ca, cert, key), { mode: 0o600 });
  }

  async #balance(port: number, front: number): Promise<void> {
    // Their certificates are for the address behind the way to them.
    const agent = new Agent({ keepAlive: true, ca: this.#servers[0]!.pki.ca, checkServerIdentity: () => undefined });
    this.#agents.push(agent);
    const probe = (server: string): ReturnType<typeof probeServer> => probeServer(`https://${server}:${port}`, agent);
    const servers = [0, 1, 2].map(addressOf);
    const balancer = new Balancer({ servers, port, probe, clock: systemClock, log: silentLog, signal: this.#stop.signal });
    const listener = createServer({ allowHalfOpen: true, pauseOnConnect: true });
    const sockets = new Set<Socket>();
    listener.on('connection', (socket) => {
      sockets.add(socket.on('close', () => sockets.delete(socket)));
    });
    balancer.serve(listener);
    await once(listener.listen(front, '127.0.0.1'), 'listening');
    this.#ways.push({
      close() {
        listener.close();
        for (const socket of sockets) socket.destroy();
      },
    });
  }

  /** Its API server says nothing more to anybody, its part of the store is gone. */
  async kill(machine: number): Promise<void> {
    this.#ways[machine]!.close();
    await Promise.all([this.engine.kill(machine), this.#servers[machine]!.store.close()]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    for (const way of this.#ways) way.close();
    for (const agent of this.#agents) agent.destroy();
    await Promise.all(this.#servers.map((server) => server.stop()));
    await this.engine[Symbol.asyncDispose]();
  }
}

/** Carries connections to an API server, until it is closed: that breaks them. */
async function wayTo(port: number, host: string, at: number): Promise<{ close(): void }> {
  const sockets = new Set<Socket>();
  const listener = createServer((client) => {
    const server = connect(port, '127.0.0.1');
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        server.destroy();
      });
    }
    client.pipe(server).pipe(client);
  });
  await once(listener.listen(at, host), 'listening');
  return {
    close() {
      listener.close();
      for (const socket of sockets) socket.resetAndDestroy();
    },
  };
}

function kubeconfigText(server: string, ca: string, cert: string, key: string): string {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  return JSON.stringify({
    'current-context': 'it',
    contexts: [{ name: 'it', context: { cluster: 'it', user: 'it' } }],
    clusters: [{ name: 'it', cluster: { server, 'certificate-authority-data': base64(ca) } }],
    users: [{ name: 'it', user: { 'client-certificate-data': base64(cert), 'client-key-data': base64(key) } }],
  });
}
