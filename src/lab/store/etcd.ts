/** A member of etcd on each control plane. Members and API servers know each other by certificates of an authority that is etcd's alone. */
import { joinHostPort } from '../../ip/ip.ts';
import type { NodePlan } from '../plan.ts';
import { clientFiles, type LabStore, memberFiles, serverDir } from './store.ts';

const clientUrl = ({ address }: NodePlan): string => `https://${joinHostPort(address, 2379)}`;
const peerUrl = ({ address }: NodePlan): string => `https://${joinHostPort(address, 2380)}`;

function flag(name: string, value: string): string {
  return `--${name}=${value}`;
}

export const etcd: LabStore = {
  program: { name: 'etcd', package: 'etcd-server' },
  url({ controlPlanes }) {
    const { ca, cert, key } = clientFiles('etcd');
    return `etcd=${controlPlanes.map(clientUrl).join(',')}?ca-file=${ca}&cert-file=${cert}&key-file=${key}`;
  },
  files: () => ({}),
  services({ controlPlanes, options }, node) {
    const { ca, cert, key } = memberFiles('etcd');
    return {
      etcd: [
        // etcd 3.4 wants to hear this on arm64.
        ...['env', 'ETCD_UNSUPPORTED_ARCH=arm64', 'etcd'],
        flag('name', node.name),
        flag('data-dir', `${serverDir}/etcd`),
        flag('listen-client-urls', `${clientUrl(node)},https://127.0.0.1:2379`),
        flag('advertise-client-urls', clientUrl(node)),
        flag('listen-peer-urls', peerUrl(node)),
        flag('initial-advertise-peer-urls', peerUrl(node)),
        flag('initial-cluster', controlPlanes.map((one) => `${one.name}=${peerUrl(one)}`).join(',')),
        flag('initial-cluster-token', options.name),
        ...['cert-file', 'peer-cert-file'].map((name) => flag(name, cert)),
        ...['key-file', 'peer-key-file'].map((name) => flag(name, key)),
        ...['trusted-ca-file', 'peer-trusted-ca-file'].map((name) => flag(name, ca)),
        ...['client-cert-auth', 'peer-client-cert-auth'].map((name) => flag(name, 'true')),
        // As etcd 3.5 does by itself: a member that was cut off does not depose the leader when it comes back.
        flag('pre-vote', 'true'),
        flag('listen-metrics-urls', 'http://127.0.0.1:2381'),
        flag('logger', 'zap'),
        flag('log-level', 'warn'),
      ],
    };
  },
};
