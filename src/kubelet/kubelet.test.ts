/** The whole kubelet over a runtime, an API and a clock that are fakes: who tells whom, seen from outside. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { leases, nodes, pods } from '../api/resource-types.ts';
import type { Pod, PodSpec, PodStatus } from '../api/schema/types.ts';
import { FakeClient } from '../client/testing/fake-client.ts';
import { FakeClock } from '../clock/testing/fake-clock.ts';
import { silentLog } from '../observability/log.ts';
import { type Kubelet, runKubelet } from './kubelet.ts';
import { CgroupManager } from './node/cgroup-manager.ts';
import { FakeCri } from './testing/fake-cri.ts';
import { makeCertificates } from './testing/test-certificates.ts';

function isWaitingForFiles(): boolean {
  return process.getActiveResourcesInfo().some((resource) => resource.startsWith('FSReq'));
}

const certificates = makeCertificates();

/** A node on which no time passes but by `until`. */
class TestKubelet implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly api = new FakeClient(this.clock);
  readonly cri = new FakeCri(this.clock);
  readonly dir = mkdtempSync(join(tmpdir(), 'kubelet-'));
  readonly #nodeIps: readonly string[];
  #kubelet: Kubelet | undefined;

  constructor(nodeIps: readonly string[] = ['192.0.2.1']) {
    this.#nodeIps = nodeIps;
  }

  async start(): Promise<this> {
    const info = { machineID: '', systemUUID: '', bootID: '', kernelVersion: '', osImage: '', kubeletVersion: 'v1', kubeProxyVersion: '' };
    this.#kubelet = await runKubelet(
      {
        client: this.api,
        nodeName: 'n1',
        nodeIps: this.#nodeIps,
        runtimeEndpoint: '',
        rootDir: this.dir,
        podManifestPath: join(this.dir, 'manifests'),
        clusterDns: ['10.96.0.10'],
        clusterDomain: 'cluster.local',
        tls: { ...certificates.server, clientCa: certificates.ca },
        port: 0,
        clock: this.clock,
        log: silentLog,
        signal: AbortSignal.any([]),
      },
      {
        cri: this.cri,
        exec: { run: async () => ({ code: 0, stdout: '', stderr: '' }) },
        cgroups: new CgroupManager([]),
        machine: async () => ({
          capacity: { cpu: '4', memory: '8Gi', pods: '110' },
          memoryBytes: 2 ** 33,
          info: { ...info, operatingSystem: 'linux', architecture: 'amd64' },
        }),
        limits: { memoryBytes: 0, diskBytes: 0, inodesFraction: 0, pidsFraction: 0 },
        logsRoot: join(this.dir, 'logs'),
        textOf: async () => '',
      },
    );
    return this;
  }

  /** Lets time pass until it is so. Files take real time, in which the clock stands still. */
  async until(what: string, done: () => boolean): Promise<void> {
    for (const end = performance.now() + 90_000; !done(); await sleep(1)) {
      assert.ok(performance.now() < end, `${what} did not happen; the runtime was asked: ${this.cri.calls.join(', ')}`);
      if (!isWaitingForFiles()) await this.clock.advance(50);
    }
  }

  put(name: string, spec: Partial<PodSpec> = {}, metadata: Partial<Pod['metadata']> = {}): Pod {
    return this.api.put(pods, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'default', uid: `uid-${name}`, generation: 1, ...metadata },
      spec: { restartPolicy: 'Always', nodeName: 'n1', containers: [{ name: 'main', image: 'box:1' }], ...spec },
      status: { phase: 'Pending' },
    });
  }

  status(name: string): PodStatus | undefined {
    return this.api.find(pods, `default/${name}`)?.status;
  }

  condition(name: string, type = 'Ready'): string | undefined {
    return this.status(name)?.conditions?.find((c) => c.type === type)?.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = this.#kubelet?.close();
    await this.clock.advance(2000);
    await closed;
    rmSync(this.dir, { recursive: true, force: true });
  }
}

