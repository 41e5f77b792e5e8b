/**
 * A Redis and a sentinel on each control plane: the first one begins as the primary. A write is acknowledged when another server has it, too
 * (`wait-replicas=1`). When one of three dies, Sentinel takes that of the others which has come farther, but by what each said up to five seconds before: on a
 * busy machine, where one lags, it may take the wrong one, and acknowledged writes are lost.
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
    // A primary that was cut off is found out, and its replica freed, sooner than after a minute.
    'repl-timeout': 10,
    'repl-ping-replica-period': 1,
    ...(node === controlPlane ? {} : { replicaof: `${controlPlane.address} ${port}` }),
  });
}

/**
 * One sentinel that misses the primary is enough to ask for a fail-over; a majority must vote for it all the same. One that was paused does not
 * agree for half a minute that anything is down (TILT), but votes: with a quorum of two of three nobody would be replaced meanwhile.
 */
function sentinelConf({ controlPlane }: LabPlan, node: NodePlan): string {
  return text({
    ...reached(node, sentinelPort),
    'sentinel monitor': `${primary} ${controlPlane.address} ${port} 1`,
    'sentinel down-after-milliseconds': `${primary} 3000`,
    // When two ask for votes at once and neither wins, they try again after twice as long.
    'sentinel failover-timeout': `${primary} 3000`,
  });
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
    sentinel: ['redis-server', `${dir}/sentinel.conf`, '--sentinel'],
  }),
};
