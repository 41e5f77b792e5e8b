/** The Services of the bench and their endpoints, as large as those of a real API server. Pure. */
import type { EndpointSlice, Service } from '../../../src/api/schema/types.ts';
import { labelServiceName } from '../../../src/api/well-known.ts';

export interface Size {
  readonly services: number;
  /** Of each Service. */
  readonly endpoints: number;
}

/** Where endpoints listen, whatever their address. */
export const endpointPort = 8080;
export const serviceCidr = '10.64.0.0/10';
/** Every address in it is one of the node's own, so that one socket answers for all endpoints. */
export const endpointCidr = '10.128.0.0/9';
export const nodeIp = '192.168.120.11';

const endpointsPerSlice = 100;

function address(first: number, n: number): string {
  return `10.${first + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`;
}

/** Of Service `n`; those that come later are beyond every size. */
export const clusterIp = (n: number): string => address(64, n);
export const endpointIp = (n: number): string => address(128, n);
/** Of the Service whose endpoint moves, each time to where it never was: of a client's old port conntrack remembers where it led. */
export const movingEndpoint = (n: number): string => address(255, n + 1);

const created = '2026-01-01T00:00:00Z';

function managed(manager: string, fields: object): object {
  return { manager, operation: 'Update', apiVersion: 'v1', time: created, fieldsType: 'FieldsV1', fieldsV1: fields };
}

export function service(name: string, ip: string): Service {
  const fields = { 'f:spec': { 'f:internalTrafficPolicy': {}, 'f:ports': {}, 'f:selector': {}, 'f:sessionAffinity': {}, 'f:type': {} } };
  const object = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      namespace: 'bench',
      name,
      uid: `3b241101-e2bb-4255-8caf-${name.padStart(12, '0')}`,
      creationTimestamp: created,
      labels: { 'app.kubernetes.io/name': name, 'app.kubernetes.io/managed-by': 'Helm' },
      managedFields: [managed('helm', fields)],
    },
    spec: {
      type: 'ClusterIP',
      clusterIP: ip,
      clusterIPs: [ip],
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
      internalTrafficPolicy: 'Cluster',
      sessionAffinity: 'None',
      selector: { 'app.kubernetes.io/name': name },
      ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: endpointPort }],
    },
    status: { loadBalancer: {} },
  };
  return object as Service;
}

/** As the controller names them: `web-7`. */
export function slice(of: string, n: number, ips: readonly string[]): EndpointSlice {
  const object = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      namespace: 'bench',
      name: `${of}-${n}`,
      uid: `91f2c3d4-0000-4000-8000-${`${of}${n}`.padStart(12, '0')}`,
      generateName: `${of}-`,
      creationTimestamp: created,
      labels: {
        [labelServiceName]: of,
        'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
        'app.kubernetes.io/name': of,
      },
      ownerReferences: [{ apiVersion: 'v1', kind: 'Service', name: of, uid: `uid-${of}`, controller: true, blockOwnerDeletion: true }],
      managedFields: [managed('kube-controller-manager', { 'f:addressType': {}, 'f:endpoints': {}, 'f:ports': {} })],
    },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: endpointPort, protocol: 'TCP' }],
    endpoints: ips.map((ip) => ({
      addresses: [ip],
      nodeName: 'node2',
      zone: 'zone-b',
      conditions: { ready: true, serving: true, terminating: false },
      targetRef: { kind: 'Pod', namespace: 'bench', name: `${of}-6d4cf56db6-${ip.split('.').join('')}`, uid: `pod-${ip}` },
    })),
  };
  return object as EndpointSlice;
}

/** The slices of Service `n`. */
function slicesOf(n: number, { endpoints }: Size): EndpointSlice[] {
  const ips = Array.from({ length: endpoints }, (_, i) => endpointIp(n * endpoints + i));
  const count = Math.max(1, Math.ceil(endpoints / endpointsPerSlice));
  return Array.from({ length: count }, (_, i) => slice(`s${n}`, i, ips.slice(i * endpointsPerSlice, (i + 1) * endpointsPerSlice)));
}

export function objectsOf(size: Size): { services: Service[]; slices: EndpointSlice[] } {
  const numbers = Array.from({ length: size.services }, (_, n) => n);
  return { services: numbers.map((n) => service(`s${n}`, clusterIp(n))), slices: numbers.flatMap((n) => slicesOf(n, size)) };
}