test('the node is registered under the name of its runtime, has a Lease, and is ready when the runtime is', async () => {
  await using bed = new TestKubelet();
  bed.cri.unready.add('NetworkReady');
  await bed.start();
  const ready = (): string | undefined => bed.api.find(nodes, 'n1')?.status?.conditions?.find((c) => c.type === 'Ready')?.message;
  await bed.until('a Node', () => ready() !== undefined);
  assert.equal(ready(), 'container runtime network not ready: NetworkReady=false reason:NotYet message:wait');
  assert.equal(bed.api.find(nodes, 'n1')?.status?.nodeInfo?.containerRuntimeVersion, 'cri-o://1.35.0');
  await bed.until('a Lease', () => bed.api.find(leases, 'kube-node-lease/n1') !== undefined);
  bed.cri.unready.clear();
  await bed.until('a ready node', () => ready() === 'kubelet is posting ready status');
});

test('a pod of the API is run, and its status says what the runtime says', async () => {
  await using bed = await new TestKubelet().start();
  bed.put('web');
  await bed.until('a ready pod', () => bed.condition('web') === 'True');
  assert.deepEqual(bed.cri.calls, ['run web', 'pull box:1', 'create main', 'start main']);
  const { phase, podIP, containerStatuses } = bed.status('web') ?? {};
  assert.deepEqual([phase, podIP], ['Running', '10.244.1.1']);
  assert.equal(containerStatuses?.[0]?.containerID, 'cri-o://container-2');
});

for (const [family, nodeIps, podIPs] of [
  ['IPv4', ['192.0.2.1', '2001:db8::1'], ['10.244.1.1', 'fd00:10:244:1::1']],
  ['IPv6', ['2001:db8::1', '192.0.2.1'], ['fd00:10:244:1::1', '10.244.1.1']],
] as const)
  test(`on a node whose first address is of ${family}, so is that of a pod`, async () => {
    await using bed = new TestKubelet(nodeIps);
    bed.cri.additionalIps.push('fd00:10:244:1::1');
    await bed.start();
    bed.put('web');
    await bed.until('a ready pod', () => bed.condition('web') === 'True');
    const status = bed.status('web');
    assert.deepEqual([status?.podIP, status?.hostIP], [podIPs[0], nodeIps[0]]);
    assert.deepEqual(
      status?.podIPs?.map(({ ip }) => ip),
      podIPs,
    );
  });

test('a profile of seccomp that a container names is one below the directory of the kubelet', async () => {
  await using bed = await new TestKubelet().start();
  const seccompProfile = { type: 'Localhost', localhostProfile: 'audit.json' };
  bed.put('web', { containers: [{ name: 'main', image: 'box:1', securityContext: { seccompProfile } }] });
  await bed.until('a ready pod', () => bed.condition('web') === 'True');
  assert.equal(bed.cri.configOf('main')?.linux?.securityContext?.seccomp?.localhostRef, join(bed.dir, 'seccomp/audit.json'));
});

test('PLEG: a container that ends by itself is noticed, and started anew after its back-off', async () => {
  await using bed = await new TestKubelet().start();
  bed.put('web');
  await bed.until('a ready pod', () => bed.condition('web') === 'True');
  bed.cri.exit('main', 1);
  await bed.until('a restart', () => bed.status('web')?.containerStatuses?.[0]?.restartCount === 1);
  const began = bed.clock.monotonic();
  bed.cri.exit('main', 1);
  await bed.until('a back-off', () => bed.status('web')?.containerStatuses?.[0]?.state?.waiting?.reason === 'CrashLoopBackOff');
  assert.ok(bed.clock.monotonic() - began <= 1500, 'a listing a second');
  await bed.until('a second restart', () => bed.status('web')?.containerStatuses?.[0]?.restartCount === 2);
  assert.ok(bed.clock.monotonic() - began >= 10_000, 'not before ten seconds');
});

test('probes: what they say becomes the readiness of the pod, or the end of the container', async () => {
  await using bed = await new TestKubelet().start();
  const probe = (word: string): object => ({ exec: { command: [word] }, periodSeconds: 1, failureThreshold: 1 });
  bed.cri.exitCodes.set('ready', 1);
  bed.put('web', { containers: [{ name: 'main', image: 'box:1', readinessProbe: probe('ready'), livenessProbe: probe('alive') }] });
  await bed.until('a running pod', () => bed.status('web')?.phase === 'Running');
  assert.equal(bed.condition('web'), 'False');
  bed.cri.exitCodes.clear();
  await bed.until('a ready pod', () => bed.condition('web') === 'True');
  bed.cri.exitCodes.set('alive', 1);
  await bed.until('a restart', () => bed.status('web')?.containerStatuses?.[0]?.restartCount === 1);
  assert.ok(bed.cri.calls.includes('stop main 30'));
});

