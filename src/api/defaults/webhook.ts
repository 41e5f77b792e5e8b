import type { ValidatingWebhook } from '../schema/types.ts';

/** Of both kinds. */
export function defaultWebhooks(webhooks: readonly ValidatingWebhook[] | undefined): void {
  for (const hook of webhooks ?? []) {
    hook.failurePolicy ??= 'Fail';
    hook.matchPolicy ??= 'Equivalent';
    hook.namespaceSelector ??= {};
    hook.objectSelector ??= {};
    hook.timeoutSeconds ??= 10;
    for (const rule of hook.rules ?? []) rule.scope ??= '*';
    if (hook.clientConfig?.service) hook.clientConfig.service.port ??= 443;
  }
}
