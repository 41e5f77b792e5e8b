/** The Docker-link variables of Services: `WEB_SERVICE_HOST`, `WEB_PORT_80_TCP_ADDR` … */

import type { Service } from '../../api/schema/types.ts';
import { joinHostPort } from '../../ip/ip.ts';

/** Variables for a pod of `namespace`; without `links` only those of the API server's own Service. */
export function serviceEnv(services: readonly Service[], namespace: string, links: boolean): Map<string, string> {
  const env = new Map<string, string>();
  const chosen = new Map<string, Service>();
  for (const service of services) {
    const ip = service.spec?.clusterIP;
    if (!ip || ip === 'None') continue;
    const name = service.metadata.name;
    const ns = service.metadata.namespace ?? 'default';
    // The API server's Service is known in every namespace, but a Service of that name in the pod's own wins.
    if (ns === 'default' && name === 'kubernetes') chosen.set(name, chosen.get(name) ?? service);
    if (links && ns === namespace) chosen.set(name, service);
  }
  for (const [name, service] of chosen) addVariables(env, name, service);
  return env;
}

function addVariables(env: Map<string, string>, name: string, service: Service): void {
  const prefix = variable(name);
  const host = service.spec?.clusterIP ?? '';
  const ports = service.spec?.ports ?? [];
  env.set(`${prefix}_SERVICE_HOST`, host);
  env.set(`${prefix}_SERVICE_PORT`, String(ports[0]?.port ?? ''));
  for (const port of ports) if (port.name) env.set(`${prefix}_SERVICE_PORT_${variable(port.name)}`, String(port.port));
  for (const [i, port] of ports.entries()) {
    const protocol = port.protocol ?? 'TCP';
    const url = `${protocol.toLowerCase()}://${joinHostPort(host, port.port)}`;
    if (i === 0) env.set(`${prefix}_PORT`, url);
    const stem = `${prefix}_PORT_${port.port}_${protocol.toUpperCase()}`;
    env.set(stem, url);
    env.set(`${stem}_PROTO`, protocol.toLowerCase());
    env.set(`${stem}_PORT`, String(port.port));
    env.set(`${stem}_ADDR`, host);
  }
}

function variable(name: string): string {
  return name.toUpperCase().replaceAll('-', '_');
}
