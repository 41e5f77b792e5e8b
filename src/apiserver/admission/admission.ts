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
  readonly name: string;
  readonly user: UserInfo;
  readonly dryRun: boolean;
  /** What is to be stored, or the body of the subresource; absent for DELETE. `mutate` may change it in place. */
  readonly object: KubeObject | undefined;
  /** What is stored; absent for CREATE. */
  readonly old: KubeObject | undefined;
  readonly warnings: string[];
  /** The path names no object: a creation by generateName, of which `name` is the one that was made, or the deletion of a collection. */
  readonly isUnnamed?: boolean | undefined;
  /** The server writes for itself, or as part of a request that was admitted already: nobody outside is asked. */
  readonly ownWrite?: boolean | undefined;
  /** What the client said of the write, as meta.k8s.io/v1 has it. */
  readonly options?: (() => object) | undefined;
  /** How the subresource shows the object, where it has a form of its own. */
  readonly form?: AdmissionForm | undefined;
}

/** A subresource that is a view of the object: a Scale. */
export interface AdmissionForm {
  show(object: KubeObject): KubeObject;
  /** Puts what somebody made of the view into the object, **in place**. */
  take(object: KubeObject, shown: KubeObject): void;
}

/** A write of the object itself, or of one of its subresources. */
export function isWriteOf({ row, subresource }: AdmissionRequest, type: ResourceType, of = ''): boolean {
  return row.type.resource === type.resource && row.type.group === type.group && subresource === of;
}

/** 403 for what is to be written. */
export function refused({ row, name }: AdmissionRequest, why: string, causes?: StatusCause[]): StatusError {
  return forbidden(row.type, name || undefined, why, causes);
}

export const callAgain: unique symbol = Symbol('call again');

/** Refuses by throwing a StatusError. */
export interface AdmissionPlugin {
  /** Gives `callAgain` when all plugins are to look once more at what they have made; `isAgain` is true then. */
  mutate?(request: AdmissionRequest, isAgain: boolean): void | Promise<void> | Promise<typeof callAgain | undefined>;
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
    if ((await this.#mutate(request, false)) === callAgain) await this.#mutate(request, true);
  }

  async #mutate(request: AdmissionRequest, isAgain: boolean): Promise<typeof callAgain | undefined> {
    let result: typeof callAgain | undefined;
    for (const plugin of this.#plugins) {
      const waiting = plugin.mutate?.(request, isAgain);
      // Most have nothing to wait for.
      if (waiting && (await waiting) === callAgain) result = callAgain;
    }
    return result;
  }

  async validate(request: AdmissionRequest): Promise<void> {
    for (const plugin of this.#plugins) {
      const waiting = plugin.validate?.(request);
      if (waiting) await waiting;
    }
  }

  admitted(request: AdmissionRequest): void {
    if (!request.dryRun) for (const plugin of this.#plugins) plugin.admitted?.(request);
  }
}
