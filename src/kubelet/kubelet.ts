/** The kubelet: puts its parts together and feeds them from the API server and from manifest files. */
import { readFile } from 'node:fs/promises';
import { objectKey } from '../api/object-key.ts';
import { nodes as nodeType, pods as podType, runtimeClasses as runtimeClassType, services as serviceType } from '../api/resource-types.ts';
import type { Pod, Taint } from '../api/schema/types.ts';
import type { Client } from '../client/client.ts';
import { EventRecorder } from '../client/event-recorder.ts';
import { Informer } from '../client/informer.ts';
import type { Clock } from '../clock/clock.ts';
import { messageOf } from '../errors/known-error.ts';
import { systemExec } from '../linux/exec.ts';
import type { Log } from '../observability/log.ts';
import { connectCri } from './cri/grpc-cri.ts';
import { admitPod, resizeProblem } from './node/admission.ts';
import { defaultLimits, type PressureLimits, readMachine } from './node/capacity.ts';
import { CgroupManager } from './node/cgroup-manager.ts';
import { collectImages } from './node/image-collector.ts';
import { NodeManager } from './node/node-manager.ts';
import { allocatableOf, type NodeIdentity } from './node/node-object.ts';
import { parseResolvConf } from './pod/dns.ts';
import type { NodeFacts } from './pod/downward.ts';
import type { ContainerRecord } from './pod/runtime-state.ts';
import { fromApi, isMirror, isStatic, namespaceOf, uidOf } from './pod/spec.ts';
import { ProbeManager } from './probe/probe-manager.ts';
import { ContainerKiller } from './runtime/container-killer.ts';
import { ContainerStarter } from './runtime/container-starter.ts';
import { ImagePuller } from './runtime/image-puller.ts';
import { LogRotator } from './runtime/log-rotator.ts';
import { podEvents } from './runtime/pod-events.ts';
import { RuntimeManager } from './runtime/runtime-manager.ts';
import { RuntimeReader } from './runtime/runtime-reader.ts';
import { Access } from './server/access.ts';
import { keepCertificate } from './server/keep-certificate.ts';
import { type KubeletServer, serveKubelet } from './server/kubelet-server.ts';
import { PodLookup } from './server/pod-lookup.ts';
import { MirrorPods } from './static/mirror-pods.ts';
import { StaticPods } from './static/static-pods.ts';
import { StatusManager, type StatusTarget } from './status/status-manager.ts';
import { CachedConfigSource } from './volume/config-source.ts';
import { TokenManager } from './volume/token-manager.ts';
import { VolumeManager } from './volume/volume-manager.ts';
import { PodWorkers } from './worker/pod-workers.ts';
import { type ListedPod, Relister } from './worker/relister.ts';

