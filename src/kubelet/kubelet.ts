/** The kubelet: its parts, who tells whom, and the order in which they begin. */
import { readFile } from 'node:fs/promises';
import { messageOf } from '../errors/known-error.ts';
import { systemExec } from '../linux/exec.ts';
import { GrpcCri } from './cri/grpc-cri.ts';
import { defaultLimits, readMachine } from './node/capacity.ts';
import { CgroupManager, warnOfCgroupDriver } from './node/cgroup-manager.ts';
import { collectImages } from './node/image-gc.ts';
import type { KubeletHost, KubeletOptions } from './options.ts';
import { type NodeParts, nodeParts, type PodParts, podParts, type RuntimeParts, runtimeParts } from './parts.ts';
import { LogRotator } from './runtime/log-rotator.ts';
import { keepCertificate } from './server/keep-certificate.ts';

export interface Kubelet {
  readonly port: number;
  /** What keeps it from knowing its pods; undefined while nothing does. */
  readonly problem: string | undefined;
  /** Resolves when everything has been let go. */
  close(): Promise<void>;
}

export async function startKubelet(options: KubeletOptions): Promise<Kubelet> {
  return await runKubelet(options, {
    cri: new GrpcCri(options.runtimeEndpoint),
    exec: systemExec,
    cgroups: await CgroupManager.ofThisProcess(),
    machine: () => readMachine(options.rootDir),
    limits: defaultLimits,
    logsRoot: '/var/log/pods',
    textOf: (file) => readFile(file, 'utf8').catch(() => ''),
  });
}

export async function runKubelet(options: KubeletOptions, host: KubeletHost): Promise<Kubelet> {
  const { clock, log } = options;
  const ended = new AbortController();
  const signal = AbortSignal.any([options.signal, ended.signal]);
  const runtime = await runtimeParts(options, host);
  const pods = podParts(options, host, runtime, signal);
  const node = await nodeParts(options, host, runtime, pods);
  connect(runtime, pods, node);
  if (options.readTls) void keepCertificate(node.server, options.tls, { read: options.readTls, clock, log, signal });
  await begin(options, host, runtime, pods, node, signal);
  return {
    port: node.server.port,
    get problem() {
      return runtime.pleg.problem;
    },
    close: async () => {
      await node.server.close();
      ended.abort(new Error('the kubelet ends'));
      pods.workers.close();
      pods.probes.close();
      // An API server that is away must not keep the process.
      await Promise.race([runtime.recorder.flush(), clock.sleep(1000)]).catch(() => {});
      host.cri.close();
    },
  };
}

/** Who tells whom. All else is asked, by the part that was made later. */
function connect(runtime: RuntimeParts, { sources, probes, statuses, workers }: PodParts, { informer, manager }: NodeParts): void {
  sources.on({
    set: (pod) => workers.set(pod),
    remove: (pod) => workers.remove(pod),
    observe: (uid, pod) => statuses.observe(uid, pod),
    mirrored: (uid) => workers.get(uid)?.rewrite(),
  });
  runtime.pleg.on({
    change: (uid) => workers.requeue(uid),
    listed: (pods, ids) => {
      runtime.reader.retain(ids);
      workers.killOrphans(pods);
    },
  });
  probes.onResult((uid) => workers.requeue(uid));
  runtime.state.onNetworkReady(() => workers.requeueAll());
  informer.on({ delete: () => void manager.registerAgain() });
}

async function begin(
  { clock, log, nodeName, rootDir }: KubeletOptions,
  { cri, cgroups, limits }: KubeletHost,
  { services, pleg }: RuntimeParts,
  { api, statics, workers }: PodParts,
  { informer, manager }: NodeParts,
  signal: AbortSignal,
): Promise<void> {
  await cgroups.prepare().catch((err) => log.warn(`Cannot make the cgroups of pods: ${messageOf(err)}`));
  void warnOfCgroupDriver(cri, log);
  // Static pods must come up without an API server: it may be one of them.
  await statics?.start(signal);
  void pleg.run(signal);
  void new LogRotator({ cri, clock, log, running: () => workers.runningContainers() }).run(signal);
  void collectImages({ cri, clock, log, rootDir, freeBytes: 2 * limits.diskBytes }, signal);
  const registered = manager.start(signal);
  registered.catch((err) => signal.aborted || log.error(`Node "${nodeName}" is not registered: ${messageOf(err)}`));
  void registered.then(() => informer.start(signal)).catch(() => {});
  // Containers are told of the Services that are there when they start.
  void services.start(signal);
  void services.synced.then(() => api.start(signal));
  void api.synced
    .then(async () => {
      workers.complete();
      await pleg.relist();
      await workers.cleanUp(new Set(pleg.pods.keys()));
    })
    .catch((err) => log.warn(`Cannot clean up after pods that are gone: ${messageOf(err)}`));
}
