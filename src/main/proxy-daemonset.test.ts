import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import type { ConfigMap, DaemonSet } from '../api/schema/types.ts';
import { TestServer } from '../apiserver/testing/test-server.ts';
import { completed, readProxyConfig } from '../proxy/config/config.ts';
import { configurationOf } from './part/proxy-configuration.ts';
import { proxyDaemonSet } from './proxy-daemonset.ts';

const options = { image: 'example.com/fairlead:1', server: 'https://192.0.2.10:6443', clusterCidr: '10.244.0.0/16', mode: 'iptables' };

describe('proxyDaemonSet()', () => {
  const objects = proxyDaemonSet(options);
  const [, , configMap, daemonSet] = objects as [unknown, unknown, ConfigMap, DaemonSet];
  const files = configMap.data ?? {};

  test('mounts the files that its command names', () => {
    const [container] = daemonSet.spec?.template.spec?.containers ?? [];
    const folder = container?.volumeMounts?.find(({ name }) => name === 'kube-proxy')?.mountPath;
    assert.equal(container?.command?.[1], `--config=${folder}/config.conf`);
    assert.ok(files['config.conf'] && files['kubeconfig.conf']);
    assert.equal(completed(readProxyConfig(files['config.conf'])).clientConnection.kubeconfig, `${folder}/kubeconfig.conf`);
  });

  test('has a configuration that the proxy takes', () => {
    const { mode, clusterCIDR } = configurationOf({}, files['config.conf']);
    assert.deepEqual([mode, clusterCIDR], ['iptables', '10.244.0.0/16']);
  });

  test('reaches the API server without a Service', () => {
    const { clusters } = parse(files['kubeconfig.conf'] ?? '') as { clusters: { cluster: { server: string } }[] };
    assert.equal(clusters[0]?.cluster.server, options.server);
  });

  test('is taken by an API server', async () => {
    const server = await TestServer.start();
    try {
      const paths: Record<string, string> = {
        ServiceAccount: '/api/v1/namespaces/kube-system/serviceaccounts',
        ClusterRoleBinding: '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
        ConfigMap: '/api/v1/namespaces/kube-system/configmaps',
        DaemonSet: '/apis/apps/v1/namespaces/kube-system/daemonsets',
      };
      for (const object of objects) {
        const answer = await server.call('POST', paths[object.kind] ?? '', object);
        assert.equal(answer.status, 201, answer.text);
      }
    } finally {
      await server.stop();
    }
  });
});
