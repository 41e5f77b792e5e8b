/** What both plugins have in common: which webhooks a request is for, how one is asked, and what its failing means. */
import { randomUUID } from 'node:crypto';
import type { Registry } from '../../../api/registry/registry.ts';
import type { ResourceRow } from '../../../api/registry/resource-row.ts';
import type { AdmissionResponse, Status } from '../../../api/schema/types.ts';
import { messageOf } from '../../../errors/known-error.ts';
import type { Log } from '../../../observability/log.ts';
import type { Authorizer } from '../../auth/authorizer.ts';
import type { Lookup } from '../../cache/lookup.ts';
import { badRequest, internalError, StatusError } from '../../status/status-error.ts';
import type { WebhookCaller } from '../../webhook/webhook-caller.ts';
import type { AdmissionRequest } from '../admission.ts';
import { isExempt, matchesNamespace, matchesObject, matchingRow } from '../match/request-match.ts';
import { shownObject, VersionedRequest } from '../match/versioned-request.ts';
import { responseOf, reviewOf, reviewVersionOf } from './admission-review.ts';
import { type Hook, type HookKind, Hooks } from './hooks.ts';

export interface WebhookDeps {
  readonly lookup: Lookup;
  readonly authorizer: Authorizer;
  readonly registry: Registry;
  readonly webhooks: WebhookCaller;
  readonly log: Log;
}

/** A webhook that is to be asked, and the version in which it is. */
export interface Invocation {
  readonly hook: Hook;
  readonly row: ResourceRow;
}

/** The webhook was not asked, or what it said is no answer: `failurePolicy` says what that means. */
class CallError extends Error {}

export class WebhookDispatch {
  readonly #d: WebhookDeps;
  readonly #kind: HookKind;
  readonly #mutates: boolean;
  #hooks: Hooks | undefined;

  constructor(deps: WebhookDeps, kind: HookKind, mutates: boolean) {
    this.#d = deps;
    this.#kind = kind;
    this.#mutates = mutates;
  }

  /** Those that might be asked about the request; nothing else is done where there are none. */
  hooksFor(request: AdmissionRequest): readonly Hook[] {
    this.#hooks ??= new Hooks(this.#d.lookup, this.#kind);
    const { all } = this.#hooks;
    return all.length === 0 || isExempt(request, { webhooks: true }) ? [] : all;
  }

  /** Undefined for a request that the webhook is not for. Throws a StatusError. */
  async invocationOf(hook: Hook, request: AdmissionRequest): Promise<Invocation | undefined> {
    const { rules = [], matchPolicy = 'Equivalent', matchConditions = [] } = hook.webhook;
    const row = matchingRow(this.#d.registry, rules, matchPolicy, request);
    if (!row || !matchesObject(hook.objectSelector, request)) return undefined;
    if (!(await matchesNamespace(hook.namespaceSelector, request, this.#d.lookup))) return undefined;
    if (matchConditions.length === 0) return { hook, row };
    // Most configurations have none, and what evaluates them is large.
    const { meetsConditions } = await import('./hook-conditions.ts');
    return meetsConditions(hook.webhook, await VersionedRequest.of(request, row), this.#d) ? { hook, row } : undefined;
  }

  /** Undefined where it failed and may. `object` is what is written, as the webhook sees it. Throws a StatusError. */
  async ask({ hook, row }: Invocation, request: AdmissionRequest): Promise<Answer | undefined> {
    const { webhook } = hook;
    const effects = webhook.sideEffects;
    if (request.dryRun && effects !== 'None' && effects !== 'NoneOnDryRun')
      throw badRequest(`admission webhook ${JSON.stringify(webhook.name)} does not support dry run`);
    const versioned = await VersionedRequest.of(request, row);
    try {
      const response = await this.#call(hook, versioned);
      request.warnings.push(...(response.warnings ?? []));
      if (!response.allowed) throw denial(webhook.name, response.status);
      return { response, versioned };
    } catch (err) {
      if (!(err instanceof CallError)) throw err;
      const message = `failed calling webhook ${JSON.stringify(webhook.name)}: ${err.message}`;
      if (webhook.failurePolicy !== 'Ignore') throw internalError(message);
      this.#d.log.warn('goes on without a webhook that may fail', { webhook: webhook.name, error: message });
      return undefined;
    }
  }

  async #call({ webhook }: Hook, versioned: VersionedRequest): Promise<AdmissionResponse> {
    const version = reviewVersionOf(webhook);
    if (version === undefined)
      throw new CallError('could not create admission objects: webhook does not accept known AdmissionReview versions (v1, v1beta1)');
    const question = { uid: randomUUID(), version };
    const review = reviewOf(question, versioned, shownObject(versioned));
    const said = await this.#d.webhooks.call(webhook.clientConfig, review, (webhook.timeoutSeconds ?? 10) * 1000).catch((err: unknown) => {
      throw new CallError(`failed to call webhook: ${messageOf(err)}`);
    });
    try {
      return responseOf(said, question, this.#mutates);
    } catch (err) {
      throw new CallError(`received invalid webhook response: ${messageOf(err)}`);
    }
  }
}

export interface Answer {
  readonly response: AdmissionResponse;
  readonly versioned: VersionedRequest;
}

function denial(name: string, status: Status = {} as Status): StatusError {
  const { code = 0, reason = '', message, details } = status;
  const why = message || reason;
  const text = `admission webhook ${JSON.stringify(name)} denied the request${why ? `: ${why}` : ' without explanation'}`;
  return new StatusError(code < 400 || code > 599 ? 400 : code, reason, text, details);
}
