import type { KubeObject } from '../resource-types.ts';
import type { ValidatingWebhook } from '../schema/types.ts';

/** Of both kinds of configurations. */
export function webhookWarnings({ metadata, webhooks = [] }: KubeObject & { webhooks?: ValidatingWebhook[] | undefined }): string[] {
  const suffix = '.static.k8s.io';
  return [
    ...webhooks.flatMap(({ matchConditions = [] }, i) =>
      matchConditions.length > 0
        ? [`webhooks[${i}].matchConditions: this server does not evaluate them; the webhook is called as if all of them were true`]
        : [],
    ),
    ...(metadata.name?.endsWith(suffix)
      ? [
          `metadata.name: names ending with "${suffix}" are reserved for static manifest-based configurations and cannot be managed via the API`,
        ]
      : []),
  ];
}
