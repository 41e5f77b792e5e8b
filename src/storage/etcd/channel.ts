/** The way to one member of etcd: gRPC over TLS or without, and how soon it finds out that nobody is there. */
import { checkServerIdentity } from 'node:tls';
import { Client, credentials } from '@grpc/grpc-js';
import { isIp } from '../../ip/ip.ts';

const channelOptions = {
  // A member that vanished without a word is noticed within 15 seconds. etcd takes pings every 5 seconds at most.
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
  'grpc.enable_retries': 0,
  'grpc.enable_http_proxy': 0,
  // Each member has a channel of its own, also after one that was closed.
  'grpc.use_local_subchannel_pool': 1,
};

/** PEM files; without `ca` the authorities that Node.js knows count. */
export interface Tls {
  readonly ca: Buffer | null;
  readonly cert: Buffer | null;
  readonly key: Buffer | null;
}

export function openChannel(url: string, tls: Tls | undefined): Client {
  const { host, hostname } = new URL(url);
  if (!tls) return new Client(host, credentials.createInsecure(), channelOptions);
  const { ca, cert, key } = tls;
  const address = hostname.replace(/^\[|\]$/g, '');
  if (!isIp(address)) return new Client(host, credentials.createSsl(ca, key, cert), channelOptions);
  // gRPC would name the address in the handshake, where RFC 6066 allows only names and Node.js warns of it. A name stands in for it there.
  const checked = credentials.createSsl(ca, key, cert, { checkServerIdentity: (_, shown) => checkServerIdentity(address, shown) });
  return new Client(host, checked, { ...channelOptions, 'grpc.ssl_target_name_override': 'etcd' });
}
