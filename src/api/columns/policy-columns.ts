/** Tables of admission, rbac, policy, scheduling and node. */
import type { Columns } from '../registry/resource-row.ts';
import type {
  ClusterRoleBinding,
  MutatingWebhookConfiguration,
  ParamRef,
  PodDisruptionBudget,
  PriorityClass,
  RoleBinding,
  RuntimeClass,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingWebhookConfiguration,
} from '../schema/types.ts';
import { formatLabelSelector } from '../selector/label.ts';
import { age, column, columnsOf, wide } from './columns.ts';

export const admissionPolicyColumns: Columns<ValidatingAdmissionPolicy> = columnsOf<ValidatingAdmissionPolicy>([
  column('Validations', ({ spec }) => spec?.validations?.length ?? 0, { type: 'integer' }),
  column('ParamKind', ({ spec }) => (spec?.paramKind ? `${spec.paramKind.apiVersion}/${spec.paramKind.kind}` : '<unset>')),
  age(),
]);

export const admissionPolicyBindingColumns: Columns<ValidatingAdmissionPolicyBinding> = columnsOf<ValidatingAdmissionPolicyBinding>([
  column('PolicyName', ({ spec }) => spec.policyName, {
    description: 'PolicyName indicates the policy definition which the policy binding binded to',
  }),
  column('ParamRef', ({ spec }) => paramText(spec.paramRef), {
    description: 'ParamRef indicates the param resource which sets the configuration param',
  }),
  age(),
]);

function paramText(ref: ParamRef | undefined): string {
  if (!ref || (!ref.name && !ref.selector)) return '<unset>';
  // As upstream: whether it has a namespace cannot be told from here.
  return ref.name ? `${ref.namespace || '*'}/${ref.name}` : formatLabelSelector(ref.selector);
}

export const webhookConfigurationColumns: Columns<MutatingWebhookConfiguration | ValidatingWebhookConfiguration> = columnsOf<
  MutatingWebhookConfiguration | ValidatingWebhookConfiguration
>([
  column('Webhooks', ({ webhooks }) => webhooks?.length ?? 0, {
    type: 'integer',
    description: 'Webhooks indicates the number of webhooks registered in this configuration',
  }),
  age(),
]);

export const bindingColumns: Columns<RoleBinding | ClusterRoleBinding> = columnsOf<RoleBinding | ClusterRoleBinding>([
  column('Role', ({ roleRef }) => `${roleRef.kind}/${roleRef.name}`),
  age(),
  wide('Users', (binding) => subjectsText(binding, 'User')),
  wide('Groups', (binding) => subjectsText(binding, 'Group')),
  wide('ServiceAccounts', (binding) => subjectsText(binding, 'ServiceAccount')),
]);

export const disruptionBudgetColumns: Columns<PodDisruptionBudget> = columnsOf<PodDisruptionBudget>([
  column('Min Available', ({ spec }) => String(spec?.minAvailable ?? 'N/A')),
  column('Max Unavailable', ({ spec }) => String(spec?.maxUnavailable ?? 'N/A')),
  column('Allowed Disruptions', ({ status }) => status?.disruptionsAllowed ?? 0, { type: 'integer' }),
  age(),
]);

export const priorityClassColumns: Columns<PriorityClass> = columnsOf<PriorityClass>([
  column('Value', (one) => one.value ?? 0, { type: 'integer' }),
  column('Global-Default', (one) => one.globalDefault ?? false, { type: 'boolean' }),
  age(),
  column('PreemptionPolicy', (one) => one.preemptionPolicy ?? ''),
]);

export const runtimeClassColumns: Columns<RuntimeClass> = columnsOf<RuntimeClass>([column('Handler', (one) => one.handler), age()]);

/** Names of the subjects of one kind; those of ServiceAccounts carry their namespace. */
function subjectsText({ subjects }: RoleBinding | ClusterRoleBinding, kind: string): string {
  return (subjects ?? [])
    .filter((one) => one.kind === kind)
    .map((one) => (kind === 'ServiceAccount' ? `${one.namespace ?? ''}/${one.name}` : one.name))
    .join(', ');
}
