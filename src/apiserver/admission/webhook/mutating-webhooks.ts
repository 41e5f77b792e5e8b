/** MutatingAdmissionWebhook: webhooks are asked one after the other, and each sees what those before it have made of the object. */
import { isDeepStrictEqual } from 'node:util';
import { decodeManagers } from '../../../api/apply/managers.ts';
import { cloneJson } from '../../../api/codec/json-clone.ts';
import { LimitError, measureValue } from '../../../api/codec/limits.ts';
import { applyJsonPatch } from '../../../api/patch/json.ts';
import { dedupOwners } from '../../../api/registry/lifecycle.ts';
import { type KubeObject, mutatingWebhookConfigurations } from '../../../api/resource-types.ts';
import { messageOf } from '../../../errors/known-error.ts';
import { parseJson, readFields } from '../../http/decode-body.ts';
import { internalError } from '../../status/status-error.ts';
import { type AdmissionPlugin, type AdmissionRequest, callAgain } from '../admission.ts';
import { shownObject } from '../match/versioned-request.ts';
import type { Hook, HookKind } from './hooks.ts';
import { type Answer, type WebhookDeps, WebhookDispatch } from './webhook-dispatch.ts';

export function mutatingWebhooks(deps: WebhookDeps): AdmissionPlugin {
  const dispatch = new WebhookDispatch(deps, mutatingWebhookConfigurations as HookKind, true);
  const rounds = new WeakMap<AdmissionRequest, Round>();
  return {
    mutate: (request, isAgain) => {
      const hooks = dispatch.hooksFor(request);
      if (hooks.length === 0) return undefined;
      const round = rounds.get(request) ?? new Round();
      rounds.set(request, round);
      return mutateBy(dispatch, hooks, request, round, isAgain);
    },
  };
}

/** Which webhooks are asked a second time: those that want it, and were asked before something changed the object. */
class Round {
  #asked = new Set<string>();
  readonly #again = new Set<string>();
  /** As it was when the last webhook had been asked. */
  #seen: KubeObject | undefined;

  asked({ id, webhook }: Hook): void {
    if (webhook.reinvocationPolicy === 'IfNeeded') this.#asked.add(id);
  }

  changed(): void {
    for (const id of this.#asked) this.#again.add(id);
    this.#asked = new Set();
  }

  isAgain({ id }: Hook): boolean {
    return this.#again.has(id);
  }

  /** Other plugins may have changed it in between. */
  resume(object: KubeObject | undefined): void {
    if (!isDeepStrictEqual(this.#seen, object)) this.changed();
  }

  leave(object: KubeObject | undefined): void {
    this.#seen = cloneJson(object);
  }
}

async function mutateBy(
  dispatch: WebhookDispatch,
  hooks: readonly Hook[],
  request: AdmissionRequest,
  round: Round,
  isAgain: boolean,
): Promise<typeof callAgain | undefined> {
  if (isAgain) round.resume(request.object);
  let hasChanged = false;
  for (const hook of hooks) {
    const invocation = await dispatch.invocationOf(hook, request);
    // As upstream: what was not asked in the first round is not asked in the second.
    if (!invocation || (isAgain && !round.isAgain(hook))) continue;
    const answer = await dispatch.ask(invocation, request);
    if (answer && (await patched(hook.webhook.name, answer))) {
      hasChanged = true;
      round.changed();
    }
    round.asked(hook);
  }
  round.leave(request.object);
  return hasChanged ? callAgain : undefined;
}

/** Changes the object of the request as the webhook asks for; whether that changed anything. Throws a StatusError. */
async function patched(name: string, { response, versioned }: Answer): Promise<boolean> {
  if (!response.patch) return false;
  const failed = (why: string): Error => internalError(`admission webhook ${JSON.stringify(name)}: ${why}`);
  if (response.patchType !== 'JSONPatch')
    throw internalError(`failed calling webhook ${JSON.stringify(name)}: unsupported patch type ${JSON.stringify(response.patchType)}`);
  const patch = patchOf(name, response.patch);
  if (Array.isArray(patch) && patch.length === 0) return false;
  const before = shownObject(versioned);
  if (!before)
    throw internalError(
      `admission webhook ${JSON.stringify(name)} attempted to modify the object, which is not supported for this operation`,
    );
  let after: KubeObject;
  try {
    after = applyJsonPatch(before, patch);
    measureValue(after);
  } catch (err) {
    // What the patch makes of an object is held to the limits of a body.
    throw failed(err instanceof LimitError ? `what its patch makes ${err.message}` : messageOf(err));
  }
  const wrong = identityError(before, after) ?? readFields(after, versioned.body.schema, 'Ignore', () => []).refusal;
  if (wrong !== undefined) throw failed(wrong);
  if (isDeepStrictEqual(before, after)) return false;
  await take(versioned, after);
  return true;
}

function patchOf(name: string, text: string): unknown {
  try {
    return parseJson(Buffer.from(text, 'base64'));
  } catch (err) {
    throw internalError(
      `failed calling webhook ${JSON.stringify(name)}: received undecodable patch in webhook response: ${messageOf(err)}`,
    );
  }
}

/** Of what kind it is and which object is for the request to say, and not for who patches it. */
function identityError(before: KubeObject, after: KubeObject): string | undefined {
  if (typeof after !== 'object' || after === null || Array.isArray(after)) return 'the patch leaves no object';
  const fields = (object: KubeObject): Record<string, unknown> => {
    const { name, namespace, uid } = object.metadata ?? {};
    return {
      apiVersion: object.apiVersion,
      kind: object.kind,
      'metadata.name': name,
      'metadata.namespace': namespace,
      'metadata.uid': uid,
    };
  };
  const [is, was] = [fields(after), fields(before)];
  const field = Object.keys(is).find((key) => is[key] !== was[key]);
  return field === undefined ? undefined : `its patch changes ${field}, which a webhook may not`;
}

/** Puts what the patch made in place of the object of the request. */
async function take(versioned: Answer['versioned'], after: KubeObject): Promise<void> {
  const { request, row, body } = versioned;
  const { object, form, warnings } = request;
  if (!object) return;
  if (form) {
    form.take(object, after);
    return;
  }
  const isObject = body.kind === row.type.kind;
  if (isObject) row.applyDefaults(after);
  const next = await versioned.back(after);
  if (request.isUnnamed) next.metadata.name = object.metadata.name;
  if (isObject) {
    warnings.push(...dedupOwners(next.metadata));
    // As upstream: of what no longer can be read the managers stay as they were.
    if (!decodeManagers(next.metadata.managedFields)) restore(next.metadata, object.metadata, 'managedFields');
    restore(next.metadata, object.metadata, 'resourceVersion');
  }
  replace(object, next);
}

function restore(to: KubeObject['metadata'], from: KubeObject['metadata'], key: 'managedFields' | 'resourceVersion'): void {
  if (from[key] === undefined) delete to[key];
  else Object.assign(to, { [key]: from[key] });
}

/** All others hold the same object. */
function replace(object: KubeObject, next: KubeObject): void {
  const to = object as unknown as Record<string, unknown>;
  for (const key of Object.keys(to)) delete to[key];
  for (const [key, value] of Object.entries(next)) {
    // Assigned, the name `__proto__` would change the prototype.
    Object.defineProperty(to, key, { value, enumerable: true, configurable: true, writable: true });
  }
}
