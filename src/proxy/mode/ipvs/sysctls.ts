/** Settings of the kernel without which virtual servers do not behave as Services do. */

export interface Sysctl {
  /** Below /proc/sys. */
  readonly name: string;
  readonly value: string;
}

/** kube-proxy's, each with its reason. */
export function sysctlsOf(strictArp: boolean): Sysctl[] {
  return [
    // Masquerading and filters see the connections of virtual servers.
    { name: 'net/ipv4/vs/conntrack', value: '1' },
    // A client that uses a port again gets to a real server at once, and not after a second (kubernetes #81775).
    { name: 'net/ipv4/vs/conn_reuse_mode', value: '0' },
    // Flows to an endpoint that was taken away go to another.
    { name: 'net/ipv4/vs/expire_nodest_conn', value: '1' },
    // A client with affinity leaves an endpoint that gets no new connections.
    { name: 'net/ipv4/vs/expire_quiescent_template', value: '1' },
    { name: 'net/ipv4/ip_forward', value: '1' },
    // Nobody on the node's network is told that a Service's address is here: a load balancer of the cluster does that.
    ...(strictArp
      ? [
          { name: 'net/ipv4/conf/all/arp_ignore', value: '1' },
          { name: 'net/ipv4/conf/all/arp_announce', value: '2' },
        ]
      : []),
  ];
}
