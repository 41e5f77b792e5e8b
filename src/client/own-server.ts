/** The API server of this machine, for those who run beside it. */
import { isUnspecified, joinHostPort } from '../ip/ip.ts';
import type { ClientConfig } from './client-config.ts';

/** By loopback, or where it listens else; under a name that every certificate of an API server has, as those of kubeadm lack "localhost". */
export function ownServer(bindAddress: string | undefined, port: number | string): Pick<ClientConfig, 'server' | 'serverName'> {
  const host = bindAddress && !isUnspecified(bindAddress) ? bindAddress : '127.0.0.1';
  return { server: `https://${joinHostPort(host, port)}`, serverName: 'kubernetes.default.svc' };
}
