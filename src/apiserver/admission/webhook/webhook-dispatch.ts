/** What both plugins have in common: which webhooks a request is for, how one is asked, and what its failing means. */
import { randomUUID } from 'node:crypto';
import type { Registry } from '../../../api/registry/registry.ts';
import type { ResourceRow } from '../../../api/registry/resource-row.ts';
import { type KubeObject, namespaces } from '../../../api/resource-types.ts';
import type { AdmissionResponse, Status } from '../../../api/schema/types.ts';
import type { Selector } from '../../../api/selector/label.ts';
import { messageOf } from '../../../errors/known-error.ts';
import type { Log } from '../../../observability/log.ts';
import type { Lookup } from '../../cache/lookup.ts';
import { badRequest, internalError, notFound, StatusError } from '../../status/status-error.ts';
import type { WebhookCaller } from '../../webhook/webhook-caller.ts';
import type { AdmissionRequest } from '../admission.ts';
import { namespaceOf, responseOf, reviewOf, reviewVersionOf } from './admission-review.ts';
import { type Hook, type HookKind, Hooks, matchesRule } from './hooks.ts';
import { equivalentRows, VersionedRequest } from './versioned-request.ts';

export interface WebhookDeps {
  readonly lookup: Lookup;
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

/** Kinds that no webhook is asked about: a wrong one could else not be taken away. */
const exempt: ReadonlySet<string> = new Set([
  'ValidatingWebhookConfiguration',
  'MutatingWebhookConfiguration',
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionPolicyBinding',
  'MutatingAdmissionPolicy',
  'MutatingAdmissionPolicyBinding',
]);

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
  hooksFor({ row, ownWrite = false }: AdmissionRequest): readonly Hook[] {
    this.#hooks ??= new Hooks(this.#d.lookup, this.#kind);
    const { all } = this.#hooks;
    if (all.length === 0 || ownWrite) return [];
    return row.type.group === 'admissionregistration.k8s.io' && exempt.has(row.type.kind) ? [] : all;
  }

  /** Undefined for a request that the webhook is not for. Throws a StatusError. */
  async invocationOf(hook: Hook, request: AdmissionRequest): Promise<Invocation | undefined> {
    const row = this.#rowOf(hook, request);
    if (!row || !matchesObject(hook.objectSelector, request)) return undefined;
    return (await this.#matchesNamespace(hook.namespaceSelector, request)) ? { hook, row } : undefined;
  }

  /** The request's own row, or another one of the same objects that a rule names. */
  #rowOf({ webhook }: Hook, request: AdmissionRequest): ResourceRow | undefined {
    const { rules = [], matchPolicy = 'Equivalent' } = webhook;
    const matches = (row: ResourceRow): boolean => rules.some((rule) => matchesRule(rule, { ...request, type: row.type }));
    if (matches(request.row)) return request.row;
    if (matchPolicy !== 'Equivalent') return undefined;
    const rows = equivalentRows(this.#d.registry, request);
    // The order of the rules counts first.
    for (const rule of rules) {
      const found = rows.find((row) => matchesRule(rule, { ...request, type: row.type }));
      if (found) return found;
    }
    return undefined;
  }

  async #matchesNamespace(selector: Selector, request: AdmissionRequest): Promise<boolean> {
    const { row, operation, subresource, object } = request;
    const isNamespace = row.type.group === '' && row.type.resource === 'namespaces';
    const name = namespaceOf(request);
    if (selector.empty || (name === '' && !isNamespace)) return true;
    // What is written counts, not what was there.
    if (isNamespace && subresource === '' && (operation === 'CREATE' || operation === 'UPDATE')) return selector.matches(labelsOf(object));
    const found = await this.#d.lookup.find(namespaces, name);
    if (!found) throw notFound(namespaces, name);
    return selector.matches(labelsOf(found));
  }

  /** Undefined where it failed and may. `object` is what is written, as the webhook sees it. Throws a StatusError. */
  async ask({ hook, row }: Invocation, request: AdmissionRequest): Promise<Answer | undefined> {
    const { webhook } = hook;
    const effects = webhook.sideEffects;
    if (request.dryRun && effects !== 'None' && effects !== 'NoneOnDryRun')
      throw badRequest(`admission webhook ${JSON.stringify(webhook.name)} does not support dry run`);
    const versioned = new VersionedRequest(request, row);
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

/** Of what gets its name by `generateName` a mutating webhook sees none, as it has none yet upstream. */
export function shownObject({ request, object }: VersionedRequest): KubeObject | undefined {
  if (!object || !request.isUnnamed || object.metadata?.uid) return object;
  const { name: _name, ...metadata } = object.metadata ?? {};
  return { ...object, metadata: metadata as KubeObject['metadata'] };
}

function labelsOf(object: KubeObject | undefined): Readonly<Record<string, string>> {
  return object?.metadata?.labels ?? {};
}

/** Either of what is written and what was there. A Scale has no labels. */
function matchesObject(selector: Selector, { object, old, form }: AdmissionRequest): boolean {
  if (selector.empty) return true;
  return [object, old].some((one) => one?.metadata !== undefined && selector.matches(form ? {} : labelsOf(one)));
}

function denial(name: string, status: Status = {} as Status): StatusError {
  const { code = 0, reason = '', message, details } = status;
  const why = message || reason;
  const text = `admission webhook ${JSON.stringify(name)} denied the request${why ? `: ${why}` : ' without explanation'}`;
  return new StatusError(code < 400 || code > 599 ? 400 : code, reason, text, details);
}
