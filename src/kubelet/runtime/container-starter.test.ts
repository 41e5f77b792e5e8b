import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import type { Input } from '../../api/codec/message-type.ts';
import type { Pod, PodSpec } from '../../api/schema/types.ts';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import type { ContainerConfig } from '../cri/messages.ts';
import { specOf } from '../pod/spec.ts';
import { samplePod, sampleRuntime } from '../testing/pod-samples.ts';
import { ContainerStarter, type StartContext, type StarterOptions } from './container-starter.ts';
import { StartError } from './start-error.ts';

/** Tries to start the container of a pod whose image runs as `user`; gives why it waits, and the events. */
async function start(
  spec: Partial<PodSpec>,
  user: { uid?: { value: number }; username?: string },
): Promise<{ err: unknown; events: string[] }> {
  const events: string[] = [];
  const starter = new ContainerStarter({
    clock: new FakeClock(),
    events: {
      pod() {},
      container: (_pod: Pod, _container: object, type: string, reason: string, text: string) =>
        void events.push(`${type} ${reason}: ${text}`),
    },
    images: { ensure: async () => ({ id: 'sha256:1', ...user }) },
    services: () => [],
    source: {},
    // What comes after the check of the user is not reached here, or ends it.
    volumes: {
      podDir: () => {
        throw new Error('the user is fine');
      },
    },
  } as unknown as StarterOptions);
  const pod = samplePod({ containers: [{ name: 'main', image: 'box:1' }], ...spec });
  const context = {
    pod,
    runtime: sampleRuntime([]),
    sandboxId: 's0',
    sandbox: { logDirectory: '/nowhere' },
    volumes: new Map(),
    facts: { nodeName: 'n', hostIps: [], podIps: [], allocatable: {} },
    signal: new AbortController().signal,
  } as unknown as StartContext;
  const [container] = specOf(pod).containers;
  assert.ok(container);
  const err = await starter.start(container, context).then(
    () => undefined,
    (e: unknown) => e,
  );
  return { err, events };
}

const nonRoot: Partial<PodSpec> = { securityContext: { runAsNonRoot: true } };
const where = '(pod: "web_default(u1)", container: main)';

const table: readonly (readonly [string, Partial<PodSpec>, { uid?: { value: number }; username?: string }, string])[] = [
  ['an image that runs as root', nonRoot, {}, `container has runAsNonRoot and image will run as root ${where}`],
  ['an image that says root by number', nonRoot, { uid: { value: 0 } }, `container has runAsNonRoot and image will run as root ${where}`],
  [
    'an image whose user is a name',
    nonRoot,
    { username: 'web' },
    `container has runAsNonRoot and image has non-numeric user (web), cannot verify user is non-root ${where}`,
  ],
  ['runAsUser 0', { securityContext: { runAsNonRoot: true, runAsUser: 0 } }, {}, `container's runAsUser breaks non-root policy ${where}`],
];

for (const [sentence, spec, user, why] of table) {
  test(`runAsNonRoot refuses ${sentence}: the container waits with the reason, an Event says it, the next try waits`, async () => {
    const { err, events } = await start(spec, user);
    assert.ok(err instanceof StartError);
    assert.deepEqual([err.reason, err.message, err.retryMs], ['CreateContainerConfigError', why, 1_000]);
    assert.deepEqual(events, [`Warning Failed: Error: ${why}`]);
  });
}

test('runAsNonRoot takes an image with a number, and a pod that names a user', async () => {
  for (const [spec, user] of [
    [nonRoot, { uid: { value: 1000 } }],
    [{ securityContext: { runAsNonRoot: true, runAsUser: 7 } }, {}],
    [{}, {}],
  ] as const) {
    const { err } = await start(spec, user);
    assert.ok(err instanceof StartError);
    assert.equal(err.message, 'the user is fine');
  }
});

test("a container may not write where the kubelet writes, whatever its mounts say, and may where the volume is the pod's own", async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'pod-'));
  t.after(() => rm(dir, { recursive: true }));
  const made: Input<ContainerConfig>[] = [];
  const starter = new ContainerStarter({
    clock: new FakeClock(),
    events: { pod() {}, container() {} },
    images: { ensure: async () => ({ id: 'sha256:1' }) },
    services: () => [],
    source: {},
    nodeHosts: async () => '',
    volumes: { podDir: () => dir, subPath: async () => '/part' },
    cri: {
      createContainer: async (_sandbox: string, config: Input<ContainerConfig>) => `c${made.push(config)}`,
      startContainer: async () => {},
    },
  } as unknown as StarterOptions);
  const volumes = [
    { name: 'config', configMap: { name: 'c' } },
    { name: 'secret', secret: { secretName: 's' } },
    { name: 'down', downwardAPI: {} },
    { name: 'projected', projected: { sources: [] } },
    { name: 'empty', emptyDir: {} },
    { name: 'host', hostPath: { path: '/x' } },
  ];
  const mounts = volumes.map(({ name }) => ({ name, mountPath: `/${name}`, readOnly: false }));
  const container = {
    name: 'main',
    image: 'box:1',
    volumeMounts: [...mounts, { name: 'config', mountPath: '/part', subPath: 'a' }, { name: 'empty', mountPath: '/kept', readOnly: true }],
  };
  const pod = samplePod({ containers: [container], volumes });
  await starter.start(container, {
    pod,
    runtime: sampleRuntime([]),
    sandboxId: 's0',
    sandbox: { logDirectory: '/nowhere' },
    volumes: new Map(volumes.map(({ name }) => [name, `/volumes/${name}`])),
    facts: { nodeName: 'n', hostIps: [], podIps: [], allocatable: {} },
    signal: new AbortController().signal,
  } as unknown as StartContext);
  const readOnly = new Map(made[0]?.mounts?.map((mount) => [mount?.containerPath, mount?.readonly]));
  assert.deepEqual(Object.fromEntries(readOnly), {
    '/config': true,
    '/secret': true,
    '/down': true,
    '/projected': true,
    '/part': true,
    '/empty': false,
    '/host': false,
    '/kept': true,
    '/etc/hosts': false,
    '/dev/termination-log': false,
  });
});
