/** The API server of this machine, for those who run beside it. */
import { isUnspecified, joinHostPort } from '../ip/ip.ts';
import type { ClientConfig } from './client-config.ts';

/** Where what listens at `bindAddress` is reached from beside it: loopback, unless it listens elsewhere alone. */
export function ownHost(bindAddress: string | undefined): string {
  return bindAddress && !isUnspecified(bindAddress) ? bindAddress : '127.0.0.1';
}

/** By loopback, or where it listens else; under a name that every certificate of an API server has, as those of kubeadm lack "localhost". */
export function ownServer(bindAddress: string | undefined, port: number | string): Pick<ClientConfig, 'server' | 'serverName'> {
  return { server: `https://${joinHostPort(ownHost(bindAddress), port)}`, serverName: 'kubernetes.default.svc' };
}
