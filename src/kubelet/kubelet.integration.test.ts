/** The kubelet against a real containerd, in a node of its own. Runs itself again inside that node. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { type RequestOptions, request } from 'node:https';
import { createServer } from 'node:net';
import { dirname } from 'node:path';
import test, { after, before } from 'node:test';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';
import { configMaps, leases, nodes, pods, secrets } from '../api/resource-types.ts';
import type { Event, Pod, PodSpec } from '../api/schema/types.ts';
import { FakeClient } from '../client/testing/fake-client.ts';
import { systemClock } from '../clock/clock.ts';
import { eventually } from '../clock/testing/eventually.ts';
import { type Log, silentLog } from '../observability/log.ts';
import { type Kubelet, startKubelet } from './kubelet.ts';
import { makeCertificates } from './testing/test-certificates.ts';
import { boxImage, cannotMakeNode, insideEnv, rerunInside, testEndpoint } from './testing/test-node.ts';

const log: Log = process.env.FAIRLEAD_TEST_LOG
  ? { ...silentLog, info: console.log, warn: console.log, error: console.log, child: () => log }
  : silentLog;

if (process.env[insideEnv] !== '1') {
  test('the kubelet runs pods in a real runtime', { skip: cannotMakeNode() }, async () => {
    assert.equal(await rerunInside(fileURLToPath(import.meta.url)), 0);
  });
} else inside();

function inside(): void {
  const api = new FakeClient(systemClock);
  let kubelet: Kubelet;
  let stop: AbortController;
  const certificates = makeCertificates();

  async function start(): Promise<void> {
    stop = new AbortController();
    kubelet = await startKubelet({
      client: api,
      nodeName: 'n1',
      nodeIps: ['127.0.0.1'],
      runtimeEndpoint: testEndpoint,
      rootDir: '/var/lib/kubelet',
      podManifestPath: '/etc/kubernetes/manifests',
      clusterDns: ['10.96.0.10'],
      clusterDomain: 'cluster.local',
      tls: { ...certificates.server, clientCa: certificates.ca },
      port: 0,
      clock: systemClock,
      log,
      signal: stop.signal,
    });
  }

  before(async () => {
    await start();
  });
  after(async () => {
    await kubelet.close();
  });

  let count = 0;
  function run(spec: Partial<PodSpec>, metadata: Partial<Pod['metadata']> = {}): Pod {
    const containers = (spec.containers ?? [{ name: 'main' }]).map((c) => ({ image: boxImage, ...c }));
    return api.put(pods, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: `p${++count}`, namespace: 'default', generation: 1, ...metadata },
      spec: { restartPolicy: 'Always', terminationGracePeriodSeconds: 1, nodeName: 'n1', ...spec, containers },
      status: { phase: 'Pending' },
    });
  }
  const now = (pod: Pod): Pod | undefined => api.find(pods, `default/${pod.metadata.name}`);
  const events = (pod: Pod): Event[] => api.eventObjects.filter((e) => e.involvedObject.uid === pod.metadata.uid);
  /** As `kubectl delete` does. */
  const end = (pod: Pod, graceSeconds: number): void => {
    const there = now(pod);
    if (!there) return;
    const deletionTimestamp = new Date(Date.now() + graceSeconds * 1000).toISOString();
    api.put(pods, { ...there, metadata: { ...there.metadata, deletionTimestamp, deletionGracePeriodSeconds: graceSeconds } });
  };
  const isReady = (pod: Pod): boolean => now(pod)?.status?.conditions?.find((c) => c.type === 'Ready')?.status === 'True';
  const logOf = (pod: Pod, container = 'main', attempt = 0): string =>
    readFileSync(`/var/log/pods/default_${pod.metadata.name}_${pod.metadata.uid}/${container}/${attempt}.log`, 'utf8').replace(
      /^\S+ \S+ F /gm,
      '',
    );
  const sh = (script: string): string[] => ['/bin/sh', '-c', script];

  test('the node registers, is ready, and renews its lease', async () => {
    await eventually(
      'a ready node',
      () => api.find(nodes, 'n1')?.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') === true,
    );
    await eventually('a lease', () => api.find(leases, 'kube-node-lease/n1') !== undefined);
    const node = api.find(nodes, 'n1');
    assert.match(node?.status?.nodeInfo?.containerRuntimeVersion ?? '', /^containerd:\/\//);
    assert.equal(node?.metadata.labels?.['kubernetes.io/hostname'], 'n1');
  });

  test('a pod runs, has an address, and is ready', async () => {
    const began = performance.now();
    const pod = run({});
    await eventually('a ready pod', () => isReady(pod));
    const took = performance.now() - began;
    const status = now(pod)?.status;
    assert.equal(status?.phase, 'Running');
    assert.match(status?.podIP ?? '', /^10\.250\.0\./);
    assert.equal(status?.containerStatuses?.[0]?.restartCount, 0);
    process.stdout.write(`# bound to ready: ${took.toFixed(0)} ms\n`);
    await eventually('events', () => events(pod).some((e) => e.reason === 'Started'));
    assert.deepEqual(
      events(pod).map((e) => e.reason),
      ['Pulled', 'Created', 'Started'],
    );
  });

  test('a container is resized as it runs, started anew where it wants that, and waits for room that is not there', async () => {
    const of = (amount: { cpu: string; memory: string }): object => ({ requests: amount, limits: amount });
    const resizePolicy = [{ resourceName: 'memory', restartPolicy: 'RestartContainer' }];
    const spec = (amount: { cpu: string; memory: string }): Partial<PodSpec> => ({
      containers: [{ name: 'main', image: boxImage, resources: of(amount), resizePolicy } as never],
    });
    const pod = run(spec({ cpu: '50m', memory: '16Mi' }));
    const status = () => now(pod)?.status?.containerStatuses?.[0];
    const resize = (generation: number, amount: { cpu: string; memory: string }): void => {
      const { metadata, spec: before } = now(pod)!;
      api.put(pods, { ...now(pod)!, metadata: { ...metadata, generation }, spec: { ...before!, ...spec(amount) } as PodSpec });
    };
    const quotas = (): string[] => {
      const top = `kubepods/pod${pod.metadata.uid}`;
      const inside = `${top}/${status()?.containerID?.replace('containerd://', '')}`;
      const version1 = existsSync('/sys/fs/cgroup/cpu');
      return [top, inside].map(
        (dir) =>
          readFileSync(version1 ? `/sys/fs/cgroup/cpu/${dir}/cpu.cfs_quota_us` : `/sys/fs/cgroup/${dir}/cpu.max`, 'utf8').split(/\s/)[0]!,
      );
    };
    await eventually('a ready pod', () => isReady(pod));
    assert.deepEqual([status()?.allocatedResources?.cpu, quotas()], ['50m', ['5000', '5000']]);
    const first = status()?.containerID;

    for (const [generation, cpu] of [
      [2, '100m'],
      [3, '20m'],
    ] as const) {
      resize(generation, { cpu, memory: '16Mi' });
      await eventually(`${cpu}`, () => status()?.resources?.limits?.cpu === cpu);
      const quota = String(Number.parseInt(cpu, 10) * 100);
      assert.deepEqual([status()?.containerID, status()?.allocatedResources?.cpu, quotas()], [first, cpu, [quota, quota]]);
    }

    resize(4, { cpu: '9999', memory: '16Mi' });
    const pending = (): string | undefined => now(pod)?.status?.conditions?.find((c) => c.type === 'PodResizePending')?.reason;
    await eventually('a refusal', () => pending() === 'Infeasible');
    assert.deepEqual([status()?.resources?.limits?.cpu, status()?.allocatedResources?.cpu, quotas()], ['20m', '20m', ['2000', '2000']]);
    await kubelet.close();
    stop.abort();
    await start();
    resize(5, { cpu: '30m', memory: '16Mi' });
    await eventually('what is there', () => status()?.resources?.limits?.cpu === '30m' && pending() === undefined);
    assert.deepEqual([status()?.containerID, quotas()], [first, ['3000', '3000']]);

    resize(6, { cpu: '30m', memory: '32Mi' });
    await eventually('a new start', () => status()?.restartCount === 1 && status()?.resources?.limits?.memory === '32Mi');
    assert.notEqual(status()?.containerID, first);
  });

  test('a deleted pod ends within its grace period and leaves nothing behind', async () => {
    const pod = run({});
    await eventually('a ready pod', () => isReady(pod));
    end(pod, 1);
    await eventually('the end', () => now(pod) === undefined);
    await eventually(
      'no sandbox',
      () => !execFileSync('ctr', ['-n', 'k8s.io', 'c', 'ls'], { encoding: 'utf8' }).includes(pod.metadata.name),
    );
    await eventually('no directory', () => !existsSync(`/var/lib/kubelet/pods/${pod.metadata.uid}`));
    await eventually('no logs', () => !readdirSync('/var/log/pods').some((d) => d.includes(pod.metadata.uid ?? '')));
    await eventually('no cgroup', () => !existsSync(`/sys/fs/cgroup/cpu/kubepods/besteffort/pod${pod.metadata.uid}`));
  });

  test('volumes and environment carry config maps, secrets, tokens and the downward API', async () => {
    api.put(configMaps, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'conf', namespace: 'default' },
      data: { a: 'alpha' },
    } as never);
    api.put(secrets, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'hush', namespace: 'default' },
      data: { s: Buffer.from('secret').toString('base64') },
    } as never);
    const pod = run(
      {
        restartPolicy: 'Never',
        volumes: [
          { name: 'c', configMap: { name: 'conf' } },
          { name: 's', secret: { secretName: 'hush' } },
          {
            name: 'p',
            projected: {
              sources: [
                { serviceAccountToken: { path: 'token', expirationSeconds: 3607 } },
                { configMap: { name: 'conf', items: [{ key: 'a', path: 'deep/er' }] } },
                { downwardAPI: { items: [{ path: 'name', fieldRef: { fieldPath: 'metadata.name' } }] } },
              ],
            },
          },
          { name: 'e', emptyDir: {} },
          { name: 'm', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
        ],
        containers: [
          {
            name: 'main',
            env: [
              { name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
              { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
              { name: 'SECRET', valueFrom: { secretKeyRef: { name: 'hush', key: 's' } } },
              { name: 'BOTH', value: '$(NODE)-$(SECRET)' },
            ],
            volumeMounts: [
              { name: 'c', mountPath: '/c' },
              { name: 's', mountPath: '/s', readOnly: true },
              { name: 'p', mountPath: '/p' },
              { name: 'e', mountPath: '/e' },
              { name: 'm', mountPath: '/m' },
              { name: 'c', mountPath: '/one', subPath: 'a' },
            ],
            command: sh(
              'echo $BOTH $IP; cat /c/a /s/s /p/token /p/deep/er /p/name /one; echo; touch /e/x /m/x && echo written; touch /c/x /p/x 2>&1; grep -c main /etc/hosts || hostname; cat /etc/resolv.conf',
            ),
          },
        ],
      },
      { name: 'volumes' },
    );
    await eventually('the end', () => now(pod)?.status?.phase === 'Succeeded');
    const text = logOf(pod);
    assert.match(text, /^n1-secret 10\.250\.0\.\d+$/m);
    assert.match(text, /alphasecrettoken-of-defaultalphavolumesalpha/);
    assert.match(text, /written/);
    assert.match(text, /\/c\/x: Read-only file system/);
    assert.match(text, /\/p\/x: Read-only file system/);
    assert.match(text, /^search default\.svc\.cluster\.local svc\.cluster\.local cluster\.local/m);
    assert.match(text, /^nameserver 10\.96\.0\.10$/m);
  });

  test('init containers run in order before the others', async () => {
    const pod = run({
      initContainers: [
        { name: 'one', image: boxImage, command: sh('echo 1 > /w/log') },
        { name: 'two', image: boxImage, command: sh('echo 2 >> /w/log') },
      ].map((c) => ({ ...c, volumeMounts: [{ name: 'w', mountPath: '/w' }] })),
      containers: [{ name: 'main', command: sh('cat /w/log; sleep 1000'), volumeMounts: [{ name: 'w', mountPath: '/w' }] }],
      volumes: [{ name: 'w', emptyDir: {} }],
    });
    await eventually('a ready pod', () => isReady(pod));
    assert.equal(logOf(pod), '1\n2\n');
  });

  test('a container that fails is started again, then held off', async () => {
    const pod = run({ containers: [{ name: 'main', command: sh('echo hi > /dev/termination-log; exit 3') }] });
    await eventually('CrashLoopBackOff', () => now(pod)?.status?.containerStatuses?.[0]?.state?.waiting?.reason === 'CrashLoopBackOff');
    const status = now(pod)?.status?.containerStatuses?.[0];
    assert.equal(status?.restartCount, 1);
    assert.equal(status?.lastState?.terminated?.exitCode, 3);
    assert.equal(status?.lastState?.terminated?.message, 'hi\n');
    assert.match(status?.state?.waiting?.message ?? '', /^back-off 10s restarting failed container=main pod=/);
    assert.equal(now(pod)?.status?.phase, 'Running');
  });

  test('an image that cannot be had is told and held off', async () => {
    const pod = run({ containers: [{ name: 'main', image: 'localhost:1/nothing:1' }] });
    await eventually('ErrImagePull', () => now(pod)?.status?.containerStatuses?.[0]?.state?.waiting?.reason === 'ErrImagePull');
    await eventually('its event', () => events(pod).some((e) => e.reason === 'Failed' && /Failed to pull image/.test(e.message ?? '')));
    assert.equal(now(pod)?.status?.phase, 'Pending');
    const other = run({ containers: [{ name: 'main', image: 'absent.local/x:1', imagePullPolicy: 'Never' }] });
    await eventually('ErrImageNeverPull', () => now(other)?.status?.containerStatuses?.[0]?.state?.waiting?.reason === 'ErrImageNeverPull');
    end(pod, 0);
    end(other, 0);
    await eventually('the end', () => now(pod) === undefined && now(other) === undefined);
  });

  test('probes decide about readiness and restarts', async () => {
    const pod = run({
      containers: [
        {
          name: 'main',
          command: sh('sleep 1; touch /tmp/ok; sleep 1000'),
          readinessProbe: { exec: { command: ['cat', '/tmp/ok'] }, periodSeconds: 1 },
        },
        {
          name: 'sick',
          command: sh('trap "exit 0" TERM; while :; do sleep 1 & wait $!; done'),
          livenessProbe: { tcpSocket: { port: 1 }, periodSeconds: 1, failureThreshold: 1 },
        },
      ],
    });
    await eventually('a running pod', () => now(pod)?.status?.phase === 'Running');
    assert.equal(isReady(pod), false);
    await eventually('a ready container', () => now(pod)?.status?.containerStatuses?.[0]?.ready === true);
    await eventually('a restart', () => (now(pod)?.status?.containerStatuses?.[1]?.restartCount ?? 0) >= 1);
    await eventually('its event', () =>
      events(pod).some((e) => e.reason === 'Unhealthy' && /Liveness probe failed: dial tcp/.test(e.message ?? '')),
    );
  });

  test('a grace period can be cut short', async () => {
    const pod = run({ containers: [{ name: 'main', command: sh('trap "" TERM; while :; do sleep 1; done') }] });
    await eventually('a ready pod', () => isReady(pod));
    end(pod, 60);
    await eventually('its event', () => events(pod).some((e) => e.reason === 'Killing'));
    assert.equal(now(pod)?.status?.phase, 'Running');
    end(pod, 1);
    await eventually('the end', () => now(pod) === undefined);
  });

  test('a pod that waits for a registry that does not answer can be deleted', async () => {
    const registry = createServer(() => {}).listen(0, '127.0.0.1');
    await eventually('the registry', () => registry.listening);
    const { port } = registry.address() as { port: number };
    const pod = run({ containers: [{ name: 'main', image: `127.0.0.1:${port}/never:1` }] });
    await eventually('the pull', () => events(pod).some((e) => e.reason === 'Pulling'));
    end(pod, 600);
    await eventually('the end', () => now(pod) === undefined);
    registry.close();
  });

  test('a pod past its deadline fails', async () => {
    const pod = run({ activeDeadlineSeconds: 1 });
    await eventually('the failure', () => now(pod)?.status?.phase === 'Failed');
    assert.equal(now(pod)?.status?.reason, 'DeadlineExceeded');
    await eventually('the end of its container', () => now(pod)?.status?.containerStatuses?.[0]?.state?.terminated !== undefined);
  });

  test('a pod with the network of the node has its address and name', async () => {
    const pod = run({ hostNetwork: true, containers: [{ name: 'main', command: sh('hostname; exec sleep 1000') }] });
    await eventually('a ready pod', () => isReady(pod));
    assert.equal(now(pod)?.status?.podIP, '127.0.0.1');
    assert.equal(logOf(pod), 'test-node\n');
  });

  test('a subPath stays inside its volume', async () => {
    mkdirSync('/run/sub/real', { recursive: true });
    writeFileSync('/run/sub/real/file', 'content');
    symlinkSync('/etc', '/run/sub/out');
    symlinkSync('real', '/run/sub/in');
    const volumes = [{ name: 'v', hostPath: { path: '/run/sub' } }];
    const container = (subPath: string): PodSpec['containers'][0] => ({
      name: 'main',
      command: sh('cat /m/file /m 2>/dev/null; true'),
      volumeMounts: [{ name: 'v', mountPath: '/m', subPath }],
    });
    const good = ['real', 'in', 'real/file', 'new/deep'].map((subPath) =>
      run({ restartPolicy: 'Never', volumes, containers: [container(subPath)] }),
    );
    await eventually('the end of all', () => good.every((pod) => now(pod)?.status?.phase === 'Succeeded'));
    assert.deepEqual(
      good.map((pod) =>
        logOf(pod)
          .replace(/\S+ \S+ P /, '')
          .trim(),
      ),
      ['content', 'content', 'content', ''],
    );
    assert.ok(existsSync('/run/sub/new/deep'));
    const bad = run({ volumes, containers: [container('out')] });
    await eventually('a refusal', () => /leads out/.test(now(bad)?.status?.containerStatuses?.[0]?.state?.waiting?.message ?? ''));
    assert.equal(now(bad)?.status?.containerStatuses?.[0]?.state?.waiting?.reason, 'CreateContainerConfigError');
    for (const pod of [...good, bad]) end(pod, 0);
    await eventually('the end', () =>
      [...good, bad].every((pod) => now(pod) === undefined && !existsSync(`/var/lib/kubelet/pods/${pod.metadata.uid}`)),
    );
    assert.equal(readFileSync('/run/sub/real/file', 'utf8'), 'content');
  });

  test('a pod whose postStart hook does not end can be deleted', async () => {
    const pod = run({
      terminationGracePeriodSeconds: 1,
      containers: [{ name: 'main', lifecycle: { postStart: { exec: { command: sh('sleep 100') } } } }],
    });
    await eventually('its start', () => events(pod).some((e) => e.reason === 'Started'));
    end(pod, 1);
    await eventually('the end', () => now(pod) === undefined);
  });

  test('a preStop hook runs before the end', async () => {
    mkdirSync('/run/hook', { recursive: true });
    const pod = run({
      terminationGracePeriodSeconds: 5,
      volumes: [{ name: 'h', hostPath: { path: '/run/hook' } }],
      containers: [
        { name: 'main', lifecycle: { preStop: { exec: { command: sh('touch /h/ran') } } }, volumeMounts: [{ name: 'h', mountPath: '/h' }] },
      ],
    });
    await eventually('a ready pod', () => isReady(pod));
    end(pod, 5);
    await eventually('the end', () => now(pod) === undefined);
    assert.ok(existsSync('/run/hook/ran'));
  });

  async function ask(path: string, options: RequestOptions = certificates.client): Promise<{ code: number; text: string }> {
    return new Promise((resolve, reject) => {
      const req = request({ host: '127.0.0.1', port: kubelet.port, path, ca: certificates.ca, agent: false, ...options }, (res) => {
        let text = '';
        res.setEncoding('utf8').on('data', (s: string) => (text += s));
        res.on('end', () => resolve({ code: res.statusCode ?? 0, text }));
      });
      req.on('error', reject).end();
    });
  }

  test('the server turns away who has no certificate', async () => {
    assert.equal((await ask('/pods', {})).code, 401);
    assert.equal((await ask('/healthz')).text, 'ok');
  });

  test('logs come whole, by their tail, from the previous container, and followed to the end', async () => {
    const pod = run({
      restartPolicy: 'OnFailure',
      containers: [
        { name: 'main', command: sh('i=0; while [ $i -lt 5 ]; do echo line $i; i=$((i+1)); done; sleep 0.3; echo last; exit 0') },
      ],
    });
    await eventually('a running pod', () => now(pod)?.status?.phase === 'Running');
    const path = `/containerLogs/default/${pod.metadata.name}/main`;
    const followed = await ask(`${path}?follow=true`);
    assert.equal(followed.text, 'line 0\nline 1\nline 2\nline 3\nline 4\nlast\n');
    assert.equal((await ask(`${path}?tailLines=2`)).text, 'line 4\nlast\n');
    assert.match((await ask(`${path}?tailLines=1&timestamps=true`)).text, /^\d{4}-\d\d-\d\dT\S+ last\n$/);
    assert.equal((await ask(`${path}?limitBytes=6`)).text, 'line 0');
    assert.equal((await ask(`${path}?previous=true`)).code, 400);
    assert.equal((await ask('/containerLogs/default/nobody/main')).code, 404);
  });

  test('a pod that lays a link in the place of its log shows no file of the node by it', async () => {
    writeFileSync('/run/secret', '2026-01-01T00:00:00Z stdout F secret\n');
    const pod = run({
      volumes: [{ name: 'logs', hostPath: { path: '/var/log/pods' } }],
      containers: [
        {
          name: 'main',
          command: sh('cd /logs/default_$(hostname)_* && ln -sf /run/secret main/0.log; exec sleep 1000'),
          volumeMounts: [{ name: 'logs', mountPath: '/logs' }],
        },
      ],
    });
    const log = `/var/log/pods/default_${pod.metadata.name}_${pod.metadata.uid}/main/0.log`;
    await eventually('the link', () => readlinkSync(log) === '/run/secret');
    // A container may have done so before the kubelet has heard that it runs.
    await eventually('the container', () => now(pod)?.status?.containerStatuses?.[0]?.state?.running !== undefined);
    const { code, text } = await ask(`/containerLogs/default/${pod.metadata.name}/main`);
    assert.deepEqual([code, text], [400, `Cannot read the log "${log}": it is a link\n`]);
    end(pod, 0);
    await eventually('the end', () => now(pod) === undefined && !existsSync(dirname(log)));
    assert.ok(existsSync('/run/secret'));
  });

  interface Ran {
    readonly out: string;
    readonly err: string;
    readonly status: { status: string; details?: { causes?: { message: string }[] } };
  }

  /** What `kubectl exec -i` does: WebSocket, stdin, then the closing of stdin. */
  function exec(pod: Pod, command: readonly string[], input?: Buffer): Promise<Ran> {
    const query = new URLSearchParams(command.map((c): [string, string] => ['command', c]));
    query.set('output', '1');
    query.set('error', '1');
    if (input) query.set('input', '1');
    const url = `wss://127.0.0.1:${kubelet.port}/exec/default/${pod.metadata.name}/main?${query}`;
    return new Promise((resolve, reject) => {
      const ws = new WebSocket(url, ['v5.channel.k8s.io'], { ca: certificates.ca, ...certificates.client });
      const parts: Buffer[][] = [[], [], [], []];
      ws.on('open', () => {
        if (!input) return;
        for (let at = 0; at < input.length; at += 30_000) ws.send(Buffer.concat([Buffer.from([0]), input.subarray(at, at + 30_000)]));
        ws.send(Buffer.from([255, 0]));
      });
      ws.on('message', (data: Buffer) => parts[data[0] ?? 0]?.push(data.subarray(1)));
      ws.on('error', reject);
      ws.on('close', () => {
        const text = (i: number): string => Buffer.concat(parts[i] ?? []).toString();
        if (text(3) === '') reject(new Error('closed without a status'));
        else resolve({ out: text(1), err: text(2), status: JSON.parse(text(3)) });
      });
    });
  }

  test('exec gives output, errors and exit code, and closes stdin', async () => {
    const pod = run({});
    await eventually('a ready pod', () => isReady(pod));
    const plain = await exec(pod, sh('echo out; echo err >&2; exit 7'));
    assert.equal(plain.out, 'out\n');
    assert.equal(plain.err, 'err\n');
    assert.equal(plain.status.status, 'Failure');
    assert.equal(plain.status.details?.causes?.[0]?.message, '7');
    const echoed = await exec(pod, ['cat'], Buffer.from('hello'));
    assert.equal(echoed.out, 'hello');
    assert.equal(echoed.status.status, 'Success');
    const big = Buffer.alloc(3_000_000, 'x');
    assert.equal((await exec(pod, ['wc', '-c'], big)).out.trim(), '3000000');
    assert.equal((await exec(pod, ['cat'], big)).out.length, 3_000_000);
    await assert.rejects(exec({ ...pod, metadata: { ...pod.metadata, name: 'nobody' } }, ['true']), /404/);
    const began = performance.now();
    await exec(pod, ['true']);
    process.stdout.write(`# exec: ${(performance.now() - began).toFixed(0)} ms\n`);
  });

  test('port-forward serves clients whose channels are ports, as client-python and client-node do it', async () => {
    const command = sh('while :; do nc -l -p 18080 -e cat; done');
    const pod = run({ hostNetwork: true, containers: [{ name: 'main', command }] as never });
    await eventually('a ready pod', () => isReady(pod));
    const url = `wss://127.0.0.1:${kubelet.port}/portForward/default/${pod.metadata.name}?port=18080&port=18081`;
    const ws = new WebSocket(url, ['v5.channel.k8s.io', 'v4.channel.k8s.io'], { ca: certificates.ca, ...certificates.client });
    const parts: Buffer[][] = [[], [], [], []];
    ws.on('message', (data: Buffer) => parts[data[0] ?? 0]?.push(data.subarray(1)));
    await new Promise((resolve, reject) => ws.once('open', resolve).once('error', reject));
    ws.send(Buffer.from('\0hello'));
    const of = (channel: number): string => Buffer.concat(parts[channel] ?? []).toString('latin1');
    // Each channel begins with its port, the lower byte first.
    await eventually('the echo', () => of(0) === '\xa0Fhello');
    await eventually('the failure of the port where nobody listens', () => of(3).startsWith('\xa1F') && of(3).length > 2);
    ws.terminate();
  });

  test('a static pod runs, is mirrored, and ends with its file', async () => {
    const file = '/etc/kubernetes/manifests/s.yaml';
    writeFileSync(
      file,
      `apiVersion: v1\nkind: Pod\nmetadata: {name: s}\nspec: {containers: [{name: main, image: "${boxImage}"}], terminationGracePeriodSeconds: 1}\n`,
    );
    await eventually('a running mirror', () => api.find(pods, 'default/s-n1')?.status?.phase === 'Running');
    rmSync(file);
    await eventually('no mirror', () => api.find(pods, 'default/s-n1') === undefined);
    await eventually('no sandbox', () => !execFileSync('ctr', ['-n', 'k8s.io', 'c', 'ls'], { encoding: 'utf8' }).includes('s-n1'));
  });

  test('a static pod whose file comes back while it ends runs again', async () => {
    const file = '/etc/kubernetes/manifests/back.yaml';
    // It ignores the stop signal, and so takes its whole grace period.
    const command = `["sh", "-c", "trap : TERM; while :; do sleep 1; done"]`;
    const container = `{name: main, image: "${boxImage}", command: ${command}}`;
    const text = `apiVersion: v1\nkind: Pod\nmetadata: {name: back}\nspec: {containers: [${container}], terminationGracePeriodSeconds: 4}\n`;
    const mirror = (): Pod | undefined => api.find(pods, 'default/back-n1');
    const idOf = (): string | undefined => mirror()?.status?.containerStatuses?.[0]?.containerID;
    writeFileSync(file, text);
    await eventually('a running mirror', () => mirror()?.status?.phase === 'Running');
    const first = idOf();
    rmSync(file);
    await eventually('no mirror', () => mirror() === undefined);
    writeFileSync(file, text);
    await eventually('another container', () => mirror()?.status?.phase === 'Running' && idOf() !== undefined && idOf() !== first);
    rmSync(file);
    await eventually('no mirror again', () => mirror() === undefined);
  });

  test('pods outlive a runtime that is killed, and new ones start when it is back', async () => {
    const pod = run({});
    await eventually('a ready pod', () => isReady(pod));
    const id = now(pod)?.status?.containerStatuses?.[0]?.containerID;
    process.kill(Number(readFileSync('/run/containerd.pid', 'utf8')), 'SIGKILL');
    const during = run({});
    const child = spawn('sh', ['-c', 'exec containerd -c /etc/containerd-test.toml >> /run/containerd.log 2>&1'], {
      stdio: 'ignore',
      detached: true,
    });
    child.unref();
    await eventually('a ready second pod', () => isReady(during));
    assert.equal(isReady(pod), true);
    assert.equal(now(pod)?.status?.containerStatuses?.[0]?.containerID, id);
    assert.equal(now(pod)?.status?.containerStatuses?.[0]?.restartCount, 0);
  });

  test('a pod whose sandbox is killed gets a new one', async () => {
    const pod = run({});
    await eventually('a ready pod', () => isReady(pod));
    const list = execFileSync(
      'ctr',
      ['-n', 'k8s.io', 'c', 'ls', '-q', `labels."io.kubernetes.pod.uid"==${pod.metadata.uid},labels."io.cri-containerd.kind"==sandbox`],
      { encoding: 'utf8' },
    );
    execFileSync('ctr', ['-n', 'k8s.io', 't', 'kill', '-s', 'SIGKILL', list.trim()]);
    await eventually('a restart', () => now(pod)?.status?.containerStatuses?.[0]?.restartCount === 1 && isReady(pod));
  });

  test('a kubelet that starts again finds its pods running and ends those that are gone', async () => {
    const stays = run({});
    const goes = run({});
    await eventually('ready pods', () => isReady(stays) && isReady(goes));
    const id = now(stays)?.status?.containerStatuses?.[0]?.containerID;
    stop.abort();
    await kubelet.close();
    api.forget(pods, `default/${goes.metadata.name}`);
    await start();
    await eventually('the end of the other', () => !existsSync(`/var/lib/kubelet/pods/${goes.metadata.uid}`));
    await eventually('a written status', () => isReady(stays));
    assert.equal(now(stays)?.status?.containerStatuses?.[0]?.containerID, id);
    assert.equal(now(stays)?.status?.containerStatuses?.[0]?.restartCount, 0);
  });
}
