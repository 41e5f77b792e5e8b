/**
 * A Redis and a sentinel on each control plane: the first one begins as the primary. A write is acknowledged when every server that is attached to the primary
 * has it, and one other at least (`wait-replicas=1`): when one of three dies, it does not matter which of the others Sentinel takes.
 */
import { joinHostPort } from '../../ip/ip.ts';
import type { LabPlan, NodePlan } from '../plan.ts';
import { clientFiles, type LabStore, memberFiles, serverDir } from './store.ts';

const [port, sentinelPort] = [6379, 26379];
const primary = 'mymaster';
const dir = `${serverDir}/redis`;

function text(lines: Readonly<Record<string, string | number>>): string {
  return Object.entries(lines)
    .map(([name, value]) => `${name} ${value}\n`)
    .join('');
}

/** Certificates are the only way in, so the mode that protects servers without passwords is off. */
function reached({ address }: NodePlan, at: number): Readonly<Record<string, string | number>> {
  const { ca, cert, key } = memberFiles('redis');
  return {
    bind: `${address} 127.0.0.1`,
    port: 0,
    'tls-port': at,
    'tls-cert-file': cert,
    'tls-key-file': key,
    'tls-ca-cert-file': ca,
    'tls-auth-clients': 'yes',
    'tls-replication': 'yes',
    'protected-mode': 'no',
    dir,
  };
}

function serverConf({ controlPlane }: LabPlan, node: NodePlan): string {
  return text({
    ...reached(node, port),
    appendonly: 'yes',
    appendfsync: 'always',
    save: '""',
    'maxmemory-policy': 'noeviction',
    'repl-diskless-sync-delay': 0,
    // Writes are held back for a replica that was cut off until it is dropped, after 5 to 7 seconds; after 10 they would fail.
    'repl-timeout': 5,
    'repl-ping-replica-period': 1,
    ...(node === controlPlane ? {} : { replicaof: `${controlPlane.address} ${port}` }),
  });
}

/** A majority must miss the primary: one that was cut off, and is back, would else replace it at once by the replica beside it, which lags. */
function sentinelConf({ controlPlane, controlPlanes }: LabPlan, node: NodePlan): string {
  const quorum = (controlPlanes.length >> 1) + 1;
  return text({
    ...reached(node, sentinelPort),
    'sentinel monitor': `${primary} ${controlPlane.address} ${port} ${quorum}`,
    'sentinel down-after-milliseconds': `${primary} 3000`,
    // When two ask for votes at once and neither wins, they try again after twice as long.
    'sentinel failover-timeout': `${primary} 3000`,
  });
}

/**
 * A sentinel that was paused says for half a minute that nobody is down (TILT), and would keep a majority from replacing a primary that vanishes then. It needs a
 * few seconds to hear of everybody again. What the servers are, each asks every second instead of every ten: where a choice is made, it is of newer words.
 * Only a sentinel that runs can be told so.
 */
function sentinelCommand(): string {
  const { ca, cert, key } = memberFiles('redis');
  const tell = `redis-cli --tls --cacert ${ca} --cert ${cert} --key ${key} -p ${sentinelPort} sentinel debug tilt-period 5000 info-period 1000`;
  return `(until ${tell} | grep -q OK; do sleep 1; done) & exec redis-server ${dir}/sentinel.conf --sentinel`;
}

export const redis: LabStore = {
  program: { name: 'redis-server', package: 'redis-server' },
  url({ controlPlanes }, node) {
    const { ca, cert, key } = clientFiles('redis');
    // They are asked in this order: the one on this machine does not vanish with another.
    const others = controlPlanes.filter((one) => one !== node);
    const sentinels = [node, ...others].map(({ address }) => joinHostPort(address, sentinelPort)).join(',');
    const wait = controlPlanes.length > 1 ? `&wait-replicas=${controlPlanes.length >> 1}` : '';
    return `rediss+sentinel://${sentinels}/${primary}?ca=${ca}&cert=${cert}&key=${key}${wait}`;
  },
  // Both write into their files who is the primary now.
  files: (plan, node) => ({ 'redis/redis.conf': serverConf(plan, node), 'redis/sentinel.conf': sentinelConf(plan, node) }),
  services: () => ({
    redis: ['redis-server', `${dir}/redis.conf`],
    sentinel: ['sh', '-c', sentinelCommand()],
  }),
};
