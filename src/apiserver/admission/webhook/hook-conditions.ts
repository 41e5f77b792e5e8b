/** The `matchConditions` of webhooks. Loaded when the first webhook with some is met. */
import { AdmissionCompiler, type Compiled } from '../../../api/cel/admission/admission-compiler.ts';
import { AdmissionValues } from '../../../api/cel/admission/admission-values.ts';
import { matchAll } from '../../../api/cel/admission/match-conditions.ts';
import type { MutatingWebhook } from '../../../api/schema/types.ts';
import type { Log } from '../../../observability/log.ts';
import type { Authorizer } from '../../auth/authorizer.ts';
import { forbidden } from '../../status/status-error.ts';
import { admissionInput } from '../match/admission-input.ts';
import { nameOf } from '../match/request-fields.ts';
import type { VersionedRequest } from '../match/versioned-request.ts';

interface Conditions {
  readonly compiler: AdmissionCompiler;
  readonly compiled: readonly Compiled[];
}

const known = new WeakMap<MutatingWebhook, Conditions>();

function conditionsOf(webhook: MutatingWebhook): Conditions {
  const found = known.get(webhook);
  if (found) return found;
  const compiler = new AdmissionCompiler();
  const compiled = (webhook.matchConditions ?? []).map(({ expression }) => compiler.compile(expression, { authorizer: true }, ['bool']));
  const conditions = { compiler, compiled };
  known.set(webhook, conditions);
  return conditions;
}

/** Whether the webhook is to be asked. Throws a StatusError where that cannot be said and `failurePolicy` does not let it pass. */
export function meetsConditions(
  webhook: MutatingWebhook,
  versioned: VersionedRequest,
  { authorizer, log }: { readonly authorizer: Authorizer; readonly log: Log },
): boolean {
  const { compiler, compiled } = conditionsOf(webhook);
  const input = admissionInput(versioned, authorizer);
  const values = new AdmissionValues({ ...input, request: input.originalRequest ?? input.request }, compiler);
  const match = matchAll(compiled, values, webhook.failurePolicy);
  if (typeof match === 'boolean') return match;
  log.warn('cannot say whether a webhook is to be asked', { webhook: webhook.name, error: match.error });
  throw forbidden(versioned.request.row.type, nameOf(versioned) || undefined, match.error);
}
