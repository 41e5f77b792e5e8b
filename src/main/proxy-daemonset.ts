/**
 * The service proxy on every node as kubeadm's kube-proxy runs there: the same names, files and command, so that applying it over a kubeadm cluster
 * changes the image of what is there.
 */
import { stringify } from 'yaml';
import type { KubeObject } from '../api/resource-types.ts';
import type { ClusterRoleBinding, ConfigMap, DaemonSet, ServiceAccount } from '../api/schema/types.ts';
import { fileOf } from '../proxy/config/config.ts';
import { configDefaults } from '../proxy/config/kube-proxy-configuration.ts';

export interface ProxyDaemonSetOptions {
  /** Has a program `/usr/local/bin/kube-proxy`, as a link to `fairlead.sh` is one. */
  readonly image: string;
  /** URL of the API server as nodes reach it: the Service `kubernetes` works only once a proxy does. */
  readonly server: string;
  readonly clusterCidr: string;
  readonly mode: string;
}

const name = 'kube-proxy';
const namespace = 'kube-system';
const folder = '/var/lib/kube-proxy';
const tokens = '/var/run/secrets/kubernetes.io/serviceaccount';
const labels = { 'k8s-app': name };

function configMap({ server, clusterCidr, mode }: ProxyDaemonSetOptions): ConfigMap {
  const config = {
    ...configDefaults,
    mode,
    clusterCIDR: clusterCidr,
    clientConnection: { ...configDefaults.clientConnection, kubeconfig: `${folder}/kubeconfig.conf` },
  };
  const kubeconfig = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'default', cluster: { 'certificate-authority': `${tokens}/ca.crt`, server } }],
    contexts: [{ name: 'default', context: { cluster: 'default', namespace: 'default', user: 'default' } }],
    'current-context': 'default',
    users: [{ name: 'default', user: { tokenFile: `${tokens}/token` } }],
  };
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace, labels: { app: name } },
    data: { 'config.conf': stringify(fileOf(config)), 'kubeconfig.conf': stringify(kubeconfig) },
  };
}

function daemonSet({ image }: ProxyDaemonSetOptions): DaemonSet {
  const container = {
    name,
    image,
    command: ['/usr/local/bin/kube-proxy', `--config=${folder}/config.conf`, '--hostname-override=$(NODE_NAME)'],
    env: [{ name: 'NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } }],
    securityContext: { privileged: true },
    volumeMounts: [
      { name, mountPath: folder },
      { name: 'xtables-lock', mountPath: '/run/xtables.lock' },
      { name: 'lib-modules', mountPath: '/lib/modules', readOnly: true },
    ],
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name, namespace, labels },
    spec: {
      selector: { matchLabels: labels },
      updateStrategy: { type: 'RollingUpdate' },
      template: {
        metadata: { labels },
        spec: {
          serviceAccountName: name,
          hostNetwork: true,
          priorityClassName: 'system-node-critical',
          nodeSelector: { 'kubernetes.io/os': 'linux' },
          tolerations: [{ operator: 'Exists' }],
          containers: [container],
          volumes: [
            { name, configMap: { name } },
            { name: 'xtables-lock', hostPath: { path: '/run/xtables.lock', type: 'FileOrCreate' } },
            { name: 'lib-modules', hostPath: { path: '/lib/modules' } },
          ],
        },
      },
    },
  };
}

/** In the order in which they can be made. */
export function proxyDaemonSet(options: ProxyDaemonSetOptions): KubeObject[] {
  const account: ServiceAccount = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } };
  const binding: ClusterRoleBinding = {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: 'kubeadm:node-proxier' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'system:node-proxier' },
    subjects: [{ kind: 'ServiceAccount', name, namespace }],
  };
  return [account, binding, configMap(options), daemonSet(options)];
}
