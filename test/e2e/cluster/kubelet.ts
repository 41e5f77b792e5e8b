/** What a node does with a pod. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import type { V1ContainerStatus, V1Pod } from '@kubernetes/client-node';
import { eventually } from '../../../src/clock/testing/eventually.ts';
import { type Cluster, isStatus } from '../testing/cluster.ts';
import { all, boxPod, quickReadiness, service } from '../testing/manifests.ts';
import { connectOutcome, httpText, podOf } from '../testing/network.ts';

const space = 'kubelet';

const first = (pod: V1Pod): V1ContainerStatus | undefined => pod.status?.containerStatuses?.[0];

const settings = `apiVersion: v1
kind: ConfigMap
metadata: { name: settings }
data: { colour: blue, size: large }
---
apiVersion: v1
kind: Secret
metadata: { name: keys }
stringData: { password: "s3cret" }
`;

export function kubeletSuite(cluster: () => Cluster): void {
  describe('kubelet', { concurrency: 4 }, () => {
    before(async () => {
      await cluster().namespace(space);
      await cluster().apply(settings, space);
    });

    const sh = (pod: string, script: string): Promise<string> => cluster().sh(space, pod, script);

    test('configMap, secret, projected token and downward API arrive as files and in the environment', async () => {
      const spec = `volumes:
  - { name: config, configMap: { name: settings } }
  - { name: secret, secret: { secretName: keys, defaultMode: 256 } }
  - { name: scratch, emptyDir: {} }
  - name: about
    downwardAPI: { items: [{ path: labels, fieldRef: { fieldPath: metadata.labels } }] }
  - name: mixed
    projected:
      sources:
        - { serviceAccountToken: { path: token, audience: somebody, expirationSeconds: 600 } }
        - { configMap: { name: settings, items: [{ key: size, path: deep/size }] } }`;
      const container = `envFrom: [{ configMapRef: { name: settings }, prefix: CM_ }]
volumeMounts:
  - { name: config, mountPath: /config }
  - { name: secret, mountPath: /secret }
  - { name: scratch, mountPath: /scratch }
  - { name: about, mountPath: /about }
  - { name: mixed, mountPath: /mixed }
  - { name: config, mountPath: /one/file, subPath: colour }
resources: { limits: { memory: 64Mi } }`;
      const more = `env: [{ name: POD_IP, valueFrom: { fieldRef: { fieldPath: status.podIP } } },
        { name: LIMIT, valueFrom: { resourceFieldRef: { resource: limits.memory } } },
        { name: PASSWORD, valueFrom: { secretKeyRef: { name: keys, key: password } } },
        { name: BOTH, value: "$(PASSWORD)-$(POD_IP)" }, `;
      await cluster().apply(boxPod('volumes', { spec, container }).replace('env: [', more), space);
      const pod = await cluster().readyPod(space, 'volumes');
      const ip = pod.status?.podIP;
      assert.equal(await sh('volumes', 'echo $CM_colour $CM_size $PASSWORD $LIMIT $BOTH'), `blue large s3cret 67108864 s3cret-${ip}\n`);
      assert.equal(await sh('volumes', 'cat /config/colour /secret/password /one/file /mixed/deep/size'), 'blues3cretbluelarge');
      assert.equal((await sh('volumes', 'cat /about/labels')).trim(), 'app="volumes"');
      assert.equal(await sh('volumes', 'echo kept >/scratch/file; cat /scratch/file; stat -L -c %a /secret/password'), 'kept\n400\n');
      const [, payload = ''] = (await sh('volumes', 'cat /mixed/token')).split('.');
      const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>;
      assert.deepEqual([claims.aud, claims.sub], [['somebody'], `system:serviceaccount:${space}:default`]);
      assert.match(await sh('volumes', 'cat /var/run/secrets/kubernetes.io/serviceaccount/namespace'), new RegExp(`^${space}`));
    });

    test('a changed configMap arrives in a running pod, at once when the pod is looked at', async () => {
      const configMap = (value: string): string =>
        `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: moving }\ndata: { value: ${value} }\n`;
      const spec = 'volumes: [{ name: config, configMap: { name: moving } }]';
      const pod = boxPod('watching', { spec, container: 'volumeMounts: [{ name: config, mountPath: /config }]' });
      await cluster().apply(all(configMap('before'), pod), space);
      await cluster().readyPod(space, 'watching');
      await cluster().apply(configMap('after'), space);
      // By itself a kubelet looks once a minute; a change of the pod makes it look now.
      await cluster().merge({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'watching', namespace: space, annotations: { look: 'now' } },
      });
      await eventually('the new value', async () => assert.equal(await sh('watching', 'cat /config/value'), 'after'));
    });

    test('init containers run one after the other, before the others', async () => {
      const init = (name: string): string =>
        `- { name: ${name}, image: "fairlead.local/box:1", command: [sh, -c, "echo ${name} >>/shared/order"], volumeMounts: [{ name: shared, mountPath: /shared }] }`;
      const spec = `volumes: [{ name: shared, emptyDir: {} }]\ninitContainers:\n  ${init('one')}\n  ${init('two')}`;
      await cluster().apply(boxPod('prepared', { spec, container: 'volumeMounts: [{ name: shared, mountPath: /shared }]' }), space);
      const pod = await cluster().readyPod(space, 'prepared');
      assert.equal(await sh('prepared', 'cat /shared/order'), 'one\ntwo\n');
      assert.deepEqual(
        pod.status?.initContainerStatuses?.map((s) => s.state?.terminated?.reason),
        ['Completed', 'Completed'],
      );
    });

    test('an init container that fails keeps the others from starting', async () => {
      const spec = 'initContainers: [{ name: never, image: "fairlead.local/box:1", command: ["false"] }]';
      await cluster().apply(boxPod('unprepared', { spec }), space);
      const pod = await cluster().podWhen(space, 'unprepared', 'to fail its preparation', (p) =>
        assert.ok((p.status?.initContainerStatuses?.[0]?.restartCount ?? 0) >= 1),
      );
      assert.equal(pod.status?.phase, 'Pending');
      assert.equal(first(pod)?.state?.waiting?.reason, 'PodInitializing');
    });

    test('readiness takes a pod out of its Service and back in', async () => {
      const container = 'readinessProbe: { exec: { command: [test, "!", "-e", /tmp/ill] }, periodSeconds: 1, failureThreshold: 1 }';
      await cluster().apply(all(boxPod('moody', { container }), service('moody', '80:8080')), space);
      await cluster().readyPod(space, 'moody');
      const ip = await cluster().clusterIp(space, 'moody');
      await eventually('an answer', () => httpText(ip));
      await sh('moody', 'touch /tmp/ill');
      await eventually('the Service to refuse', async () => assert.equal(await connectOutcome(ip, 80), 'ECONNREFUSED'));
      assert.equal(first(await cluster().core.readNamespacedPod({ name: 'moody', namespace: space }))?.restartCount, 0);
      await sh('moody', 'rm /tmp/ill');
      await eventually('an answer again', () => httpText(ip));
    });

    test('liveness restarts a container, and says why', async () => {
      const container =
        'livenessProbe: { httpGet: { path: /alive, port: 8080 }, periodSeconds: 1, failureThreshold: 2, initialDelaySeconds: 1 }';
      await cluster().apply(boxPod('mortal', { container }), space);
      await cluster().podWhen(space, 'mortal', 'to be restarted', (p) => assert.ok((first(p)?.restartCount ?? 0) >= 1));
      await eventually('events', async () => {
        const reasons = (await cluster().events(space, 'mortal')).map((e) => `${e.type} ${e.reason}`);
        assert.ok(reasons.includes('Warning Unhealthy') && reasons.includes('Normal Killing'), reasons.join(', '));
      });
    });

    test('startup holds the other probes back', async () => {
      const container = `startupProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1, timeoutSeconds: 10, failureThreshold: 30 }
livenessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1, timeoutSeconds: 10, failureThreshold: 1 }
command: [sh, -c, "sleep 3; exec /bin/box"]`;
      await cluster().apply(boxPod('slow', { container }), space);
      const pod = await cluster().readyPod(space, 'slow');
      assert.deepEqual([first(pod)?.started, first(pod)?.restartCount], [true, 0]);
    });

    test('a container that keeps ending waits longer and longer: CrashLoopBackOff', async () => {
      await cluster().apply(boxPod('crashing', { container: 'command: [sh, -c, "echo once more; exit 3"]' }), space);
      const pod = await cluster().podWhen(space, 'crashing', 'to back off', (p) =>
        assert.equal(first(p)?.state?.waiting?.reason, 'CrashLoopBackOff'),
      );
      assert.match(first(pod)?.state?.waiting?.message ?? '', /^back-off \d+s restarting failed container=box pod=crashing_kubelet/);
      assert.equal(first(pod)?.lastState?.terminated?.exitCode, 3);
      const log = await cluster().core.readNamespacedPodLog({ name: 'crashing', namespace: space, previous: true });
      assert.equal(log, 'once more\n');
    });

    test('an image that cannot be had is ErrImagePull, then ImagePullBackOff, with the reason', async () => {
      const pod = boxPod('unknown-image').replace('image: fairlead.local/box:1', 'image: registry.invalid/no/such:1');
      await cluster().apply(pod, space);
      const seen = new Set<string>();
      await cluster().podWhen(space, 'unknown-image', 'to back off', (p) => {
        seen.add(first(p)?.state?.waiting?.reason ?? '');
        assert.ok(seen.has('ImagePullBackOff'), [...seen].join(', '));
      });
      await eventually('the events of it', async () => {
        const failed = (await cluster().events(space, 'unknown-image')).filter((e) => e.reason === 'Failed').map((e) => e.message ?? '');
        for (const wanted of [/registry\.invalid\/no\/such:1/, /ErrImagePull/])
          assert.ok(
            failed.some((message) => wanted.test(message)),
            failed.join('\n'),
          );
      });
    });

    test('restartPolicy decides what becomes of a pod that has ended', async () => {
      const ending = (name: string, policy: string, code: number): string =>
        boxPod(name, { spec: `restartPolicy: ${policy}`, container: `command: [sh, -c, "exit ${code}"]` });
      await cluster().apply(all(ending('done', 'OnFailure', 0), ending('broken', 'Never', 4), ending('stubborn', 'OnFailure', 5)), space);
      await cluster().podWhen(space, 'done', 'to succeed', (p) => assert.equal(p.status?.phase, 'Succeeded'));
      const broken = await cluster().podWhen(space, 'broken', 'to fail', (p) => assert.equal(p.status?.phase, 'Failed'));
      assert.deepEqual([first(broken)?.state?.terminated?.exitCode, first(broken)?.restartCount], [4, 0]);
      await cluster().podWhen(space, 'stubborn', 'to be started again', (p) => assert.ok((first(p)?.restartCount ?? 0) >= 1));
    });

    test('a pod that ends gets SIGTERM and its grace, then is gone', async () => {
      const script = 'trap "echo goodbye; sleep 1; exit 0" TERM; while :; do sleep 0.1; done';
      const pod = boxPod('polite', { container: `command: [sh, -c, '${script}']` });
      await cluster().apply(pod.replace('terminationGracePeriodSeconds: 2', 'terminationGracePeriodSeconds: 20'), space);
      await cluster().readyPod(space, 'polite');
      const { log, stop } = await cluster().follow(space, 'polite', 'box');
      const start = performance.now();
      await cluster().core.deleteNamespacedPod({ name: 'polite', namespace: space });
      await eventually('the pod to be gone', () =>
        assert.rejects(cluster().core.readNamespacedPod({ name: 'polite', namespace: space }), (err) => isStatus(err, 404)),
      );
      const seconds = (performance.now() - start) / 1000;
      await eventually('its last words', () => assert.equal(log.text, 'goodbye\n'));
      stop.abort();
      assert.ok(seconds >= 1 && seconds < 20, `it took ${seconds} s`);
    });

    test('a pod that does not listen to SIGTERM is killed when its grace is over', async () => {
      await cluster().apply(boxPod('deaf', { container: `command: [sh, -c, 'trap "" TERM; while :; do sleep 1; done']` }), space);
      await cluster().readyPod(space, 'deaf');
      await cluster().core.deleteNamespacedPod({ name: 'deaf', namespace: space });
      await eventually('the pod to be gone', () =>
        assert.rejects(cluster().core.readNamespacedPod({ name: 'deaf', namespace: space }), (err) => isStatus(err, 404)),
      );
    });

    test('hostNetwork gives a pod the addresses of its node, hostPort a port of it', async () => {
      const onHost = boxPod('on-host', {
        spec: 'hostNetwork: true\nnodeName: worker-1\ndnsPolicy: ClusterFirstWithHostNet',
      }).replace('env: [', 'env: [{ name: PORT, value: "18080" }, ');
      const withPort = boxPod('host-port', { spec: 'nodeName: worker-2', container: 'ports: [{ containerPort: 8080, hostPort: 18081 }]' });
      await cluster().apply(all(onHost, withPort), space);
      const [one, two] = [await cluster().readyPod(space, 'on-host'), await cluster().readyPod(space, 'host-port')];
      const address = (name: string): string => cluster().lab.plan.nodes.find((n) => n.name === name)?.address ?? '';
      assert.equal(one.status?.podIP, address('worker-1'));
      assert.match(await eventually('the host network to answer', () => httpText(address('worker-1'), 18080)), /node=worker-1$/);
      assert.notEqual(two.status?.podIP, address('worker-2'));
      assert.equal(podOf(await eventually('the host port to answer', () => httpText(address('worker-2'), 18081))), 'host-port');
      const inside = await cluster().sh(space, 'on-host', `wget -q -O - http://${address('worker-2')}:18081/`);
      assert.equal(podOf(inside), 'host-port');
      await cluster().core.deleteNamespacedPod({ name: 'host-port', namespace: space });
      await eventually('the port to be closed', async () => assert.equal(await connectOutcome(address('worker-2'), 18081), 'ECONNREFUSED'));
    });

    test('a hostPath is one of the node, never of this machine', async () => {
      const mark = `fairlead-e2e-${process.pid}`;
      const spec = 'volumes: [{ name: root, hostPath: { path: / } }]\nnodeName: worker-1';
      await cluster().apply(boxPod('reaching', { spec, container: 'volumeMounts: [{ name: root, mountPath: /host }]' }), space);
      await cluster().readyPod(space, 'reaching');
      await sh('reaching', `for d in etc tmp var run opt root home usr; do touch /host/$d/${mark} 2>/dev/null; done; ls /host/etc/${mark}`);
      for (const dir of ['etc', 'tmp', 'var', 'run', 'opt', 'root', 'home', 'usr']) assert.ok(!existsSync(`/${dir}/${mark}`), dir);
      assert.equal((await cluster().lab.run('worker-1', ['ls', `/etc/${mark}`])).code, 0);
      assert.notEqual((await cluster().lab.run('worker-2', ['ls', `/etc/${mark}`])).code, 0);
      assert.ok(!existsSync(join('/opt/fairlead', mark)));
    });

    test('a manifest on a node becomes a pod with a mirror, and goes with the manifest', async () => {
      const manifests = `/proc/${cluster().lab.initOf('worker-2')}/root/etc/kubernetes/manifests`;
      const file = join(manifests, 'static.yaml');
      await mkdir(manifests, { recursive: true });
      await writeFile(file, boxPod('static', { container: quickReadiness }).replace('name: static', `name: static\n  namespace: ${space}`));
      try {
        const pod = await cluster().readyPod(space, 'static-worker-2');
        assert.equal(pod.metadata?.annotations?.['kubernetes.io/config.source'], 'file');
        assert.equal(podOf(await httpText(pod.status?.podIP ?? '', 8080)), 'static-worker-2');
        await cluster().core.deleteNamespacedPod({ name: 'static-worker-2', namespace: space });
        await cluster().podWhen(space, 'static-worker-2', 'to be mirrored again', (p) =>
          assert.notEqual(p.metadata?.uid, pod.metadata?.uid),
        );
      } finally {
        await rm(file);
      }
      await eventually('the mirror to be gone', () =>
        assert.rejects(cluster().core.readNamespacedPod({ name: 'static-worker-2', namespace: space }), (err) => isStatus(err, 404)),
      );
    });

    test('logs follow a container as it writes, and exec passes input, output and exit code', async () => {
      await cluster().apply(
        boxPod('talking', {
          container: `command: [sh, -c, 'i=0; while :; do i=$((i+1)); [ $i -gt 20 ] || echo line $i; sleep 0.2; done']`,
        }),
        space,
      );
      await cluster().readyPod(space, 'talking');
      const { log, stop } = await cluster().follow(space, 'talking', 'box');
      await eventually('new lines', () => assert.match(log.text, /line 1\n(line \d+\n)+line 20\n/));
      stop.abort();
      // The container has fallen silent: a line written while the tail is read would be a third one, as with any kubelet.
      const tail = await cluster().core.readNamespacedPodLog({ name: 'talking', namespace: space, tailLines: 2, timestamps: true });
      assert.match(tail, /^\d{4}-\d\d-\d\dT\S+Z line 19\n\d{4}-\S+ line 20\n$/);
      const outcome = await cluster().exec(space, 'talking', ['sh', '-c', 'cat; echo oops >&2; exit 7'], { stdin: 'hello\n' });
      assert.deepEqual(outcome, { stdout: 'hello\n', stderr: 'oops\n', code: 7 });
      const long = 'z'.repeat(200_000);
      assert.equal((await cluster().exec(space, 'talking', ['cat'], { stdin: long })).stdout.length, long.length);
    });

    test('a memory limit is one: what takes more is OOMKilled', async () => {
      const container = `resources: { limits: { memory: 20Mi } }
command: [sh, -c, 'sleep 1; x=a; while :; do x=$x$x; done']`;
      await cluster().apply(boxPod('greedy', { spec: 'restartPolicy: Never', container }), space);
      const pod = await cluster().podWhen(space, 'greedy', 'to be killed', (p) => assert.equal(p.status?.phase, 'Failed'));
      assert.equal(first(pod)?.state?.terminated?.reason, 'OOMKilled');
    });
  });
}
