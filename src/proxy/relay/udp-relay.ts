/** Datagrams of one address and port, carried to endpoints by this process. A client keeps its endpoint while its flow lasts, as conntrack has it. */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { Clock } from '../../clock/clock.ts';
import { KnownError, systemCode } from '../../errors/known-error.ts';
import type { Route, SocketAddress } from './relay.ts';
import type { Meter } from './relay-count.ts';

/** A flow that is silent for so long is over, as conntrack's default for flows with answers. */
const idleMs = 120_000;
const sweepMs = 10_000;
/** Each holds a socket. More are not taken: whoever sends from many addresses must not have all of the process's. */
const maxFlows = 4096;

interface Flow {
  readonly socket: Socket;
  /** Datagrams that came before the socket was connected; undefined from then on. */
  waiting: Buffer[] | undefined;
  readonly endpoint: string;
  readonly meter: Meter;
  seen: number;
}

export class UdpRelay {
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #flows = new Map<string, Flow>();
  #route: Route;
  #sweep: { cancel(): void } | undefined;
  #isClosed = false;

  private constructor(socket: Socket, route: Route, clock: Clock) {
    this.#socket = socket;
    this.#route = route;
    this.#clock = clock;
    // Of single datagrams.
    socket.on('error', () => {});
    socket.on('message', (data, client) => this.#forward(data, client));
    socket.unref();
  }

  /** Throws PORT_TAKEN. */
  static async listen({ ip, port }: SocketAddress, route: Route, clock: Clock): Promise<UdpRelay> {
    const socket = createSocket({ ...(isIPv6(ip) ? { type: 'udp6', ipv6Only: true } : { type: 'udp4' }), reusePort: true });
    await new Promise<void>((resolve, reject) => {
      socket.once('error', (err) => {
        socket.close();
        if (systemCode(err) !== 'EADDRINUSE') return reject(err);
        const hint = 'End the program that listens there, or give the Service another port';
        reject(new KnownError('PORT_TAKEN', `Cannot relay ${ip} port ${port}/udp: another program listens there`, { cause: err, hint }));
      });
      socket.bind({ address: ip, port }, resolve);
    });
    socket.removeAllListeners('error');
    return new UdpRelay(socket, route, clock);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  /** Flows to endpoints that no longer serve are cut. */
  reroute(route: Route): void {
    this.#route = route;
    for (const [key, flow] of this.#flows) if (!route.isServing(flow.endpoint)) this.#end(key, flow);
  }

  /** Datagrams belong to no connection that could go on. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#sweep?.cancel();
    for (const [key, flow] of this.#flows) this.#end(key, flow);
    this.#socket.close();
  }

  cut(): void {
    this.close();
  }

  #forward(data: Buffer, client: RemoteInfo): void {
    const key = `${client.address} ${client.port}`;
    const flow = this.#flows.get(key) ?? this.#begin(key, client);
    if (flow === undefined) {
      this.#route.balancer.count.refuse();
      return;
    }
    flow.seen = this.#clock.monotonic();
    flow.meter.datagram('received', data.length);
    if (flow.waiting) flow.waiting.push(data);
    else this.#send(key, flow, data);
  }

  #send(key: string, flow: Flow, data: Buffer): void {
    if (this.#flows.get(key) === flow) flow.socket.send(data, (err) => (err ? this.#end(key, flow) : undefined));
  }

  #begin(key: string, client: RemoteInfo): Flow | undefined {
    const list = this.#route.listFor(client.address);
    if (list === undefined || this.#flows.size >= maxFlows) return undefined;
    const { balancer } = this.#route;
    const endpoint = balancer.choose(list, client.address);
    if (endpoint === undefined) return undefined;
    const socket = createSocket(isIPv6(endpoint.ip) ? 'udp6' : 'udp4');
    const flow: Flow = {
      socket,
      waiting: [],
      endpoint: endpoint.name,
      meter: balancer.count.of(endpoint.name),
      seen: this.#clock.monotonic(),
    };
    // A refusal of the endpoint's: the next datagram finds another.
    socket.on('error', () => this.#end(key, flow));
    socket.once('close', () => balancer.closed(endpoint.name));
    socket.on('message', (answer) => {
      flow.seen = this.#clock.monotonic();
      flow.meter.datagram('sent', answer.length);
      if (!this.#isClosed) this.#socket.send(answer, client.port, client.address, () => {});
    });
    socket.connect(endpoint.port, endpoint.ip, () => {
      const { waiting = [] } = flow;
      flow.waiting = undefined;
      for (const data of waiting) this.#send(key, flow, data);
    });
    socket.unref();
    balancer.opened(endpoint.name);
    this.#flows.set(key, flow);
    this.#sweep ??= this.#clock.after(sweepMs, () => this.#endIdle());
    return flow;
  }

  #endIdle(): void {
    const silentSince = this.#clock.monotonic() - idleMs;
    for (const [key, flow] of this.#flows) if (flow.seen < silentSince) this.#end(key, flow);
    this.#sweep = this.#flows.size > 0 ? this.#clock.after(sweepMs, () => this.#endIdle()) : undefined;
  }

  #end(key: string, flow: Flow): void {
    if (this.#flows.get(key) !== flow) return;
    this.#flows.delete(key);
    flow.socket.close();
  }
}
