/** Registers this node, and keeps its status and its Lease in the API. */

import { nodes } from '../../api/resource-types.ts';
import type { ContainerImage, Node, NodeCondition, NodeStatus } from '../../api/schema/types.ts';
import { isAlreadyExists } from '../../client/api-error.ts';
import type { Client } from '../../client/client.ts';
import type { EventRecorder } from '../../client/event-recorder.ts';
import { BackOff, type BackOffOptions } from '../../clock/back-off.ts';
import type { Clock } from '../../clock/clock.ts';
import { messageOf } from '../../errors/known-error.ts';
import type { Log } from '../../observability/log.ts';
import type { Cri } from '../cri/cri.ts';
import type { RuntimeState } from '../runtime/runtime-state.ts';
import { type PressureLimits, readPressure } from './capacity.ts';
import { NodeLease } from './node-lease.ts';
import { differs, type NodeFindings, type NodeIdentity, newNode, nodeStatus, ownLabels } from './node-object.ts';

const leasePeriodMs = 10_000;
const runtimePeriodMs = 5000;
/** While the network is awaited: a node is wanted as soon as it can run pods. */
const eagerPeriodMs = 200;
const eagerForMs = 120_000;
const reportPeriodMs = 10_000;
/** As upstream's Lease controller; doubles up to the period. */
const firstRetryMs = 200;
const unchangedReportMs = 300_000;
const imagesPeriodMs = 30_000;
const maxImages = 50;

export interface NodeManagerOptions {
  readonly client: Client;
  readonly cri: Cri;
  readonly runtimeState: RuntimeState;
  readonly clock: Clock;
  readonly log: Log;
  readonly recorder: EventRecorder;
  readonly identity: NodeIdentity;
  readonly rootDir: string;
  readonly limits: PressureLimits;
  /** The Node as the API has it, once that is known. */
  readonly current: () => Node | undefined;
  /** Further reasons not to be ready. */
  readonly otherProblem: () => string | undefined;
}

export class NodeManager {
  readonly #options: NodeManagerOptions;
  readonly #lease: NodeLease;
  #images: readonly ContainerImage[] = [];
  #imagesAt = Number.NEGATIVE_INFINITY;
  #written: NodeStatus | undefined;
  #writtenAt = 0;
  #conditions: readonly NodeCondition[] = [];
  #node: Node | undefined;
  #reporting: Promise<void> = Promise.resolve();
  #signal: AbortSignal | undefined;

  constructor(options: NodeManagerOptions) {
    this.#options = options;
    this.#lease = new NodeLease(options.client, options.clock, options.identity.nodeName);
  }

  /** Runs until the signal aborts. Resolves the first time the node is in the API, then goes on. */
  async start(signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    await this.#options.runtimeState.update();
    await this.#registerUntilDone(signal);
    void this.#every(leasePeriodMs, () => this.#lease.renew(this.#node?.metadata.uid), signal);
    const began = this.#options.clock.monotonic();
    const eager = (): boolean =>
      this.#options.runtimeState.networkProblem !== undefined && this.#options.clock.monotonic() - began < eagerForMs;
    const runtimePeriod = (): number => (eager() ? eagerPeriodMs : runtimePeriodMs);
    void this.#every(runtimePeriod, () => this.#updateRuntimeState(), signal);
    void this.#every(reportPeriodMs, () => this.#report(), signal);
  }

  async #registerUntilDone(signal: AbortSignal): Promise<void> {
    const { identity, recorder } = this.#options;
    await this.#untilDone(`register node "${identity.nodeName}" yet`, () => this.#register(), { durationMs: 100, capMs: 2_000 }, signal);
    recorder.event(this.#eventNode(), 'Normal', 'Starting', 'Starting kubelet.');
  }

