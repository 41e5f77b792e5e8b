/**
 * The network of the scenarios as namespaces: node1 with its pods, node2 as one place for all its pods, and a client
 * outside, each with an address of both families. Only node1 has rules. Every pod answers on TCP and UDP with its own address and the client's.
 */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { mustRun, systemExec } from '../../src/linux/exec.ts';
import { inNetns } from '../../src/linux/netns.ts';
import { inIpv6 } from '../../src/proxy/testing/ipv6.ts';
import { SctpHosts } from './testing/sctp-hosts.ts';

const servedPorts = [53, 5353, 8080, 8443, 9090] as const;
/** Where a connection stays open and echoes. */
export const echoPort = 7;

export interface Topology extends AsyncDisposable {
  /** Path of the namespace in which packets with this source start. */
  namespaceOf(ip: string): string;
  readonly node: string;
  /** Every address that answers over TCP and UDP does over SCTP, on any port. */
  readonly sctp: SctpHosts;
}

/** Commands for `ip -batch`, grouped by namespace. */
function plan(prefix: string, pods: readonly string[], remote: readonly string[]): [namespace: string, lines: string[]][] {
  const outside = ['link set lo up', 'link add br0 type bridge', 'addr add 192.168.120.1/24 dev br0', 'link set br0 up'];
  const node1 = ['link set lo up'];
  const node2 = ['link set lo up'];
  for (const [name, lines, ip] of [
    ['n1', node1, '192.168.120.11'],
    ['n2', node2, '192.168.120.12'],
  ] as const) {
    outside.push(`link add to-${name} type veth peer name eth0 netns ${prefix}${name}`, `link set to-${name} master br0 up`);
    lines.push(`addr add ${ip}/24 dev eth0`, 'link set eth0 up', 'route add default via 192.168.120.1');
  }
  outside.push('route add 10.96.0.0/16 via 192.168.120.11', 'route add 198.51.100.0/24 via 192.168.120.11');
  outside.push('route add 10.244.1.0/24 via 192.168.120.11', 'route add 10.244.2.0/24 via 192.168.120.12');
  node1.push('route add 10.244.2.0/24 via 192.168.120.12');
  node2.push('route add 10.244.1.0/24 via 192.168.120.11', ...remote.map((ip) => `addr add ${ip}/32 dev lo`));
  const own: [string, string[]][] = [];
  pods.forEach((ip, i) => {
    node1.push(`link add veth${i} type veth peer name eth0 netns ${prefix}p${i}`, `addr add 10.244.1.1/32 dev veth${i}`);
    node1.push(`link set veth${i} up`, `route add ${ip}/32 dev veth${i}`);
    own.push([
      `${prefix}p${i}`,
      [
        'link set lo up',
        `addr add ${ip}/32 dev eth0`,
        'link set eth0 up',
        'route add 10.244.1.1/32 dev eth0',
        'route add default via 10.244.1.1',
      ],
    ]);
  });
  const all: [string, string[]][] = [[`${prefix}out`, outside], [`${prefix}n1`, node1], [`${prefix}n2`, node2], ...own];
  return all.map(([namespace, lines]) => [namespace, [...lines, ...lines.filter((line) => /\d\.\d/.test(line)).map(lineInIpv6)]]);
}

/** What gives a link an IPv4 address, or a route, for IPv6. */
function lineInIpv6(line: string): string {
  return `${inIpv6(line)}${line.startsWith('addr') ? ' nodad' : ''}`;
}

function inBoth(ips: readonly string[]): string[] {
  return [...ips, ...ips.map(inIpv6)];
}

function bare(ip: string | undefined): string {
  return (ip ?? '').replace(/^::ffff:/, '');
}

/** Answers in a namespace; `self` is the address told where a socket cannot know its own. */
export function serve(namespace: string, closers: (() => void)[], ips: readonly string[], sctp: SctpHosts): void {
  for (const ip of ips) sctp.add(namespace, ip);
  inNetns(namespace, () => {
    const echo = createServer((socket) => {
      // A connection whose other end is lost must not keep the process.
      socket.unref();
      socket.on('error', () => {});
      socket.pipe(socket);
    });
    echo.listen(echoPort);
    closers.push(() => echo.close());
    for (const port of servedPorts) {
      const tcp = createServer((socket) => {
        socket.on('error', () => {});
        socket.end(`${bare(socket.localAddress)}:${port} ${bare(socket.remoteAddress)}`);
      });
      tcp.listen(port);
      closers.push(() => tcp.close());
      for (const ip of ips) {
        // The lookup answers at once, so that the socket is bound inside this namespace.
        const family = ip.includes(':') ? 6 : 4;
        const udp = createSocket({ type: `udp${family}`, lookup: (host, _options, done) => done(null, host, family) });
        udp.on('message', (_, from) => udp.send(`${ip}:${port} ${from.address}`, from.port, from.address));
        udp.bind(port, ip);
        closers.push(() => udp.close());
      }
    }
  });
}

export async function buildTopology(pods: readonly string[], remote: readonly string[], name = 'r'): Promise<Topology> {
  const prefix = `fl-${name}${process.pid}-`;
  const made: string[] = [];
  const sctp = new SctpHosts();
  const closers: (() => void)[] = [() => sctp.close()];
  const remove = async (): Promise<void> => {
    for (const close of closers) close();
    for (const namespace of made) await systemExec.run('ip', ['netns', 'del', namespace]);
  };
  try {
    const steps = plan(prefix, pods, remote);
    for (const [namespace] of steps) {
      await mustRun(systemExec, 'ip', ['netns', 'add', namespace]);
      made.push(namespace);
    }
    for (const [namespace, lines] of steps)
      await mustRun(systemExec, 'ip', ['-n', namespace, '-batch', '-'], { input: `${lines.join('\n')}\n` });
    const forward =
      'echo 1 | tee /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding; echo 0 | tee /proc/sys/net/ipv4/conf/*/rp_filter';
    await mustRun(systemExec, 'ip', ['netns', 'exec', `${prefix}n1`, 'sh', '-c', forward]);
    for (const [i, ip] of pods.entries()) serve(`/run/netns/${prefix}p${i}`, closers, inBoth([ip]), sctp);
    serve(`/run/netns/${prefix}n2`, closers, inBoth(remote), sctp);
    // Pods in the node's own network.
    serve(`/run/netns/${prefix}n1`, closers, inBoth(['192.168.120.11']), sctp);
  } catch (err) {
    await remove();
    throw err;
  }
  const places = new Map(pods.map((ip, i) => [ip, `${prefix}p${i}`]));
  places.set('127.0.0.1', `${prefix}n1`).set('192.168.120.11', `${prefix}n1`).set('192.168.120.1', `${prefix}out`);
  for (const [ip, place] of [...places]) places.set(inIpv6(ip), place);
  return {
    node: `/run/netns/${prefix}n1`,
    sctp,
    namespaceOf(ip) {
      const place = places.get(ip);
      if (!place) throw new RangeError(`Cannot send from ${ip}: the topology has no such place`);
      return `/run/netns/${place}`;
    },
    [Symbol.asyncDispose]: remove,
  };
}
