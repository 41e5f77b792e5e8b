/** Whether the server behind an APIService answers. Reasons and messages are upstream's (kube-aggregator's remote_available_controller.go). */
import { endpointSlices, services } from '../../api/resource-types.ts';
import type { APIResourceList, Condition, EndpointSlice } from '../../api/schema/types.ts';
import { labelServiceName } from '../../api/well-known.ts';
import { messageOf } from '../../errors/known-error.ts';
import type { Lookup } from '../cache/lookup.ts';
import { boundedBody } from '../service-client/bounded-body.ts';
import type { ServiceClient } from '../service-client/service-client.ts';
import type { Remote } from './aggregation.ts';
import { remoteUser } from './remote-user.ts';

const answerMs = 5_000;
/** A list of resources is some kilobytes. */
const maxBytes = 4 << 20;

export interface Look {
  readonly condition: Omit<Condition, 'type' | 'lastTransitionTime'>;
  /** What it has, where it said so. */
  readonly resources?: APIResourceList;
}

const no = (reason: string, message: string): Look => ({ condition: { status: 'False', reason, message } });

export async function lookAt(remote: Remote, lookup: Lookup, client: ServiceClient): Promise<Look> {
  const { namespace, name, port } = remote.service;
  const service = await lookup.find(services, name, namespace);
  if (!service) return no('ServiceNotFound', `service/${name} in ${JSON.stringify(namespace)} is not present`);
  if ((service.spec?.type ?? 'ClusterIP') === 'ClusterIP') {
    const found = service.spec?.ports?.find((one) => one.port === port);
    if (!found) return no('ServicePortError', `service/${name} in ${JSON.stringify(namespace)} is not listening on port ${port}`);
    const slices = lookup.list(endpointSlices, namespace).filter(({ metadata }) => metadata.labels?.[labelServiceName] === name);
    if (slices.length === 0)
      return no('EndpointsNotFound', `cannot find endpointslices for service/${name} in ${JSON.stringify(namespace)}`);
    const portName = found.name ?? '';
    if (!slices.some((slice) => hasEndpoint(slice, portName)))
      return no(
        'MissingEndpoints',
        `endpointslices for service/${name} in ${JSON.stringify(namespace)} have no addresses with port name ${JSON.stringify(portName)}`,
      );
  }
  return ask(remote, client);
}

function hasEndpoint({ endpoints = [], ports = [] }: EndpointSlice, portName: string): boolean {
  return (
    endpoints.some(({ conditions }) => conditions?.ready !== false) &&
    ports.some((one) => (one.name ?? '') === portName && one.port !== undefined)
  );
}

async function ask(remote: Remote, client: ServiceClient): Promise<Look> {
  const path = `/apis/${remote.group}/${remote.version}`;
  const headers = { ...remoteUser({ name: 'system:kube-aggregator', groups: ['system:masters'] }), accept: 'application/json' };
  try {
    const signal = AbortSignal.timeout(answerMs);
    const to = await client.destination(remote.service, remote.tls);
    const answer = await client.request(to, { method: 'GET', path, headers, repeatable: true }, signal);
    const code = answer.statusCode ?? 0;
    const body = await boundedBody(answer, maxBytes);
    if (code < 200 || code >= 300) throw new Error(`bad status from https://${to.host}:${to.port}${path}: ${code}`);
    return { condition: { status: 'True', reason: 'Passed', message: 'all checks passed' }, ...resourcesIn(body) };
  } catch (err) {
    return no('FailedDiscoveryCheck', `failing or missing response from ${path}: ${messageOf(err)}`);
  }
}

/** One that says it in another form is available all the same. */
function resourcesIn(body: Buffer): Pick<Look, 'resources'> {
  try {
    const list = JSON.parse(body.toString()) as APIResourceList;
    const isList = Array.isArray(list.resources) && list.resources.every((one) => typeof one.name === 'string' && Array.isArray(one.verbs));
    return isList ? { resources: list } : {};
  } catch {
    return {};
  }
}
