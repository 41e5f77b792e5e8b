/** admissionregistration.k8s.io/v1. */
import { admissionPolicyColumns, webhookConfigurationColumns } from '../../columns/policy-columns.ts';
import { defaultWebhooks } from '../../defaults/webhook.ts';
import { mutatingWebhookConfigurations, validatingAdmissionPolicies, validatingWebhookConfigurations } from '../../resource-types.ts';
import type { MutatingWebhookConfiguration, ValidatingWebhookConfiguration } from '../../schema/types.ts';
import { type WebhookConfiguration, webhookConfigurationErrors, webhookConfigurationUpdateErrors } from '../../validation/webhook.ts';
import { webhookWarnings } from '../../warnings/webhook.ts';
import { defineRow, type RowSpec } from '../define-row.ts';
import type { ResourceRow } from '../resource-row.ts';

const webhookConfiguration = {
  categories: ['api-extensions'],
  updatesUnconditionally: false,
  columns: webhookConfigurationColumns,
  generationOf: ({ webhooks }: WebhookConfiguration) => webhooks,
  warnings: webhookWarnings,
  validate: webhookConfigurationErrors,
  validateUpdate: webhookConfigurationUpdateErrors,
} satisfies Partial<RowSpec<MutatingWebhookConfiguration & ValidatingWebhookConfiguration>>;

export const admissionRows: readonly ResourceRow[] = [
  // kube-controller-manager fails without a list of them. It stays empty: nothing here enforces a policy, so none can be made.
  defineRow({
    type: validatingAdmissionPolicies,
    verbs: ['get', 'list', 'watch'],
    columns: admissionPolicyColumns,
    generationOf: undefined,
  }),
  defineRow<MutatingWebhookConfiguration>({
    ...webhookConfiguration,
    type: mutatingWebhookConfigurations,
    applyDefaults: ({ webhooks }) => {
      defaultWebhooks(webhooks);
      for (const hook of webhooks ?? []) hook.reinvocationPolicy ??= 'Never';
    },
  }),
  defineRow<ValidatingWebhookConfiguration>({
    ...webhookConfiguration,
    type: validatingWebhookConfigurations,
    applyDefaults: ({ webhooks }) => defaultWebhooks(webhooks),
  }),
];
