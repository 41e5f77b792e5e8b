/** What a request that leaves HTTP, or is passed on, asks for, as admission is shown it (PodExecOptions and the like). */
import type { ResourceRow } from '../../api/registry/resource-row.ts';
import type { KubeObject } from '../../api/resource-types.ts';
import type { PodExecOptions, PodPortForwardOptions } from '../../api/schema/types.ts';
import type { AdmissionChain } from '../admission/admission.ts';
import { bodyOf } from '../admission/match/versioned-request.ts';
import type { UserInfo } from '../auth/user-info.ts';
import type { RequestInfo } from '../http/request-info.ts';

export interface Connecting {
  readonly row: ResourceRow;
  readonly info: RequestInfo;
  readonly query: URLSearchParams;
  readonly user: UserInfo;
  readonly warnings?: string[];
}

/** What is asked for, after everybody who has a say in it has been asked. Throws a StatusError. */
export async function admitConnect(admission: AdmissionChain, { row, info, query, user, warnings = [] }: Connecting): Promise<KubeObject> {
  const { namespace, subresource } = info;
  const { kind, version } = bodyOf(row, subresource);
  const options = subresource === 'proxy' ? { path: `/${info.rest}` } : streamsOf(query, subresource);
  const object = { kind, apiVersion: version, ...options } as unknown as KubeObject;
  const what = { row, subresource, namespace, name: info.name, user, object, old: undefined };
  await admission.admit({ operation: 'CONNECT', ...what, dryRun: false, warnings });
  return object;
}

function streamsOf(query: URLSearchParams, subresource: string): PodExecOptions & PodPortForwardOptions {
  if (subresource === 'portforward') {
    const ports = query.getAll('ports').map(Number).filter(Number.isInteger);
    return ports.length > 0 ? { ports } : {};
  }
  const flag = (name: string): object => (['true', '1'].includes(query.get(name) ?? '') ? { [name]: true } : {});
  const container = query.get('container');
  const command = query.getAll('command');
  return {
    ...{ ...flag('stdin'), ...flag('stdout'), ...flag('stderr'), ...flag('tty') },
    ...(container ? { container } : {}),
    ...(command.length > 0 && subresource === 'exec' ? { command } : {}),
  };
}

/** The kubelet has other names for the streams than the API. */
export function streamQuery({ command = [], stdin, stdout, stderr, tty }: PodExecOptions): URLSearchParams {
  const out = new URLSearchParams(command.map((word): [string, string] => ['command', word]));
  for (const [name, wanted] of Object.entries({ input: stdin, output: stdout, error: stderr, tty })) if (wanted) out.set(name, '1');
  return out;
}

/** WebSocket clients name the ports in the query. */
export function portQuery({ ports = [] }: PodPortForwardOptions): string {
  return ports.length === 0 ? '' : `?${new URLSearchParams(ports.map((port): [string, string] => ['port', String(port)]))}`;
}
