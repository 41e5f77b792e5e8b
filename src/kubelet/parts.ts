/** The parts of the kubelet: each is made with what it asks of those before it, so that nothing refers to what comes later. */

import { join } from 'node:path';
import { nodes as nodeType, pods as podType, runtimeClasses as runtimeClassType, services as serviceType } from '../api/resource-types.ts';
import type { Node, Pod, Service } from '../api/schema/types.ts';
import { EventRecorder } from '../client/event-recorder.ts';
import { Informer } from '../client/informer.ts';
import { familyOf } from '../ip/ip.ts';
import { parseResolvConf } from '../linux/resolv-conf.ts';
import { Admission } from './node/admission.ts';
import type { Machine } from './node/capacity.ts';
import { NodeManager } from './node/node-manager.ts';
import { allocatableOf } from './node/node-object.ts';
import type { KubeletHost, KubeletOptions } from './options.ts';
import { ProbeManager } from './probe/probe-manager.ts';
import { ContainerKiller } from './runtime/container-killer.ts';
import { ContainerStarter } from './runtime/container-starter.ts';
import { ImagePuller } from './runtime/image-puller.ts';
import { type PodEvents, podEvents } from './runtime/pod-events.ts';
import { RuntimeManager } from './runtime/runtime-manager.ts';
import { RuntimeReader } from './runtime/runtime-reader.ts';
import { RuntimeState } from './runtime/runtime-state.ts';
import { Access } from './server/access.ts';
import { type KubeletServer, serveKubelet } from './server/kubelet-server.ts';
import { PodLookup } from './server/pod-lookup.ts';
import { MirrorPods } from './source/mirror-pods.ts';
import { PodSources } from './source/pod-sources.ts';
import { StaticPods } from './source/static-pods.ts';
import { StatusManager } from './status/status-manager.ts';
import { claimSource } from './volume/claimed-volume.ts';
import { CachedConfigSource } from './volume/config-source.ts';
import { TokenManager } from './volume/token-manager.ts';
import { VolumeManager } from './volume/volume-manager.ts';
import { Pleg } from './worker/pleg.ts';
import { PodWorkers } from './worker/pod-workers.ts';

/** What speaks with the container runtime, and knows no pod's worker. */
export interface RuntimeParts {
  readonly machine: Machine;
  readonly recorder: EventRecorder;
  readonly events: PodEvents;
  readonly config: CachedConfigSource;
  readonly tokens: TokenManager;
  readonly volumes: VolumeManager;
  readonly services: Informer<Service>;
  readonly killer: ContainerKiller;
  readonly starter: ContainerStarter;
  readonly manager: RuntimeManager;
  readonly reader: RuntimeReader;
  readonly state: RuntimeState;
  readonly pleg: Pleg;
}

export async function runtimeParts(
  options: KubeletOptions,
  { cri, exec, cgroups, logsRoot, textOf, ...host }: KubeletHost,
): Promise<RuntimeParts> {
  const { client, clock, log, rootDir, nodeName, clusterDomain } = options;
  const recorder = new EventRecorder({ client, component: 'kubelet', host: nodeName, clock, log });
  const events = podEvents(recorder);
  const config = new CachedConfigSource(client, clock);
  const tokens = new TokenManager(client, clock);
  const volumes = new VolumeManager({
    ...{ rootDir, exec },
    sources: { config, token: (pod, p) => tokens.token(pod, p) },
    claims: claimSource(client, clock, nodeName),
    warn: (pod, reason, message) => events.pod(pod, 'Warning', reason, message),
  });
  await volumes.prepare();
  const machine = await host.machine();
  const memoryCapacity = machine.memoryBytes;
  const services = new Informer(client, serviceType, { clock, log });
  const killer = new ContainerKiller({ cri, clock, events, log });
  const starter = new ContainerStarter({
    ...{ cri, clock, events, volumes, killer, source: config, clusterDomain, memoryCapacity },
    images: new ImagePuller({ cri, clock, events, source: config }),
    services: () => services.list(),
    nodeHosts: () => textOf('/etc/hosts'),
    seccompRoot: join(rootDir, 'seccomp'),
  });
  const podFamily = familyOf(options.nodeIps[0]!);
  const manager = new RuntimeManager({
    podFamily,
    ...{ cri, events, cgroups, starter, killer, logsRoot, memoryCapacity },
    clusterDns: { servers: options.clusterDns, domain: clusterDomain },
    hostDns: async () => parseResolvConf(await textOf(options.resolvConf ?? '/etc/resolv.conf')),
    runtimeHandler: async (name) => (await client.get(runtimeClassType, name)).handler,
  });
  const reader = new RuntimeReader(cri, podFamily);
  const state = new RuntimeState(cri, clock);
  const pleg = new Pleg({ cri, clock, log });
  return { machine, recorder, events, config, tokens, volumes, services, killer, starter, manager, reader, state, pleg };
}

