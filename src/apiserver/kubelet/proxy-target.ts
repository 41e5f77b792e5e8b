/** Where `proxy` subresources lead: a node's kubelet, a pod's port, a ready endpoint of a Service. */
import { BlockList, connect as connectTcp, isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import type { ResourceRow } from '../../api/registry/resource-row.ts';
import { endpointSlices } from '../../api/resource-types.ts';
import type { Pod, Service } from '../../api/schema/types.ts';
import { labelServiceName } from '../../api/well-known.ts';
import type { RequestInfo } from '../http/request-info.ts';
import type { ResourceHandlers } from '../resource/resource-handlers.ts';
import { badRequest, noSuchPath, serviceUnavailable } from '../status/status-error.ts';
import { connected, type KubeletClient, type Target } from './kubelet-client.ts';

export interface ProxyTarget {
  readonly target: Target;
  readonly path: string;
  readonly tls: boolean;
  /** Undefined: by `KubeletClient.connect`, with its certificate. */
  readonly plain: (() => Promise<Duplex>) | undefined;
}

/** `https:web:http` → scheme, name, port name or number. */
function splitProxyName(text: string): { scheme: 'http' | 'https'; name: string; port: string } {
  const parts = text.split(':');
  if (parts.length === 3) return { scheme: parts[0] === 'https' ? 'https' : 'http', name: parts[1] ?? '', port: parts[2] ?? '' };
  return { scheme: 'http', name: parts[0] ?? '', port: parts[1] ?? '' };
}

export async function proxyTarget(
  resources: ResourceHandlers,
  kubelets: KubeletClient,
  row: ResourceRow,
  info: RequestInfo,
  url: string,
): Promise<ProxyTarget> {
  // As it was sent: `?a` and `?a=` may be two things to what is behind, and so is a slash at the end.
  const search = url.includes('?') ? url.slice(url.indexOf('?')) : '';
  const path = `/${info.rest}${info.rest && info.path.endsWith('/') ? '/' : ''}${search}`;
  const { scheme, name, port } = splitProxyName(info.name);
  if (row.type.resource === 'nodes') {
    const target = await kubelets.target(name);
    checkAddress(target.host);
    return { target, path, tls: true, plain: undefined };
  }
  const target =
    row.type.resource === 'pods'
      ? await podTarget(resources, row, info.namespace, name, port, scheme)
      : await serviceTarget(resources, row, info.namespace, name, port);
  return { target, path, tls: scheme === 'https', plain: () => connectPlain(target, scheme === 'https') };
}

async function podTarget(
  resources: ResourceHandlers,
  row: ResourceRow,
  namespace: string,
  name: string,
  port: string,
  scheme: string,
): Promise<Target> {
  const pod = (await resources.read(row, namespace, name)) as Pod;
  const host = pod.status?.podIP;
  if (!host) throw badRequest(`pod ${name} has no address yet`);
  checkAddress(host);
  const number = port
    ? Number(port)
    : (pod.spec?.containers.flatMap((c) => c.ports ?? [])[0]?.containerPort ?? (scheme === 'https' ? 443 : 80));
  if (!Number.isInteger(number) || number < 1 || number > 65535) throw badRequest(`invalid port ${JSON.stringify(port)} of pod ${name}`);
  return { host, port: number, name: `pod "${namespace}/${name}"` };
}

async function serviceTarget(
  resources: ResourceHandlers,
  row: ResourceRow,
  namespace: string,
  name: string,
  port: string,
): Promise<Target> {
  if (row.type.resource !== 'services') throw noSuchPath();
  const service = (await resources.read(row, namespace, name)) as Service;
  const ports = service.spec?.ports ?? [];
  const wanted = ports.find((p) => (port === '' ? ports.length === 1 : p.name === port || String(p.port) === port));
  if (!wanted) throw serviceUnavailable(`no service port ${JSON.stringify(port)} found for service ${JSON.stringify(name)}`);
  const slices = await resources.all(endpointSlices, namespace);
  for (const slice of slices) {
    if (slice.metadata.labels?.[labelServiceName] !== name) continue;
    const number = slice.ports?.find((p) => (p.name ?? '') === (wanted.name ?? ''))?.port;
    const ready = (slice.endpoints ?? []).filter((e) => e.conditions?.ready !== false);
    const chosen = ready[Math.floor(Math.random() * ready.length)]?.addresses[0];
    if (!number || !chosen) continue;
    checkAddress(chosen);
    return { host: chosen, port: number, name: `service "${namespace}/${name}"` };
  }
  throw serviceUnavailable(`no endpoints available for service ${JSON.stringify(name)}`);
}

const notForPods = new BlockList();
for (const [address, prefix] of [
  ['0.0.0.0', 8],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['224.0.0.0', 4],
] as const)
  notForPods.addSubnet(address, prefix, 'ipv4');
for (const [address, prefix] of [
  ['::', 127],
  ['fe80::', 10],
  ['ff00::', 8],
] as const)
  notForPods.addSubnet(address, prefix, 'ipv6');

/** Whoever can write the status of a pod or node must not make this server call itself, or the machine it is on (upstream's IsProxyableIP). */
function checkAddress(address: string): void {
  const family = isIP(address);
  if (family === 0 || notForPods.check(address, family === 4 ? 'ipv4' : 'ipv6')) throw badRequest(`address not allowed: ${address}`);
}

function connectPlain(target: Target, tls: boolean): Promise<Duplex> {
  const { host, port } = target;
  // As upstream: who proxies to a pod over TLS cannot know its certificate.
  const socket = tls ? connectTls({ host, port, rejectUnauthorized: false }) : connectTcp({ host, port });
  socket.setNoDelay(true);
  return connected(socket, tls ? 'secureConnect' : 'connect', target);
}
