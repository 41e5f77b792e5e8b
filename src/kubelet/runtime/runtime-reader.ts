/** Reads what the runtime holds for pods. The parts of a record that cannot change any more are asked for once. */
import type { Family } from '../../ip/ip.ts';
import { openRegular } from '../../linux/open-inside.ts';
import { type Cri, unlessMissing } from '../cri/cri.ts';
import type { Container, ContainerStatus, PodSandbox } from '../cri/messages.ts';
import { ContainerState } from '../cri/messages.ts';
import { containerAnnotations } from '../pod/labels.ts';
import {
  type ContainerRecord,
  containerRecord,
  newestFirst,
  type PodRuntime,
  type SandboxRecord,
  sandboxRecord,
} from '../pod/pod-runtime.ts';
import { tailOf } from '../server/log-file.ts';
import { openLog } from './container-log.ts';

/** What kubectl shows of a termination message at most. */
const maxMessageBytes = 4096;
const maxFallbackBytes = 2048;
const maxFallbackLines = 80;

interface Cached<T> {
  readonly state: number;
  readonly record: T;
}

export class RuntimeReader {
  readonly #cri: Cri;
  readonly #family: Family | undefined;
  #runtimeName: string | undefined;
  readonly #sandboxes = new Map<string, Cached<SandboxRecord>>();
  readonly #containers = new Map<string, Cached<ContainerRecord>>();

  /** `family` is that of pods' first addresses. */
  constructor(cri: Cri, family?: Family) {
    this.#cri = cri;
    this.#family = family;
  }

  async read(uid: string, name: string, namespace: string): Promise<PodRuntime> {
    this.#runtimeName ??= (await this.#cri.version()).runtimeName;
    const [sandboxes, containers] = await Promise.all([this.#cri.listPodSandboxes(uid), this.#cri.listContainers(uid)]);
    const sandboxRecords = await Promise.all(sandboxes.map((s) => current(this.#sandboxes, s, () => this.#sandbox(s))));
    const containerRecords = await Promise.all(containers.map((c) => current(this.#containers, c, () => this.#container(c))));
    return {
      runtimeName: this.#runtimeName,
      uid,
      name,
      namespace,
      sandboxes: newestFirst(sandboxRecords.filter((s) => s !== undefined)),
      containers: newestFirst(containerRecords.filter((c) => c !== undefined)),
    };
  }

  /** Forgets what is no longer there. */
  retain(ids: ReadonlySet<string>): void {
    for (const cache of [this.#sandboxes, this.#containers]) for (const id of cache.keys()) if (!ids.has(id)) cache.delete(id);
  }

  async #sandbox({ id }: PodSandbox): Promise<Cached<SandboxRecord>> {
    const status = await this.#cri.podSandboxStatus(id);
    return { state: status.state, record: sandboxRecord(status, this.#family) };
  }

  async #container({ id, podSandboxId }: Container): Promise<Cached<ContainerRecord>> {
    const status = await this.#cri.containerStatus(id);
    return { state: status.state, record: containerRecord(status, podSandboxId, await terminationMessage(status)) };
  }
}

/** The record in the state that was listed, asked for unless it is known; undefined when it went away meanwhile. */
async function current<T>(
  known: Map<string, Cached<T>>,
  { id, state }: PodSandbox | Container,
  ask: () => Promise<Cached<T>>,
): Promise<T | undefined> {
  const before = known.get(id);
  if (before?.state === state) return before.record;
  const found = await unlessMissing(ask());
  if (found) known.set(id, found);
  return found?.record;
}

async function terminationMessage(status: ContainerStatus): Promise<string | undefined> {
  if (status.state !== ContainerState.CONTAINER_EXITED) return undefined;
  const file = status.annotations[containerAnnotations.terminationLog];
  const text = file ? await head(file, maxMessageBytes) : '';
  if (text !== '') return text;
  const fallback = status.annotations[containerAnnotations.terminationMessagePolicy] === 'FallbackToLogsOnError';
  if (!fallback || status.exitCode === 0 || status.logPath === '') return undefined;
  return await tail(status.logPath).catch(() => undefined);
}

async function tail(logPath: string): Promise<string> {
  await using log = await openLog(logPath);
  return await tailOf(log, maxFallbackLines, maxFallbackBytes);
}

async function head(file: string, bytes: number): Promise<string> {
  try {
    await using handle = await openRegular(file);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(bytes), 0, bytes, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } catch {
    // It was never written, or has been cleaned up.
    return '';
  }
}
