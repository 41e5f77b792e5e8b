/** APIServices (apiregistration.k8s.io/v1): a version of a group that a Service of the cluster serves. */
import { timestamp } from '../../clock/timestamp.ts';
import type { KubeObject, ResourceType } from '../resource-types.ts';
import type { OwnSchema } from '../schema/schema.ts';
import type { FieldRow, TypeRow } from '../schema/tables.ts';
import type { Condition } from '../schema/types.ts';
import { eachOf, type FieldError, failing, invalid, invalids, oneOf, required } from '../validation/field-error.ts';
import { isDns1035Label, isDns1123Subdomain, isPort } from '../validation/names.ts';

export interface ApiServiceSpec {
  /** Absent: this server serves it itself. */
  service?: { namespace?: string; name?: string; port?: number };
  group?: string;
  version?: string;
  insecureSkipTLSVerify?: boolean;
  /** PEM in base64. */
  caBundle?: string;
  groupPriorityMinimum?: number;
  versionPriority?: number;
}

export type ApiServiceCondition = Pick<Condition, 'type' | 'status'> & Partial<Condition>;

export interface ApiService extends KubeObject {
  spec?: ApiServiceSpec;
  status?: { conditions?: ApiServiceCondition[] };
}

export const apiServices: ResourceType<ApiService> = {
  group: 'apiregistration.k8s.io',
  version: 'v1',
  resource: 'apiservices',
  kind: 'APIService',
  namespaced: false,
};

const prefix = 'io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.';

/** `name:type:flags` of each field, numbered as in upstream's messages. */
function type(fields: readonly FieldRow[], kind = false): TypeRow {
  return kind ? { kind, fields } : { fields };
}

export const apiServiceSchema: OwnSchema = {
  type: `${prefix}APIService`,
  types: {
    [`${prefix}APIService`]: type(
      [
        ['metadata', 1, 'meta.v1.ObjectMeta', ''],
        ['spec', 2, `${prefix}APIServiceSpec`, ''],
        ['status', 3, `${prefix}APIServiceStatus`, ''],
      ],
      true,
    ),
    [`${prefix}APIServiceSpec`]: type([
      ['service', 1, `${prefix}ServiceReference`, ''],
      ['group', 2, 'string', ''],
      ['version', 3, 'string', ''],
      ['insecureSkipTLSVerify', 4, 'bool', ''],
      ['caBundle', 5, 'bytes', ''],
      ['groupPriorityMinimum', 7, 'int32', 'rz'],
      ['versionPriority', 8, 'int32', 'rz'],
    ]),
    [`${prefix}ServiceReference`]: type([
      ['namespace', 1, 'string', ''],
      ['name', 2, 'string', ''],
      ['port', 3, 'int32', 'z'],
    ]),
    [`${prefix}APIServiceStatus`]: type([['conditions', 1, `[]${prefix}APIServiceCondition`, '', { listType: 'map', listKeys: ['type'] }]]),
    [`${prefix}APIServiceCondition`]: type([
      ['type', 1, 'string', 'rz'],
      ['status', 2, 'string', 'rz'],
      ['lastTransitionTime', 3, 'time', ''],
      ['reason', 4, 'string', ''],
      ['message', 5, 'string', ''],
    ]),
  },
};

export function nameErrors({ metadata, spec }: ApiService): FieldError[] {
  const wanted = `${spec?.version ?? ''}.${spec?.group ?? ''}`;
  if (metadata.name === wanted) return [];
  return [invalid('metadata.name', metadata.name, `must be \`spec.version+"."+spec.group\`: ${JSON.stringify(wanted)}`)];
}

export function apiServiceErrors(object: ApiService): FieldError[] {
  const { group = '', version = '', groupPriorityMinimum = 0, versionPriority = 0 } = object.spec ?? {};
  return [
    ...nameErrors(object),
    ...failing([
      [group === '' && version !== 'v1', () => required('spec.group', 'only v1 may have an empty group and it better be legacy kube')],
    ]),
    ...(group === '' ? [] : invalids('spec.group', group, isDns1123Subdomain(group))),
    ...invalids('spec.version', version, isDns1035Label(version)),
    ...failing([
      [
        groupPriorityMinimum <= 0 || groupPriorityMinimum > 20_000,
        () => invalid('spec.groupPriorityMinimum', groupPriorityMinimum, 'must be positive and less than 20000'),
      ],
      [
        versionPriority <= 0 || versionPriority > 1000,
        () => invalid('spec.versionPriority', versionPriority, 'must be positive and less than 1000'),
      ],
    ]),
    ...serviceErrors(object.spec ?? {}),
  ];
}

function serviceErrors({ service, caBundle = '', insecureSkipTLSVerify = false }: ApiServiceSpec): FieldError[] {
  const bytes = Buffer.byteLength(caBundle, 'base64');
  if (!service)
    return failing([
      [bytes > 0, () => invalid('spec.caBundle', `${bytes} bytes`, 'local APIServices may not have a caBundle')],
      [insecureSkipTLSVerify, () => invalid('spec.insecureSkipTLSVerify', true, 'local APIServices may not have insecureSkipTLSVerify')],
    ]);
  const port = isPort(service.port ?? 0);
  return failing([
    [!service.namespace, () => required('spec.service.namespace', '')],
    [!service.name, () => required('spec.service.name', '')],
    [port.length > 0, () => invalid('spec.service.port', service.port, `port is not valid: ${port.join(', ')}`)],
    [insecureSkipTLSVerify && bytes > 0, () => invalid('spec.insecureSkipTLSVerify', true, 'may not be true if caBundle is present')],
  ]);
}

export function statusErrors({ status }: ApiService): FieldError[] {
  return eachOf(status?.conditions, 'status.conditions', ({ status: is }, at) => oneOf(is, `${at}.status`, ['True', 'False', 'Unknown']));
}

/** Undefined: the status says it already. */
export function withAvailability(
  { status }: ApiService,
  said: Omit<Condition, 'type' | 'lastTransitionTime'>,
  now: number,
): ApiService['status'] {
  const others = (status?.conditions ?? []).filter((one) => one.type !== 'Available');
  const before = availabilityOf(status);
  if (before?.status === said.status && before.reason === said.reason && before.message === said.message) return undefined;
  const since = before?.status === said.status ? before.lastTransitionTime : undefined;
  return { ...status, conditions: [...others, { type: 'Available', ...said, lastTransitionTime: since ?? timestamp(now) }] };
}

export function availabilityOf(status: ApiService['status']): ApiServiceCondition | undefined {
  return status?.conditions?.find((one) => one.type === 'Available');
}

/** Of one without a Service. */
export const localAvailability: Omit<Condition, 'type' | 'lastTransitionTime'> = {
  ...{ status: 'True', reason: 'Local', message: 'Local APIServices are always available' },
};
