import assert from 'node:assert/strict';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { PersistentVolume, PersistentVolumeSpec, Pod, PodSpec, Volume } from '../../api/schema/types.ts';
import { samplePod } from '../testing/pod-samples.ts';
import { ClaimVolumes } from './claim-volumes.ts';
import type { MountPoint } from './mount-points.ts';

const affinity = {
  required: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator: 'In', values: ['a'] }] }] },
};

describe('ClaimVolumes', () => {
  let root: string;
  let disk: string;
  let place: string;
  let mounts: MountPoint[];
  let labels: Record<string, string>;
  let run: string[];
  let warned: string[];
  let asked: number;
  let spec: PersistentVolumeSpec;
  let volumes: ClaimVolumes;
  beforeEach(() => {
    root = realpathSync(mkdtempSync(join(tmpdir(), 'fairlead-claims-')));
    disk = join(root, 'disk');
    mkdirSync(disk, { mode: 0o755 });
    place = join(root, 'pods/u1/volumes/kubernetes.io~local-volume/v');
    [mounts, labels, run, warned, asked] = [[{ device: '8:1', root: '/', path: '/' }], { zone: 'a' }, [], [], 0];
    volumes = new ClaimVolumes({
      podsDir: join(root, 'pods'),
      exec: {
        run: async (file, args) => {
          run.push([file, ...args].join(' '));
          return { code: 0, stdout: '', stderr: '' };
        },
      },
      source: {
        claim: async (namespace, name) => {
          asked++;
          const metadata = { name, namespace, uid: 'c' };
          return { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata, spec: { volumeName: 'pv' }, status: { phase: 'Bound' } };
        },
        volume: async (name): Promise<PersistentVolume> => ({
          ...{ apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name } },
          spec: { claimRef: { uid: 'c' }, ...spec },
        }),
        node: async () => ({ name: 'n1', labels }),
      },
      mounts: async () => mounts,
      warn: (_pod, reason, message) => void warned.push(`${reason}: ${message}`),
    });
  });
  afterEach(() => rmSync(root, { recursive: true }));

  const volumeOf = (readOnly = false): Volume => ({ name: 'v', persistentVolumeClaim: { claimName: 'c', readOnly } });
  const setUp = (podSpec: Partial<PodSpec> = {}, volume = volumeOf(), uid = 'u1'): Promise<string> => {
    const pod: Pod = samplePod(podSpec, { uid });
    return volumes.setUp(pod, volume);
  };
  const fails = (message: string, podSpec: Partial<PodSpec> = {}): Promise<void> => assert.rejects(setUp(podSpec), { message });
  const stateOf = (path: string): string => `${(statSync(path).mode & 0o7777).toString(8)} ${statSync(path).gid}`;
  const isMountedBy = (uid: string): void => {
    mounts.push({ device: '8:1', root: disk, path: join(root, `pods/${uid}/volumes/kubernetes.io~local-volume/v`) });
  };

  test('gives a hostPath as it is on the node, and leaves it to nobody', async () => {
    spec = { hostPath: { path: disk, type: 'Directory' } };
    assert.equal(await setUp({ securityContext: { fsGroup: 1234 } }), disk);
    assert.deepEqual([run, stateOf(disk)], [[], '755 0']);
  });

  test('checks or makes what the type of a hostPath asks for', async () => {
    const path = join(root, 'new');
    spec = { hostPath: { path, type: 'Directory' } };
    await fails(`hostPath type check failed: ${path} is not a directory`);
    spec = { hostPath: { path, type: 'DirectoryOrCreate' } };
    assert.equal(await setUp(), path);
    assert.equal(existsSync(path), true);
  });

  test('mounts a local volume at a place of the pod', async () => {
    spec = { local: { path: disk }, nodeAffinity: affinity };
    assert.equal(await setUp(), place);
    assert.deepEqual(run, [`mount --bind ${disk} ${place}`]);
    assert.equal(statSync(place).isDirectory(), true);
  });

  test('mounts it as the volume and the pod say', async () => {
    spec = { local: { path: disk }, mountOptions: ['noexec', 'nodev'] };
    await setUp({}, volumeOf(true));
    assert.deepEqual(run, [`mount --bind -o ro,noexec,nodev ${disk} ${place}`]);
  });

  test('leaves the mount of a kubelet before it alone', async () => {
    spec = { local: { path: disk } };
    isMountedBy('u1');
    assert.equal(await setUp({ securityContext: { fsGroup: 1234 } }), place);
    assert.deepEqual([run, warned, stateOf(disk)], [[], [], '755 0']);
  });

  test('looks at a volume once, until the pod has gone', async () => {
    spec = { local: { path: disk } };
    assert.deepEqual([await setUp(), await setUp(), asked, run.length], [place, place, 1, 1]);
    await setUp({}, volumeOf(), 'u2');
    assert.deepEqual([asked, run.length], [2, 2]);
    volumes.forget('u1');
    await setUp();
    await setUp({}, volumeOf(), 'u2');
    assert.deepEqual([asked, run.length], [3, 3]);
  });

  test('tries again what has failed', async () => {
    spec = { local: { path: join(root, 'late') } };
    await fails(`path "${join(root, 'late')}" does not exist`);
    mkdirSync(join(root, 'late'));
    assert.equal(await setUp(), place);
  });

  test('gives a local volume to the group of the first pod that mounts it', async () => {
    spec = { local: { path: disk } };
    await setUp({ securityContext: { fsGroup: 1234 } });
    assert.equal(stateOf(disk), '2775 1234');
    isMountedBy('u1');
    await setUp({ securityContext: { fsGroup: 1234 } }, volumeOf(), 'u2');
    assert.deepEqual(warned, []);
    await setUp({ securityContext: { fsGroup: 99 } }, volumeOf(), 'u3');
    assert.deepEqual(warned, [
      'AlreadyMountedVolume: The requested fsGroup is 99, but the volume pv has GID 1234. The volume may not be shareable.',
    ]);
    assert.equal(stateOf(disk), '2775 1234');
  });

  test('…whatever mounts it outside of pods', async () => {
    spec = { local: { path: disk } };
    mounts.push({ device: '8:1', root: disk, path: '/srv/copy' });
    await setUp({ securityContext: { fsGroup: 1234 } });
    assert.equal(stateOf(disk), '2775 1234');
  });

  test('…but not where that pod only reads, or its policy finds the root in order', async () => {
    spec = { local: { path: disk } };
    await setUp({ securityContext: { fsGroup: 1234 } }, volumeOf(true));
    assert.equal(stateOf(disk), '755 0');
    writeFileSync(join(disk, 'file'), '', { mode: 0o600 });
    chownSync(disk, 0, 1234);
    chmodSync(disk, 0o2770);
    await setUp({ securityContext: { fsGroup: 1234, fsGroupChangePolicy: 'OnRootMismatch' } }, volumeOf(), 'u2');
    assert.equal(stateOf(join(disk, 'file')), '600 0');
    assert.equal(run.length, 2);
  });

  const using = (list: 'volumeMounts' | 'volumeDevices'): Partial<PodSpec> => ({
    containers: [{ name: 'main', [list]: [{ name: 'other' }, { name: 'v' }] } as never],
  });
  const refused: [what: string, spec: PersistentVolumeSpec, message: string, podSpec?: Partial<PodSpec>][] = [
    ['another kind', { nfs: { server: 's', path: '/' } }, 'no volume plugin matched: PersistentVolumes of kind nfs are not supported'],
    [
      'a driver',
      { capacity: {}, accessModes: [], csi: { driver: 'disks.example.com', volumeHandle: 'h' } },
      'no volume plugin matched: PersistentVolumes of kind csi (driver disks.example.com) are not supported',
    ],
    ['another node', { local: { path: '/x' }, nodeAffinity: { required: { nodeSelectorTerms: [] } } }, 'no matching NodeSelectorTerms'],
    ['mount options', { hostPath: { path: '/x' }, mountOptions: ['ro'] }, 'mount options are not supported for this volume type'],
    ['a device', { hostPath: { path: '/x' }, volumeMode: 'Block' }, 'volumes of volumeMode Block are not supported'],
    [
      'a device that is mounted',
      { hostPath: { path: '/x' }, volumeMode: 'Block' },
      'volume v has volumeMode Block, but is specified in volumeMounts',
      using('volumeMounts'),
    ],
    [
      'files as a device',
      { hostPath: { path: '/x' } },
      'volume v has volumeMode Filesystem, but is specified in volumeDevices',
      using('volumeDevices'),
    ],
  ];
  for (const [what, asked, message, podSpec] of refused)
    test(`refuses ${what}`, async () => {
      spec = asked;
      await fails(message, podSpec);
      assert.deepEqual(run, []);
    });

  test('refuses a volume of nodes with other labels', async () => {
    spec = { local: { path: disk }, nodeAffinity: affinity };
    labels = { zone: 'b' };
    await fails('no matching NodeSelectorTerms');
  });

  test('refuses a local volume that is no directory', async () => {
    spec = { local: { path: join(disk, 'file') } };
    writeFileSync(join(disk, 'file'), '');
    await fails(`local volumes that are no directory are not supported: "${join(disk, 'file')}"`);
  });
});
