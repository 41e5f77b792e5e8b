/** A pod as a cluster has thousands of them, for measurements. */
import type { KubeObject } from '../../api/resource-types.ts';

export function pod(i: number): KubeObject {
  const name = `web-${i % 200}-7d4b9c6f5d-${i.toString(36).padStart(5, '0')}`;
  const ip = `10.244.${(i >> 8) & 255}.${i & 255}`;
  const time = '2026-01-01T00:00:00Z';
  const condition = (type: string): object => ({ type, status: 'True', lastProbeTime: null, lastTransitionTime: time });
  const mount = { name: 'kube-api-access', readOnly: true, mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'default',
      uid: `8515751c-249a-4356-9f64-${i.toString(16).padStart(12, '0')}`,
      creationTimestamp: time,
      labels: { app: `web-${i % 200}`, 'pod-template-hash': '7d4b9c6f5d' },
      ownerReferences: [
        { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: `web-${i % 200}-7d4b9c6f5d`, uid: 'b65ae303-b674-486b-8ba2', controller: true },
      ],
    },
    spec: {
      containers: [
        {
          name: 'web',
          image: 'registry.example.com/team/web:1.27.3',
          ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }],
          env: [{ name: 'POD_IP', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'status.podIP' } } }],
          resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '256Mi' } },
          readinessProbe: { httpGet: { path: '/ready', port: 'http', scheme: 'HTTP' }, timeoutSeconds: 1, periodSeconds: 10 },
          volumeMounts: [mount],
          imagePullPolicy: 'IfNotPresent',
        },
      ],
      restartPolicy: 'Always',
      nodeName: `worker-${i % 100}`,
      serviceAccountName: 'default',
      volumes: [
        {
          name: 'kube-api-access',
          projected: { sources: [{ serviceAccountToken: { expirationSeconds: 3607, path: 'token' } }], defaultMode: 420 },
        },
      ],
      tolerations: [{ key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 }],
    },
    status: {
      phase: 'Running',
      conditions: ['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady', 'PodScheduled'].map(condition),
      podIP: ip,
      podIPs: [{ ip }],
      hostIP: '192.0.2.7',
      startTime: time,
      containerStatuses: [
        { name: 'web', ready: true, restartCount: 0, image: 'web:1.27.3', imageID: 'sha256:0', state: { running: { startedAt: time } } },
      ],
      qosClass: 'Burstable',
    },
  } as unknown as KubeObject;
}
