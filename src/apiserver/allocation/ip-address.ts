/** The IPAddress object that shows which Service has a ClusterIP (KEP-1880). */
import type { IPAddress, ObjectMeta, Service } from '../../api/schema/types.ts';
import { familyOf } from '../../ip/ip.ts';

const managedBy = 'ipaddress.kubernetes.io/managed-by';
const manager = 'ipallocator.k8s.io';

export function ipAddressOf(ip: string, { metadata }: Service): IPAddress {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'IPAddress',
    metadata: { name: ip, labels: { 'ipaddress.kubernetes.io/ip-family': `IPv${familyOf(ip)}`, [managedBy]: manager } },
    spec: { parentRef: { group: '', resource: 'services', namespace: metadata.namespace, name: metadata.name } },
  };
}

/** Whether it stands for the ClusterIP of a Service, and not for what somebody else keeps. */
export function isOfService({ labels }: ObjectMeta): boolean {
  return labels?.[managedBy] === manager;
}
