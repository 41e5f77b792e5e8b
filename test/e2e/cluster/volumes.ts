/** Pods with PersistentVolumeClaims: what one writes is there for the next. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { eventually } from '../../../src/clock/testing/eventually.ts';
import { type Cluster, isStatus } from '../testing/cluster.ts';
import { boxPod } from '../testing/manifests.ts';

const space = 'volumes';
const node = 'worker-1';

/** A volume of that node and the claim that gets it. */
function volumeWithClaim(name: string, source: string): string {
  return `apiVersion: v1
kind: PersistentVolume
metadata: { name: ${name} }
spec:
  capacity: { storage: 1Gi }
  accessModes: [ReadWriteOnce]
  persistentVolumeReclaimPolicy: Retain
  storageClassName: ${name}
  ${source}
  nodeAffinity:
    required: { nodeSelectorTerms: [{ matchExpressions: [{ key: kubernetes.io/hostname, operator: In, values: [${node}] }] }] }
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: ${name}, namespace: ${space} }
spec: { accessModes: [ReadWriteOnce], storageClassName: ${name}, resources: { requests: { storage: 1Gi } } }
`;
}

/** Its claims are bound when a pod with them gets its node. */
function waitingClass(name: string): string {
  return `apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: { name: ${name} }
provisioner: kubernetes.io/no-provisioner
volumeBindingMode: WaitForFirstConsumer
`;
}

export function volumesSuite(cluster: () => Cluster): void {
  describe('volumes of claims', { concurrency: 2 }, () => {
    before(() => cluster().namespace(space));

    const sh = (pod: string, script: string): Promise<string> => cluster().sh(space, pod, script);
    const onNode = async (command: string): Promise<string> => {
      const { code, stdout, stderr } = await cluster().lab.run(node, ['sh', '-c', command]);
      assert.equal(code, 0, stderr);
      return stdout;
    };
    /** On the node of the volume, which nothing but the volume says. */
    const runs = async (name: string, options: { readonly spec: string; readonly container: string }): Promise<void> => {
      await cluster().apply(boxPod(name, options), space);
      assert.equal((await cluster().readyPod(space, name)).spec?.nodeName, node);
    };
    const ends = async (name: string): Promise<string> => {
      const { metadata } = await cluster().core.readNamespacedPod({ name, namespace: space });
      await cluster().core.deleteNamespacedPod({ name, namespace: space });
      await eventually(`pod "${name}" to be gone`, () =>
        assert.rejects(cluster().core.readNamespacedPod({ name, namespace: space }), (err) => isStatus(err, 404)),
      );
      return metadata?.uid ?? '';
    };

    test('a hostPath keeps what a pod has written for the next one, which may only read it', async () => {
      await cluster().apply(volumeWithClaim('e2e-host-path', 'hostPath: { path: /srv/e2e-host-path }'));
      const claim = (readOnly: boolean): string =>
        `volumes: [{ name: data, persistentVolumeClaim: { claimName: e2e-host-path, readOnly: ${readOnly} } }]`;
      const container = 'volumeMounts: [{ name: data, mountPath: /data }, { name: data, mountPath: /part, subPath: deep/part }]';
      await runs('writer', { spec: claim(false), container });
      await sh('writer', 'echo one >/data/file; echo two >/part/file');
      await ends('writer');
      await runs('reader', { spec: claim(true), container });
      assert.equal(await sh('reader', 'cat /data/file /data/deep/part/file /part/file'), 'one\ntwo\ntwo\n');
      assert.equal(await sh('reader', 'touch /data/other 2>/dev/null || echo refused'), 'refused\n');
      await ends('reader');
      assert.equal(await onNode('cat /srv/e2e-host-path/file'), 'one\n');
    });

    test('a local volume is for the group of its pod, and outlives the place where that has it', async () => {
      await onNode('mkdir -p /srv/e2e-local');
      await cluster().apply(waitingClass('e2e-local'));
      await cluster().apply(volumeWithClaim('e2e-local', 'local: { path: /srv/e2e-local }'));
      const spec = `securityContext: { fsGroup: 1234, runAsUser: 1000, runAsGroup: 1000 }
volumes: [{ name: data, persistentVolumeClaim: { claimName: e2e-local } }]`;
      const container = 'volumeMounts: [{ name: data, mountPath: /data }]';
      await runs('first', { spec, container });
      await sh('first', 'echo kept >/data/file');
      assert.equal(await onNode('stat -c %g:%a /srv/e2e-local; stat -c %u:%g /srv/e2e-local/file'), '1234:2775\n1000:1234\n');
      const uid = await ends('first');
      await runs('second', { spec, container });
      assert.equal(await sh('second', 'cat /data/file; echo more >>/data/file; cat /data/file'), 'kept\nkept\nmore\n');
      await ends('second');
      await eventually('the mount to be gone', async () =>
        assert.doesNotMatch(await onNode('cat /proc/self/mountinfo'), new RegExp(`${uid}|local-volume`)),
      );
      assert.equal(await onNode('cat /srv/e2e-local/file'), 'kept\nmore\n');
    });

    test('a volume that the kubelet cannot mount is named in an event', async () => {
      await cluster().apply(volumeWithClaim('e2e-nfs', 'nfs: { server: 192.0.2.1, path: / }'));
      const spec = 'volumes: [{ name: data, persistentVolumeClaim: { claimName: e2e-nfs } }]';
      await cluster().apply(boxPod('stuck', { spec, container: 'volumeMounts: [{ name: data, mountPath: /data }]' }), space);
      const says = 'MountVolume.SetUp failed for volume "data" : no volume plugin matched: PersistentVolumes of kind nfs are not supported';
      await eventually('the event', async () => {
        const failed = (await cluster().events(space, 'stuck')).filter(({ reason }) => reason === 'FailedMount');
        assert.equal(failed.at(-1)?.message, says);
      });
      await ends('stuck');
    });
  });
}
