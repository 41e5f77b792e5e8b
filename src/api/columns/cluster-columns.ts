/** Tables of nodes, namespaces, events and the small resources of the core group. */
import type { Columns } from '../registry/resource-row.ts';
import type { ConfigMap, Lease, Namespace, Node, PodTemplate, ResourceQuota, Secret } from '../schema/types.ts';
import { age, column, columnsOf, labelsText, wide } from './columns.ts';
import { templateColumns } from './workload-columns.ts';

const rolePrefix = 'node-role.kubernetes.io/';

export const nodeColumns: Columns<Node> = columnsOf<Node>([
  column('Status', nodeStatus, { description: 'Whether the node is ready, and takes new pods' }),
  column('Roles', rolesText, { description: 'Roles by the label node-role.kubernetes.io/ROLE' }),
  age(),
  column('Version', ({ status }) => status?.nodeInfo?.kubeletVersion ?? ''),
  wide('Internal-IP', (node) => addressOf(node, 'InternalIP')),
  wide('External-IP', (node) => addressOf(node, 'ExternalIP')),
  wide('OS-Image', ({ status }) => status?.nodeInfo?.osImage || '<unknown>'),
  wide('Kernel-Version', ({ status }) => status?.nodeInfo?.kernelVersion || '<unknown>'),
  wide('Container-Runtime', ({ status }) => status?.nodeInfo?.containerRuntimeVersion || '<unknown>'),
]);

export const namespaceColumns: Columns<Namespace> = columnsOf<Namespace>([column('Status', ({ status }) => status?.phase ?? ''), age()]);

export const configMapColumns: Columns<ConfigMap> = columnsOf<ConfigMap>([
  column('Data', ({ data, binaryData }) => count(data) + count(binaryData)),
  age(),
]);

export const secretColumns: Columns<Secret> = columnsOf<Secret>([
  column('Type', (secret) => secret.type ?? ''),
  column('Data', ({ data }) => count(data)),
  age(),
]);

export const podTemplateColumns: Columns<PodTemplate> = columnsOf<PodTemplate>([
  ...templateColumns<PodTemplate>(({ template }) => template).map(({ wide: _wide, ...rest }) => rest),
  column('Pod Labels', ({ template }) => labelsText(template?.metadata?.labels)),
]);

export const leaseColumns: Columns<Lease> = columnsOf<Lease>([column('Holder', ({ spec }) => spec?.holderIdentity ?? ''), age()]);

export const resourceQuotaColumns: Columns<ResourceQuota> = columnsOf<ResourceQuota>([
  column('Request', (quota) => quotaText(quota, false)),
  column('Limit', (quota) => quotaText(quota, true)),
  age(),
]);

function nodeStatus({ spec, status }: Node): string {
  const ready = status?.conditions?.find((one) => one.type === 'Ready');
  const text = !ready ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady';
  return spec?.unschedulable ? `${text},SchedulingDisabled` : text;
}

function rolesText({ metadata }: Node): string {
  const roles = Object.entries(metadata.labels ?? {}).flatMap(([key, value]) => {
    if (key.startsWith(rolePrefix)) return key.slice(rolePrefix.length) || [];
    return key === 'kubernetes.io/role' && value ? value : [];
  });
  return [...new Set(roles)].sort().join(',') || '<none>';
}

function addressOf({ status }: Node, type: string): string {
  return status?.addresses?.find((one) => one.type === type)?.address ?? '<none>';
}

/** `pods: 3/10, services: 1/5`; limits are the resources named `limits.…`. */
function quotaText({ status }: ResourceQuota, limits: boolean): string {
  return Object.keys(status?.hard ?? {})
    .filter((name) => name.startsWith('limits.') === limits)
    .sort()
    .map((name) => `${name}: ${status?.used?.[name] ?? '0'}/${status?.hard?.[name]}`)
    .join(', ');
}

function count(map: object | undefined): number {
  return Object.keys(map ?? {}).length;
}
