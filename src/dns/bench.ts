/**
 * `node src/dns/bench.ts [seconds]`: questions per second and CPU per question of the server, with batches of datagrams and by node:dgram
 * alone, over the loopback of a network namespace of its own. The load is another process that keeps a window of questions open.
 */

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { argv, cpuUsage, execPath, getuid } from 'node:process';
import type { Service } from '../api/schema/types.ts';
import { systemClock } from '../clock/clock.ts';
import { DatagramBatch, openUdpSocket } from '../linux/datagram-batch.ts';
import { mustRun, start, systemExec } from '../linux/exec.ts';
import { silentLog } from '../observability/log.ts';
import { encodeName } from './message/names.ts';
import { emptyReply, type Reply } from './message/reply.ts';
import { Cache } from './plugin/cache/cache.ts';
import { chain } from './plugin/chain.ts';
import { Kubernetes } from './plugin/kubernetes/kubernetes.ts';

import { startDnsServer } from './server/server.ts';
import { ClusterZone } from './zone/cluster-zone.ts';

const services = 20_000;
/** How many questions are on their way at a time. */
const window = 256;

function question(n: number): Buffer {
  const head = Buffer.from([n >> 8, n & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  return Buffer.concat([head, encodeName(`service-${n}.default.svc.cluster.local`), Buffer.from([0, 1, 0, 1])]);
}

/** Asks for `names` Services in turn as fast as answers come. */
async function load(port: number, seconds: number, names: number): Promise<void> {
  const questions = Array.from({ length: names }, (_, n) => question(n));
  const fd = openUdpSocket('127.0.0.1', 0);
  if (fd === undefined) throw new Error('Cannot open a socket by FFI');
  const socket = createSocket('udp4');
  await new Promise<void>((done) => socket.bind({ fd }, done));
  const batch = new DatagramBatch(fd, { size: 64, maxReceive: 1024, maxSend: 512 });
  let turn = 0;
  let before = -1;
  let answered = 0;
  const next = (): Buffer => questions[turn++ % names] as Buffer;
  socket.on('message', (_message, from) => {
    answered++;
    socket.send(next(), from.port, from.address);
    // Not for ever: the clock wants its turn.
    for (let round = 0, count = batch.size; count === batch.size && round < 8; round++) {
      count = batch.receive();
      for (let i = 0; i < count; i++) {
        const bytes = next();
        batch.room().set(bytes);
        batch.queued(i, bytes.length);
      }
      answered += count;
      batch.send();
    }
  });
  // Also when every question of the window was lost.
  const seed = setInterval(() => {
    if (answered === before || before < 0) for (let i = 0; i < window; i++) socket.send(next(), port, '127.0.0.1');
    before = answered;
  }, 50);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  clearInterval(seed);
  socket.close();
  console.log(answered);
}

async function measure(seconds: number): Promise<void> {
  await mustRun(systemExec, 'ip', ['link', 'set', 'lo', 'up']);
  const zone = new ClusterZone('cluster.local', { ttl: 5, serial: 1 });
  for (let n = 0; n < services; n++) {
    const ip = `10.96.${n >> 8}.${n & 255}`;
    const spec: Service['spec'] = { clusterIP: ip, clusterIPs: [ip], ports: [{ name: 'http', port: 80, protocol: 'TCP' }] };
    zone.setService(
      `default/service-${n}`,
      { apiVersion: 'v1', kind: 'Service', metadata: { name: `service-${n}`, namespace: 'default' }, spec },
      [],
      1,
    );
  }
  const last = (): Reply => emptyReply(5);
  const handlers = [
    new Cache({ disable: ['cluster.local'], clock: systemClock }),
    new Kubernetes({ zone, isSynced: () => true, ranges: [], lookup: last }),
  ];
  const answer = chain(handlers, last);
  const memory = process.memoryUsage();
  console.log(
    `${services} Services, ${zone.size} names; heap ${Math.round(memory.heapUsed / 1e6)} MB, resident ${Math.round(memory.rss / 1e6)} MB`,
  );
  const cases = [false, true].flatMap((batch) => [100, services].map((names) => ({ batch, names })));
  for (const { batch, names } of cases) {
    const server = await startDnsServer({ address: '127.0.0.1', port: 0, answer, log: silentLog, batch });
    const child = start(execPath, [import.meta.filename, 'load', String(server.port), String(seconds), String(names)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const cpu = cpuUsage();
    let out = '';
    child.stdout?.on('data', (text: Buffer) => {
      out += text;
    });
    await once(child, 'close');
    const { user, system } = cpuUsage(cpu);
    const answered = Number(out);
    console.log(
      `${`${batch ? 'batches' : 'node:dgram'}, ${names} names`.padEnd(24)} ${Math.round(answered / seconds).toLocaleString('en')} questions/s, ${((user + system) / answered).toFixed(2)} µs CPU each`,
    );
    await server.close();
  }
}

const [, , role = '3', ...rest] = argv;
if (role === 'load') {
  const [port, seconds, names] = rest.map(Number);
  await load(port ?? 0, seconds ?? 1, names ?? 1);
} else if (role === 'measure') await measure(Number(rest[0]));
else if (getuid?.() !== 0) console.log('Needs root: it measures in a network namespace of its own');
else await once(start('unshare', ['--net', execPath, import.meta.filename, 'measure', role], { stdio: 'inherit' }), 'close');
