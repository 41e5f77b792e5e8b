/** ValidatingAdmissionWebhook: all webhooks that the request is for are asked side by side, and each may refuse it. */
import { validatingWebhookConfigurations } from '../../../api/resource-types.ts';
import type { AdmissionPlugin, AdmissionRequest } from '../admission.ts';
import type { Hook, HookKind } from './hooks.ts';
import { type Invocation, type WebhookDeps, WebhookDispatch } from './webhook-dispatch.ts';

export function validatingWebhooks(deps: WebhookDeps): AdmissionPlugin {
  const dispatch = new WebhookDispatch(deps, validatingWebhookConfigurations as HookKind, false);
  return {
    validate: (request) => {
      const hooks = dispatch.hooksFor(request);
      return hooks.length === 0 ? undefined : askAll(dispatch, hooks, request);
    },
  };
}

async function askAll(dispatch: WebhookDispatch, hooks: readonly Hook[], request: AdmissionRequest): Promise<void> {
  const invocations: Invocation[] = [];
  for (const hook of hooks) {
    const invocation = await dispatch.invocationOf(hook, request);
    if (invocation) invocations.push(invocation);
  }
  const results = await Promise.allSettled(invocations.map((invocation) => dispatch.ask(invocation, request)));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}