/** What keeps the pods of this node going. */
export interface PodParts {
  readonly api: Informer<Pod>;
  readonly node: Informer<Node>;
  readonly statics: StaticPods | undefined;
  readonly sources: PodSources;
  readonly probes: ProbeManager;
  readonly statuses: StatusManager;
  readonly workers: PodWorkers;
}

export function podParts(
  options: KubeletOptions,
  { cri, cgroups, logsRoot }: KubeletHost,
  parts: RuntimeParts,
  signal: AbortSignal,
): PodParts {
  const { client, clock, log, nodeName, podManifestPath: directory } = options;
  const { machine, events, config, tokens, volumes, killer, starter, manager, reader, state } = parts;
  const api = new Informer(client, podType, { fieldSelector: `spec.nodeName=${nodeName}`, clock, log });
  const node = new Informer(client, nodeType, { fieldSelector: `metadata.name=${nodeName}`, clock, log });
  const statics = directory === undefined ? undefined : new StaticPods({ directory, nodeName, clock, log });
  const sources = new PodSources({ api, statics, mirrors: new MirrorPods(client, nodeName), clock, log });
  const probes = new ProbeManager({ cri, clock, events });
  const statuses = new StatusManager({ client, clock, log, signal });
  const allocatable = allocatableOf(machine);
  const workers = new PodWorkers({
    admission: new Admission({ client, nodeName, allocatable, node: () => node.get(nodeName) }),
    deps: {
      ...{ clock, log, events, reader, runtime: manager, starter, killer, probes, statuses, volumes, tokens, cgroups, logsRoot },
      facts: { nodeName, hostIps: options.nodeIps, podIps: [], allocatable },
      networkProblem: () => state.networkProblem,
      forgetConfig: () => config.forget(),
      target: (pod) => sources.target(pod),
    },
  });
  return { api, node, statics, sources, probes, statuses, workers };
}

/** What the cluster sees of this node. */
export interface NodeParts {
  readonly informer: Informer<Node>;
  readonly server: KubeletServer;
  readonly manager: NodeManager;
}

export async function nodeParts(
  options: KubeletOptions,
  { cri, limits }: KubeletHost,
  runtime: RuntimeParts,
  pods: PodParts,
): Promise<NodeParts> {
  const { client, clock, log, nodeName, rootDir, tls, labels = {}, taints = [] } = options;
  const { machine, recorder, pleg, state: runtimeState } = runtime;
  const { node: informer, workers } = pods;
  const server = await serveKubelet({
    ...{ tls, port: options.port, nodeName, cri, log },
    access: new Access({ client, clock, nodeName }),
    pods: new PodLookup(workers),
    logDir: '/var/log',
    problem: () => pleg.problem,
  });
  const manager = new NodeManager({
    ...{ client, cri, clock, log, recorder, runtimeState, rootDir, limits },
    identity: { nodeName, nodeIps: options.nodeIps, labels, taints, port: server.port, machine },
    current: () => informer.get(nodeName),
    otherProblem: () => pleg.problem,
  });
  return { informer, server, manager };
}