export interface KubeletOptions {
  readonly client: Client;
  readonly nodeName: string;
  /** The node's address; a second one of the other family may follow after a comma. */
  readonly nodeIp: string;
  /** `unix:///run/containerd/containerd.sock` */
  readonly runtimeEndpoint: string;
  /** `/var/lib/kubelet` */
  readonly rootDir: string;
  readonly podManifestPath?: string;
  readonly clusterDns: readonly string[];
  readonly clusterDomain: string;
  readonly tls: { readonly cert: string; readonly key: string; readonly clientCa: string };
  /** Gives what the files of `tls` hold now; without it they are never looked at again. */
  readonly readTls?: () => Promise<KubeletOptions['tls']>;
  readonly taints?: readonly Taint[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly registerNode: boolean;
  /** 10250; 0 takes a free one. */
  readonly port: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Aborting ends the kubelet; pods go on running. */
  readonly signal: AbortSignal;
  /** Default `/var/log/pods`. */
  readonly podLogsDir?: string;
  /** Default `/etc/resolv.conf`: what pods with dnsPolicy Default get. */
  readonly resolvConf?: string;
  readonly pressureLimits?: PressureLimits;
}

export interface Kubelet {
  readonly port: number;
  /** Resolves when everything has been let go. */
  close(): Promise<void>;
}

export async function startKubelet(options: KubeletOptions): Promise<Kubelet> {
  const { client, nodeName, clock, log, rootDir } = options;
  const ended = new AbortController();
  const signal = AbortSignal.any([options.signal, ended.signal]);
  const logsRoot = options.podLogsDir ?? '/var/log/pods';
  const nodeIps = options.nodeIp.split(',');
  const limits = options.pressureLimits ?? defaultLimits;

  const cri = connectCri(options.runtimeEndpoint);
  const recorder = new EventRecorder({ client, component: 'kubelet', host: nodeName, clock, log });
  const events = podEvents(recorder);
  const source = new CachedConfigSource(client, clock);
  const tokens = new TokenManager(client, clock);
  const volumes = new VolumeManager({ rootDir, exec: systemExec, sources: { config: source, token: (pod, p) => tokens.token(pod, p) } });
  await volumes.prepare();
  const cgroups = await CgroupManager.ofThisProcess();
  await cgroups.prepare().catch((err) => log.warn(`Cannot make the cgroups of pods: ${messageOf(err)}`));
  const machine = await readMachine(rootDir);

  const allocatable = allocatableOf(machine);
  const memoryCapacity = machine.memoryBytes;
  const facts = (): NodeFacts => ({ nodeName, hostIps: nodeIps, podIps: [], allocatable });

  const podInformer = new Informer(client, podType, { fieldSelector: `spec.nodeName=${nodeName}`, clock, log });
  const serviceInformer = new Informer(client, serviceType, { clock, log });
  const nodeInformer = new Informer(client, nodeType, { fieldSelector: `metadata.name=${nodeName}`, clock, log });
  const nodeLabels = (): Readonly<Record<string, string>> => nodeInformer.get(nodeName)?.metadata.labels ?? {};
  const mirrors = new MirrorPods(client, nodeName);

  const killer = new ContainerKiller({ cri, clock, events, log });
  const images = new ImagePuller({ cri, clock, events, source });
  const starter = new ContainerStarter({
    cri,
    clock,
    events,
    images,
    volumes,
    killer,
    source,
    services: () => serviceInformer.list(),
    clusterDomain: options.clusterDomain,
    nodeHosts: () => readFile('/etc/hosts', 'utf8').catch(() => ''),
    memoryCapacity,
  });
  const hostDns = async (): Promise<ReturnType<typeof parseResolvConf>> =>
    parseResolvConf(await readFile(options.resolvConf ?? '/etc/resolv.conf', 'utf8').catch(() => ''));
  const runtimeHandler = async (name: string): Promise<string> => (await client.get(runtimeClassType, name)).handler;
  const clusterDns = { servers: options.clusterDns, domain: options.clusterDomain };
  const runtime = new RuntimeManager({
    cri,
    events,
    cgroups,
    starter,
    killer,
    clusterDns,
    hostDns,
    logsRoot,
    runtimeHandler,
    memoryCapacity,
  });
  const reader = new RuntimeReader(cri);
  const probes = new ProbeManager({ cri, clock, events, onChange: (uid) => workers.wake(uid) });
  const statuses = new StatusManager({ client, clock, log, signal });

  /** What stands for a pod in the API: a static pod's mirror, once it is there. */
  const target = (pod: Pod): { readonly target: StatusTarget; readonly status: NonNullable<Pod['status']> } | undefined => {
    const object = isStatic(pod) ? podInformer.get(objectKey(pod)) : pod;
    if (!object || (isStatic(pod) && !mirrors.isMirrorOf(object, pod))) return undefined;
    const place = { namespace: namespaceOf(object), name: object.metadata.name, uid: uidOf(object) };
    return { target: place, status: object.status ?? {} };
  };

  const workers = new PodWorkers({
    deps: {
      clock,
      log,
      events,
      reader,
      runtime,
      starter,
      killer,
      probes,
      statuses,
      volumes,
      tokens,
      cgroups,
      logsRoot,
      runtimeName: 'containerd',
      facts,
      networkProblem: () => nodeManager.networkProblem,
      forgetConfig: () => source.forget(),
      target,
    },
    resizeProblem: (pod, others) => resizeProblem(pod, others, { allocatable, labels: {} }),
    admit: async (pod, others) => {
      const refusal = admitPod(pod, others(), { allocatable, labels: nodeLabels() });
      if (refusal?.reason !== 'NodeAffinity') return refusal;
      // The label that the pod was placed by may be newer than what the watch has brought.
      const { metadata } = await client.get(nodeType, nodeName);
      return admitPod(pod, others(), { allocatable, labels: metadata.labels ?? {} });
    },
  });

  let listed: ReadonlyMap<string, ListedPod> = new Map();
  const relister = new Relister({
    cri,
    clock,
    log,
    onChange: (uid) => workers.wake(uid),
    onListed: (found, ids) => {
      listed = found;
      reader.retain(ids);
      workers.endOrphans(found);
    },
  });
  const server: KubeletServer = await serveKubelet({
    tls: options.tls,
    port: options.port,
    nodeName,
    access: new Access({ client, clock, nodeName }),
    pods: new PodLookup(workers),
    cri,
    log,
    logDir: '/var/log',
    problem: () => relister.problem,
  });
  if (options.readTls) void keepCertificate(server, options.tls, { read: options.readTls, clock, log, signal });
  const identity: NodeIdentity = {
    nodeName,
    nodeIps,
    labels: options.labels ?? {},
    taints: options.taints ?? [],
    port: server.port,
    machine,
  };
  const nodeManager = new NodeManager({
    client,
    cri,
    clock,
    log,
    recorder,
    identity,
    rootDir,
    limits,
    registerNode: options.registerNode,
    current: () => nodeInformer.get(nodeName),
    otherProblem: () => relister.problem,
    onNetworkReady: () => workers.wakeAll(),
  });

  const statics = options.podManifestPath
    ? new StaticPods({
        directory: options.podManifestPath,
        nodeName,
        clock,
        log,
        onSet: (pod) => {
          workers.set(pod);
          void keepMirror(pod);
        },
        onRemove: (pod) => {
          workers.remove(pod);
          const mirror = podInformer.get(objectKey(pod));
          if (mirror && isMirror(mirror)) void mirrors.remove(mirror).catch((err) => log.warn(messageOf(err)));
        },
      })
    : undefined;

  async function keepMirror(pod: Pod): Promise<void> {
    if (!podInformer.hasSynced) return;
    try {
      const known = podInformer.get(objectKey(pod));
      if (known && mirrors.isMirrorOf(known, pod) && !known.metadata.deletionTimestamp) workers.get(uidOf(pod))?.rewrite();
      else if (!known) await mirrors.create(pod);
      // Somebody's own pod of that name is not the kubelet's to remove; the static pod goes without a mirror while it is there.
      else if (isMirror(known)) await mirrors.remove(known);
    } catch (err) {
      log.warn(`Cannot show static pod "${objectKey(pod)}" in the API: ${messageOf(err)}`);
      clock.after(5000, () => {
        const still = statics?.find(namespaceOf(pod), pod.metadata.name);
        if (still) void keepMirror(still);
      });
    }
  }

  /** Also called when a pod is gone that was in a mirror's place. */
  function onMirror(mirror: Pod, gone: boolean): void {
    const pod = statics?.find(namespaceOf(mirror), mirror.metadata.name);
    if (pod) void keepMirror(pod);
    else if (!gone) void mirrors.remove(mirror).catch((err) => log.warn(messageOf(err)));
  }

  let synced = false;
  podInformer.on({
    add: (pod) => {
      if (!isMirror(pod)) workers.set(fromApi(pod));
      else if (synced) onMirror(pod, false);
    },
    update: (pod) => {
      if (isMirror(pod)) onMirror(pod, false);
      else workers.set(fromApi(pod));
      statuses.observe(uidOf(pod), pod);
    },
    delete: (pod) => {
      if (!isMirror(pod)) workers.remove(fromApi(pod));
      onMirror(pod, true);
    },
    synced: () => {
      synced = true;
      for (const pod of podInformer.list()) if (isMirror(pod)) onMirror(pod, false);
      for (const pod of statics?.list() ?? []) void keepMirror(pod);
    },
  });

  // Static pods must come up without an API server: it may be one of them.
  await statics?.start(signal);
  void relister.run(signal);
  const running = (): ContainerRecord[] =>
    workers.list().flatMap((w) => (w.runtime?.containers ?? []).filter((c) => c.state === 'running'));
  void new LogRotator({ cri, clock, log, running }).run(signal);
  void collectImages({ cri, clock, log, rootDir, freeBytes: 2 * limits.diskBytes }, signal);
  const registered = nodeManager.start(signal);
  registered.catch((err) => signal.aborted || log.error(`Node "${nodeName}" is not registered: ${messageOf(err)}`));
  nodeInformer.on({ delete: () => void nodeManager.registerAgain() });
  void registered.then(() => nodeInformer.start(signal)).catch(() => {});
  void serviceInformer.start(signal);
  void serviceInformer.synced.then(() => podInformer.start(signal));
  void podInformer.synced
    .then(async () => {
      workers.complete();
      await relister.relist();
      await workers.sweep(new Set(listed.keys()));
    })
    .catch((err) => log.warn(`Cannot clean up after pods that are gone: ${messageOf(err)}`));

  return {
    port: server.port,
    close: async () => {
      await server.close();
      ended.abort(new Error('the kubelet ends'));
      workers.close();
      probes.close();
      // An API server that is away must not keep the process.
      await Promise.race([recorder.flush(), clock.sleep(1000)]).catch(() => {});
      cri.close();
    },
  };
}
