import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { Pod, Volume } from '../../api/schema/types.ts';
import type { Exec } from '../../linux/exec.ts';
import type { ClaimSource } from './claimed-volume.ts';
import { VolumeManager } from './volume-manager.ts';

const facts = { nodeName: 'n1', hostIps: [], podIps: [], allocatable: {} };

describe('VolumeManager', () => {
  let rootDir: string;
  let volumes: VolumeManager;
  beforeEach(() => {
    rootDir = mkdtempSync(join(tmpdir(), 'fairlead-volumes-'));
    // Nothing here is mounted.
    const exec = {} as Exec;
    const sources = { config: { configMap: async () => undefined, secret: async () => undefined }, token: async () => '' };
    volumes = new VolumeManager({ rootDir, exec, sources, claims: {} as ClaimSource, warn: () => {} });
  });
  afterEach(() => rmSync(rootDir, { recursive: true }));

  const podWith = (volume: Volume, securityContext = {}): Pod => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'default', uid: 'u' },
    spec: { containers: [], volumes: [volume], securityContext },
  });
  const modeOf = (path: string): string => (statSync(path).mode & 0o7777).toString(8);

  for (const medium of ['', 'Memory'])
    test(`makes an emptyDir of medium "${medium}" that everybody may write to, and leaves it to the pod from then on`, async () => {
      const pod = podWith({ name: 'v', emptyDir: { medium } });
      const path = (await volumes.setUp(pod, facts)).get('v') ?? '';
      assert.equal(modeOf(path), '777');
      chmodSync(path, 0o700);
      await volumes.setUp(pod, facts);
      assert.equal(modeOf(path), '700');
    });

  test('gives an emptyDir to the group of the pod', async () => {
    const path = (await volumes.setUp(podWith({ name: 'v', emptyDir: {} }, { fsGroup: 1234 }), facts)).get('v') ?? '';
    assert.equal(modeOf(path), '2777');
    assert.equal(statSync(path).gid, 1234);
  });
});
