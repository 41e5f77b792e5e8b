/** Whether names that are not the cluster's are asked of somebody else than the cluster. Pure. */
import { error, warning } from '../preflight/finding.ts';
import { type Examination, found, unseen } from './verdict.ts';

export const resolver: Examination = ({ machine, resolver: { path, servers, clusterDns } }) => {
  if (servers === undefined) return unseen(`${path} cannot be read`);
  const cure = `Name servers outside the cluster there, or give the agent another file: FAIRLEAD_RESOLV_CONF="/run/systemd/resolve/resolv.conf" in /etc/fairlead/agent.env`;
  if (servers.length === 0) return found([warning('ResolvConf', `${path} names no server: only names of the cluster are found`, cure)], '');
  return found(
    servers.map((server) => {
      if (server === clusterDns || machine.addresses.includes(server))
        return error('DNSLoop', `${path} names ${server}, which is the cluster's own DNS: it would ask itself`, cure);
      // The node's own DNS asks it as the node does: no loop, unless the DNS of the cluster is another program in a pod.
      return (
        (server.startsWith('127.') || server === '::1') &&
        warning('DNSLoopback', `${path} names ${server}, which in a pod is the pod itself: one with dnsPolicy Default finds no names`, cure)
      );
    }),
    `names outside the cluster are asked of ${servers.join(', ')}`,
  );
};
