/** The webhooks of all configurations of a kind, in the order in which they are called, and which requests each is for. */

import type { KubeObject, ResourceType } from '../../../api/resource-types.ts';
import type { MutatingWebhook, MutatingWebhookConfiguration } from '../../../api/schema/types.ts';
import { labelSelectorOf, type Selector } from '../../../api/selector/label.ts';
import type { Lookup } from '../../cache/lookup.ts';

/** A webhook as it is asked for each request. `reinvocationPolicy` is of mutating ones alone. */
export interface Hook {
  /** Of the configuration, the webhook, and its place among those of the same name. */
  readonly id: string;
  readonly webhook: MutatingWebhook;
  readonly namespaceSelector: Selector;
  readonly objectSelector: Selector;
}

export type HookKind = ResourceType<KubeObject & Pick<MutatingWebhookConfiguration, 'webhooks'>>;

/** Follows the configurations of one kind. */
export class Hooks {
  readonly #byName = new Map<string, readonly Hook[]>();
  #all: readonly Hook[] | undefined = [];

  constructor(lookup: Lookup, kind: HookKind) {
    lookup.follow(kind, {
      put: ({ metadata, webhooks }) => this.#set(metadata.name, hooksOf(metadata.name, webhooks ?? [])),
      delete: ({ metadata }) => this.#set(metadata.name, undefined),
    });
  }

  /** By the names of their configurations. */
  get all(): readonly Hook[] {
    this.#all ??= [...this.#byName.keys()].sort().flatMap((name) => this.#byName.get(name) ?? []);
    return this.#all;
  }

  #set(name: string, hooks: readonly Hook[] | undefined): void {
    if (hooks) this.#byName.set(name, hooks);
    else this.#byName.delete(name);
    this.#all = undefined;
  }
}

function hooksOf(configuration: string, webhooks: readonly MutatingWebhook[]): Hook[] {
  return webhooks.map((webhook, i) => ({
    id: `${configuration}/${webhook.name}/${i}`,
    webhook,
    namespaceSelector: labelSelectorOf(webhook.namespaceSelector ?? {}),
    objectSelector: labelSelectorOf(webhook.objectSelector ?? {}),
  }));
}
