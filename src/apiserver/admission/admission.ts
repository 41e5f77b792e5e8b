/**
 * The chain that every write passes between authorization and the store: plugins may change the object (`mutate`), then look
 * at the result (`validate`). Order as upstream's; a plugin is a file in this folder and a line in `chain.ts`.
 */
import type { ResourceRow } from '../../api/registry/resource-row.ts';
import type { KubeObject, ResourceType } from '../../api/resource-types.ts';
import type { StatusCause } from '../../api/schema/types.ts';
import type { UserInfo } from '../auth/user-info.ts';
import { forbidden, type StatusError } from '../status/status-error.ts';

export interface AdmissionRequest {
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';
  readonly row: ResourceRow;
  /** '' for the object itself. */
  readonly subresource: string;
  readonly namespace: string;
  /** '' for a creation by generateName, and for the deletion of a collection. */
  readonly name: string;
  readonly user: UserInfo;
  readonly dryRun: boolean;
  /** What is to be stored, or the body of the subresource; absent for DELETE. `mutate` may change it in place. */
  readonly object: KubeObject | undefined;
  /** What is stored; absent for CREATE. */
  readonly old: KubeObject | undefined;
  readonly warnings: string[];
}

/** A write of the object itself, or of one of its subresources. */
export function isWriteOf({ row, subresource }: AdmissionRequest, type: ResourceType, of = ''): boolean {
  return row.type.resource === type.resource && row.type.group === type.group && subresource === of;
}

/** 403 for what is to be written. */
export function refused({ row, name }: AdmissionRequest, why: string, causes?: StatusCause[]): StatusError {
  return forbidden(row.type, name || undefined, why, causes);
}

/** Refuses by throwing a StatusError. */
export interface AdmissionPlugin {
  mutate?(request: AdmissionRequest): void | Promise<void>;
  validate?(request: AdmissionRequest): void | Promise<void>;
  /** The write is done, and was no dry run. Must not throw. */
  admitted?(request: AdmissionRequest): void;
}

export class AdmissionChain {
  readonly #plugins: readonly AdmissionPlugin[];

  constructor(plugins: readonly AdmissionPlugin[]) {
    this.#plugins = plugins;
  }

  /** For a request with nothing to be done between the two. */
  async admit(request: AdmissionRequest): Promise<void> {
    await this.mutate(request);
    await this.validate(request);
  }

  async mutate(request: AdmissionRequest): Promise<void> {
    for (const plugin of this.#plugins) await plugin.mutate?.(request);
  }

  async validate(request: AdmissionRequest): Promise<void> {
    for (const plugin of this.#plugins) await plugin.validate?.(request);
  }

  admitted(request: AdmissionRequest): void {
    if (!request.dryRun) for (const plugin of this.#plugins) plugin.admitted?.(request);
  }
}