  async #every(period: number | (() => number), work: () => Promise<void>, signal: AbortSignal): Promise<void> {
    const { identity, clock } = this.#options;
    while (!signal.aborted) {
      const wait = typeof period === 'number' ? period : period();
      // A new cluster has no namespace for Leases yet: a whole period later would be late.
      const backOff = { durationMs: firstRetryMs, capMs: Math.min(wait, reportPeriodMs) };
      await this.#untilDone(`update node "${identity.nodeName}"`, work, backOff, signal)
        .then(() => clock.sleep(wait, signal))
        .catch(() => {});
    }
  }

  /** Again and again until it works, or the signal aborts; each reason why it does not is said once. */
  async #untilDone(what: string, work: () => Promise<void>, steps: BackOffOptions, signal: AbortSignal): Promise<void> {
    const backOff = new BackOff(steps);
    for (let said = ''; ; ) {
      try {
        return await work();
      } catch (err) {
        const why = messageOf(err);
        if (why !== said) this.#options.log.warn(`Cannot ${what}: ${why}`);
        said = why;
        await this.#options.clock.sleep(backOff.step(), signal);
      }
    }
  }

  async #updateRuntimeState(): Promise<void> {
    if (await this.#options.runtimeState.update()) await this.#report();
  }

  async #findings(): Promise<NodeFindings> {
    const { cri, clock, rootDir, limits, runtimeState, otherProblem } = this.#options;
    if (runtimeState.runtimeProblem === undefined && clock.monotonic() - this.#imagesAt > imagesPeriodMs) {
      const images = await cri.listImages().catch(() => []);
      this.#images = images
        .toSorted((a, b) => b.size - a.size)
        .slice(0, maxImages)
        .map((i) => ({ names: [...i.repoDigests, ...i.repoTags].slice(0, 5), sizeBytes: i.size }))
        .filter((i) => i.names.length > 0);
      this.#imagesAt = clock.monotonic();
    }
    const problems = [runtimeState.runtimeProblem, runtimeState.networkProblem, otherProblem()].filter((p) => p !== undefined);
    return { runtimeVersion: runtimeState.version, images: this.#images, pressure: await readPressure(rootDir, limits), problems };
  }

  async #register(): Promise<void> {
    const { client, identity, clock, log } = this.#options;
    const status = nodeStatus(identity, await this.#findings(), [], clock.now());
    try {
      this.#node = await client.create(nodes, newNode(identity, status));
      this.#wrote(status);
      log.info(`Registered node "${identity.nodeName}"`);
      return;
    } catch (err) {
      if (!isAlreadyExists(err)) throw err;
    }
    const node = await client.get(nodes, identity.nodeName);
    this.#conditions = node.status?.conditions ?? [];
    const wanted = ownLabels(identity);
    const missing = Object.fromEntries(Object.entries(wanted).filter(([k, v]) => node.metadata.labels?.[k] !== v));
    this.#node = Object.keys(missing).length > 0 ? await client.patch(nodes, identity.nodeName, { metadata: { labels: missing } }) : node;
    await this.#report();
  }

  /** `kubectl describe node` looks for events whose uid is the node's name. */
  #eventNode(): Node {
    const { nodeName } = this.#options.identity;
    return { apiVersion: 'v1', kind: 'Node', metadata: { name: nodeName, uid: nodeName } };
  }

  /** Somebody deleted the Node while we run. */
  async registerAgain(): Promise<void> {
    const { identity, log } = this.#options;
    const signal = this.#signal;
    if (!signal) return;
    log.warn(`Node "${identity.nodeName}" was deleted from the API: it registers again`);
    this.#lease.forget();
    this.#written = undefined;
    // Until it works: nothing else would ever make the Node again.
    await this.#registerUntilDone(signal).catch(() => {});
  }

  #report(): Promise<void> {
    const next = this.#reporting.catch(() => {}).then(() => this.#reportNow());
    this.#reporting = next;
    return next;
  }

  async #reportNow(): Promise<void> {
    const { client, identity, clock, current } = this.#options;
    const overwritten = this.#overwritten(current()?.status?.conditions);
    if (overwritten) this.#conditions = overwritten;
    const status = nodeStatus(identity, await this.#findings(), this.#conditions, clock.now());
    const before = this.#written;
    const due = clock.monotonic() - this.#writtenAt >= unchangedReportMs;
    if (before && !due && !overwritten && !differs(before, status)) return;
    // The whole of what changed; addresses are merged by type, so the list says that it is all.
    const patch = {
      ...status,
      addresses: [{ $patch: 'replace' }, ...(status.addresses ?? [])],
    };
    this.#node = await client.patch(nodes, identity.nodeName, { status: patch }, { kind: 'strategic', subresource: 'status' });
    this.#announce(status);
    this.#wrote(status);
  }

  /** The conditions in the API when somebody wrote over ours: a node controller that had not heard of us for long. */
  #overwritten(there: readonly NodeCondition[] | undefined): readonly NodeCondition[] | undefined {
    const ours = this.#written?.conditions;
    return there && ours?.some((c) => there.find((other) => other.type === c.type)?.status !== c.status) ? there : undefined;
  }

  #announce(status: NodeStatus): void {
    for (const condition of status.conditions ?? []) {
      const old = this.#conditions.find((c) => c.type === condition.type);
      if (old?.status === condition.status) continue;
      const word = condition.type === 'Ready' ? (condition.status === 'True' ? 'NodeReady' : 'NodeNotReady') : (condition.reason ?? '');
      this.#options.recorder.event(this.#eventNode(), 'Normal', word, `Node ${this.#options.identity.nodeName} status is now: ${word}`);
    }
  }

  #wrote(status: NodeStatus): void {
    this.#written = status;
    this.#writtenAt = this.#options.clock.monotonic();
    this.#conditions = status.conditions ?? [];
  }
}