test('a pod that is deleted is stopped within its grace, taken from the runtime, and then from the API', async () => {
  await using bed = await new TestKubelet().start();
  bed.put('web');
  await bed.until('a ready pod', () => bed.condition('web') === 'True');
  bed.cri.took();
  bed.put('web', {}, { deletionTimestamp: new Date(bed.clock.now()).toISOString(), deletionGracePeriodSeconds: 7 });
  await bed.until('its end', () => bed.status('web') === undefined);
  assert.deepEqual(bed.cri.took(), ['stop main 7', 'stop web', 'remove main', 'remove web']);
});

test('a pod waits while there is no network, and begins when there is', async () => {
  await using bed = new TestKubelet();
  bed.cri.unready.add('NetworkReady');
  await bed.start();
  bed.put('web');
  bed.put('host', { hostNetwork: true });
  await bed.until('an event', () => bed.api.eventObjects.some((e) => e.reason === 'NetworkNotReady' && e.involvedObject.name === 'web'));
  await bed.until('a pod on the network of the node', () => bed.condition('host') === 'True');
  assert.equal(bed.cri.calls.includes('run web'), false);
  const began = bed.clock.monotonic();
  bed.cri.unready.clear();
  await bed.until('a ready pod', () => bed.condition('web') === 'True');
  assert.ok(bed.clock.monotonic() - began < 2000, 'it was told, and did not look by itself');
});

test('a pod that does not fit is refused', async () => {
  await using bed = await new TestKubelet().start();
  bed.put('big', { containers: [{ name: 'main', image: 'box:1', resources: { requests: { cpu: '5' } } }] });
  await bed.until('a refusal', () => bed.status('big')?.phase === 'Failed');
  assert.equal(bed.status('big')?.reason, 'OutOfcpu');
  assert.deepEqual(bed.cri.calls, []);
});

test('what the runtime runs for pods that nobody wants is ended, once the pods are known', async () => {
  await using bed = new TestKubelet();
  const labels = { 'io.kubernetes.pod.uid': 'gone', 'io.kubernetes.pod.name': 'old', 'io.kubernetes.pod.namespace': 'default' };
  await bed.cri.runPodSandbox({ metadata: { name: 'old', namespace: 'default', uid: 'gone', attempt: 0 }, labels }, '');
  bed.put('web');
  await bed.start();
  await bed.until('its end', () => bed.cri.calls.includes('remove old'));
  await bed.until('a ready pod', () => bed.condition('web') === 'True');
  assert.equal(bed.cri.calls.includes('stop web'), false);
});

test('a static pod runs from its file, has a mirror with its status, and goes with the file', async () => {
  await using bed = await new TestKubelet().start();
  const file = join(bed.dir, 'manifests', 's.yaml');
  writeFileSync(file, 'apiVersion: v1\nkind: Pod\nmetadata: {name: s}\nspec: {containers: [{name: main, image: "box:1"}]}\n');
  await bed.until('a ready mirror', () => bed.condition('s-n1') === 'True');
  await bed.api.delete(pods, 's-n1', { namespace: 'default', gracePeriodSeconds: 0 });
  await bed.until('its mirror again', () => bed.condition('s-n1') === 'True');
  assert.equal(bed.cri.calls.filter((call) => call.startsWith('run')).length, 1, 'the pod has not noticed');
  rmSync(file);
  await bed.until('the end of both', () => bed.status('s-n1') === undefined && bed.cri.calls.includes('remove s-n1'));
});

test('a runtime that is away for a while is listed again, and nothing is started twice', async () => {
  await using bed = await new TestKubelet().start();
  bed.put('web');
  await bed.until('a ready pod', () => bed.condition('web') === 'True');
  bed.cri.up = false;
  bed.put('late');
  const away = bed.clock.monotonic() + 5000;
  await bed.until('five seconds', () => bed.clock.monotonic() > away);
  bed.cri.up = true;
  await bed.until('a ready pod', () => bed.condition('late') === 'True');
  assert.deepEqual(
    bed.cri.calls.filter((call) => call.startsWith('run')),
    ['run web', 'run late'],
  );
});
