/** admissionregistration.k8s.io/v1. */
import { admissionPolicyBindingColumns, admissionPolicyColumns, webhookConfigurationColumns } from '../../columns/policy-columns.ts';
import { defaultAdmissionPolicy, defaultMatchResources } from '../../defaults/admission-policy.ts';
import { defaultWebhooks } from '../../defaults/webhook.ts';
import {
  mutatingWebhookConfigurations,
  validatingAdmissionPolicies,
  validatingAdmissionPolicyBindings,
  validatingWebhookConfigurations,
} from '../../resource-types.ts';
import type {
  MutatingWebhookConfiguration,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingWebhookConfiguration,
} from '../../schema/types.ts';
import {
  admissionPolicyBindingErrors,
  admissionPolicyErrors,
  admissionPolicyStatusErrors,
  admissionPolicyUpdateErrors,
} from '../../validation/admission-policy.ts';
import { type WebhookConfiguration, webhookConfigurationErrors, webhookConfigurationUpdateErrors } from '../../validation/webhook.ts';
import { staticNameWarnings } from '../../warnings/static-name.ts';
import { defineRow, type RowSpec } from '../define-row.ts';
import type { ResourceRow } from '../resource-row.ts';

const webhookConfiguration = {
  categories: ['api-extensions'],
  updatesUnconditionally: false,
  columns: webhookConfigurationColumns,
  generationOf: ({ webhooks }: WebhookConfiguration) => webhooks,
  warnings: staticNameWarnings,
  validate: webhookConfigurationErrors,
  validateUpdate: webhookConfigurationUpdateErrors,
} satisfies Partial<RowSpec<MutatingWebhookConfiguration & ValidatingWebhookConfiguration>>;

export const admissionRows: readonly ResourceRow[] = [
  defineRow<ValidatingAdmissionPolicy>({
    type: validatingAdmissionPolicies,
    categories: ['api-extensions'],
    updatesUnconditionally: false,
    columns: admissionPolicyColumns,
    hasStatus: true,
    warnings: staticNameWarnings,
    applyDefaults: defaultAdmissionPolicy,
    validate: admissionPolicyErrors,
    validateUpdate: admissionPolicyUpdateErrors,
    validateStatus: admissionPolicyStatusErrors,
  }),
  defineRow<ValidatingAdmissionPolicyBinding>({
    type: validatingAdmissionPolicyBindings,
    categories: ['api-extensions'],
    updatesUnconditionally: false,
    columns: admissionPolicyBindingColumns,
    generationOf: ({ spec }) => spec,
    warnings: staticNameWarnings,
    applyDefaults: ({ spec }) => defaultMatchResources(spec?.matchResources),
    validate: admissionPolicyBindingErrors,
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
