/** An API server that has one Lease and nothing else, behind the methods of a client. */
import type { Lease } from '../../api/schema/types.ts';
import { ApiError } from '../api-error.ts';
import type { LeaderElectionOptions } from '../leader-election.ts';

export class FakeLeases {
  lease: Lease | undefined;
  /** What the server does in place of answering. */
  trouble: (signal: AbortSignal) => Promise<void> = async () => {};
  /** Holders in the order in which they wrote. */
  readonly writers: string[] = [];
  /** Events: about what, type, reason and message. */
  readonly told: string[] = [];
  #version = 0;

  readonly client: LeaderElectionOptions['client'] = {
    get: async (_type: unknown, _name: string, { signal }: { signal?: AbortSignal } = {}): Promise<never> => {
      await this.trouble(signal ?? new AbortController().signal);
      if (!this.lease) throw new ApiError({ apiVersion: 'v1', kind: 'Status', metadata: {}, code: 404, reason: 'NotFound' });
      return structuredClone(this.lease) as never;
    },
    create: (_type: unknown, lease: object, options: { signal?: AbortSignal } = {}): Promise<never> => this.#write(lease as Lease, options),
    update: (_type: unknown, lease: object, options: { signal?: AbortSignal } = {}): Promise<never> => this.#write(lease as Lease, options),
  };

  /** As somebody else would write it. */
  givenTo(holderIdentity: string): void {
    if (!this.lease) return;
    this.lease = {
      ...this.lease,
      metadata: { ...this.lease.metadata, resourceVersion: String(++this.#version) },
      spec: { holderIdentity },
    };
  }

  async #write(lease: Lease, { signal }: { signal?: AbortSignal }): Promise<never> {
    await this.trouble(signal ?? new AbortController().signal);
    const reason = lease.metadata.resourceVersion === undefined ? 'AlreadyExists' : 'Conflict';
    if (lease.metadata.resourceVersion !== this.lease?.metadata.resourceVersion)
      throw new ApiError({ apiVersion: 'v1', kind: 'Status', metadata: {}, code: 409, reason });
    this.lease = { ...lease, metadata: { ...lease.metadata, resourceVersion: String(++this.#version) } };
    this.writers.push(this.lease.spec?.holderIdentity ?? '');
    return structuredClone(this.lease) as never;
  }
}

/** Never answers. */
export const hangs = (signal: AbortSignal): Promise<void> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
