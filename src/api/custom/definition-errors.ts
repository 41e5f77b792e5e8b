/** What a CustomResourceDefinition may say, with upstream's messages (apiextensions/validation/validation.go). */

import { isDeepStrictEqual } from 'node:util';
import type { JsonSchema } from '../schema/schema.ts';
import {
  duplicate,
  eachOf,
  type FieldError,
  forbidden,
  invalid,
  oneOf,
  optionalOneOf,
  required,
  tooMany,
} from '../validation/field-error.ts';
import { isDns1035Label, isDns1123Subdomain } from '../validation/names.ts';
import { immutable } from '../validation/object-meta.ts';
import { webhookClientErrors } from '../validation/webhook-client.ts';
import {
  type CustomConversion,
  type CustomNames,
  type CustomResourceDefinition,
  type CustomVersion,
  hasCondition,
  type PrinterColumn,
} from './definition.ts';
import { parseJsonPath } from './json-path.ts';
import { schemaErrors } from './schema-errors.ts';
import { propertyOf } from './structural.ts';

const columnTypes = ['boolean', 'date', 'integer', 'number', 'string'];
const columnFormats = ['byte', 'date', 'date-time', 'double', 'float', 'int32', 'int64', 'password'];
const mostSelectableFields = 8;
const approval = 'api-approved.kubernetes.io';

export function definitionErrors(definition: CustomResourceDefinition): FieldError[] {
  const { spec = {}, status = {} } = definition;
  const { names = {}, versions = [], group = '' } = spec;
  const expected = `${names.plural ?? ''}.${group}`;
  return [
    ...(definition.metadata.name === expected
      ? []
      : [invalid('metadata.name', definition.metadata.name, 'must be spec.names.plural+"."+spec.group')]),
    ...groupErrors(group),
    ...oneOf(spec.scope, 'spec.scope', ['Cluster', 'Namespaced']),
    ...versionsErrors(versions),
    ...(['plural', 'singular', 'kind', 'listKind'] as const).flatMap((name) => (names[name] ? [] : [required(`spec.names.${name}`)])),
    ...nameErrors(names, 'spec.names'),
    ...(spec.preserveUnknownFields && spec.conversion?.strategy && spec.conversion.strategy !== 'None'
      ? [invalid('spec.conversion.strategy', spec.conversion.strategy, 'must be None if spec.preserveUnknownFields is true')]
      : []),
    ...conversionErrors(spec.conversion),
    ...nameErrors(status.acceptedNames ?? {}, 'status.acceptedNames'),
    ...storedErrors(status.storedVersions ?? [], versions),
    ...approvalErrors(definition),
    ...(spec.preserveUnknownFields
      ? [
          invalid(
            'spec.preserveUnknownFields',
            true,
            'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead',
          ),
        ]
      : []),
  ];
}

export function definitionUpdateErrors(next: CustomResourceDefinition, old: CustomResourceDefinition): FieldError[] {
  const fixed = (path: string, value: unknown, before: unknown): FieldError[] => immutable(value, before, path);
  const [now, was] = [next.spec ?? {}, old.spec ?? {}];
  const established = hasCondition(old, 'Established');
  return [
    ...definitionErrors(next),
    ...(established ? [...fixed('spec.scope', now.scope, was.scope), ...fixed('spec.names.kind', now.names?.kind, was.names?.kind)] : []),
    ...fixed('spec.group', now.group, was.group),
    ...fixed('spec.names.plural', now.names?.plural, was.names?.plural),
  ];
}

function groupErrors(group: string): FieldError[] {
  if (group === '') return [required('spec.group')];
  const wrong = isDns1123Subdomain(group);
  if (wrong.length > 0) return [invalid('spec.group', group, wrong.join(','))];
  return group.includes('.') ? [] : [invalid('spec.group', group, 'should be a domain with at least one dot')];
}

/** Groups of Kubernetes itself are for those who went through its review. */
function approvalErrors({ metadata, spec }: CustomResourceDefinition): FieldError[] {
  const group = spec?.group ?? '';
  if (!/(^|\.)(k8s|kubernetes)\.io$/.test(group)) return [];
  const path = `metadata.annotations[${approval}]`;
  const given = metadata.annotations?.[approval] ?? '';
  if (given === '')
    return [
      required(
        path,
        'protected groups must have approval annotation "api-approved.kubernetes.io", see https://github.com/kubernetes/enhancements/pull/1111',
      ),
    ];
  if (given.startsWith('unapproved') || /^https?:\/\/[^/\s]+/.test(given)) return [];
  return [
    invalid(
      path,
      given,
      'protected groups must have approval annotation "api-approved.kubernetes.io" with either a URL or a reason starting with "unapproved", see https://github.com/kubernetes/enhancements/pull/1111',
    ),
  ];
}

function versionsErrors(versions: readonly CustomVersion[]): FieldError[] {
  const missing = versions.flatMap((version, i) =>
    version.schema?.openAPIV3Schema ? [] : [required(`spec.versions[${i}].schema.openAPIV3Schema`)],
  );
  const names = versions.map(({ name }) => name);
  const stored = versions.filter(({ storage }) => storage);
  const places = placesOf(versions);
  return [
    ...missing,
    ...eachOf(versions, 'spec.versions', (version, path, i) => versionErrors(version, path, i, places)),
    ...labelErrors('spec.version', names[0]),
    ...(new Set(names).size === names.length ? [] : [invalid('spec.versions', versions, 'must contain unique version names')]),
    ...(stored.length === 1
      ? []
      : [invalid('spec.versions', versions.length > 0 ? versions : null, 'must have exactly one version marked as storage version')]),
  ];
}

/** Where a member of a version is told of. */
interface Places {
  readonly sharesStatus: boolean;
  /** Undefined where another version has told it. */
  pathOf(member: keyof CustomVersion, path: string, index: number): string | undefined;
}

/** What all versions say alike upstream has once, and tells of there. */
function placesOf(versions: readonly CustomVersion[]): Places {
  const shared = new Map(
    Object.entries(sharedPlaces).filter(([member]) => {
      const of = (version: CustomVersion | undefined): unknown => version?.[member as keyof CustomVersion];
      return versions.every((version) => isDeepStrictEqual(of(version), of(versions[0])));
    }),
  );
  return {
    sharesStatus: shared.has('schema') && versions.some(({ subresources }) => subresources?.status),
    pathOf: (member, path, index) => {
      if (!shared.has(member)) return `${path}.${member}`;
      return index === 0 ? shared.get(member) : undefined;
    },
  };
}

const sharedPlaces: Partial<Readonly<Record<keyof CustomVersion, string>>> = {
  schema: 'spec.validation',
  subresources: 'spec.subresources',
  additionalPrinterColumns: 'spec.additionalPrinterColumns',
  selectableFields: 'spec.selectableFields',
};

function versionErrors(version: CustomVersion, path: string, index: number, { pathOf, sharesStatus }: Places): FieldError[] {
  const { deprecated, deprecationWarning: warning, schema, subresources, additionalPrinterColumns } = version;
  const root = schema?.openAPIV3Schema;
  const hasStatus = sharesStatus || subresources?.status !== undefined;
  const of = (member: keyof CustomVersion, errorsAt: (at: string) => FieldError[]): FieldError[] => {
    const at = pathOf(member, path, index);
    return at === undefined ? [] : errorsAt(at);
  };
  return [
    ...labelErrors(`${path}.name`, version.name ?? ''),
    ...warningErrors(deprecated === true, warning).map((why) => invalid(`${path}.deprecationWarning`, warning, why)),
    ...of('schema', (at) => (root ? schemaErrors(root, `${at}.openAPIV3Schema`, hasStatus) : [])),
    ...of('subresources', (at) => scaleErrors(subresources, at)),
    ...of('additionalPrinterColumns', (at) => eachOf(additionalPrinterColumns, at, columnErrors)),
    ...of('selectableFields', (at) => selectableErrors(version, at)),
  ];
}

/** Of a name that is there: an empty one is wrong, too. */
function labelErrors(path: string, value: string | undefined): FieldError[] {
  const wrong = value === undefined ? [] : isDns1035Label(value);
  return wrong.length > 0 ? [invalid(path, value, wrong.join(','))] : [];
}

function warningErrors(deprecated: boolean, warning: string | undefined): string[] {
  if (warning === undefined) return [];
  if (!deprecated) return ['can only be set for deprecated versions'];
  const errors = [];
  if (warning.length > 256) errors.push('must be <= 256 characters long');
  if (warning.length === 0) errors.push('must not be an empty string');
  const odd = [...warning].findIndex((char) => /[\p{C}]/u.test(char) || (char !== ' ' && /\s/.test(char)));
  if (odd >= 0) errors.push(`must only contain printable UTF-8 characters; non-printable character found at index ${odd}`);
  return errors;
}

function scaleErrors(subresources: CustomVersion['subresources'], path: string): FieldError[] {
  const scale = subresources?.scale;
  if (!scale) return [];
  const under = (name: 'specReplicasPath' | 'statusReplicasPath', prefix: string): FieldError[] => {
    const value = scale[name] ?? '';
    const at = `${path}.scale.${name}`;
    if (value === '') return [required(at)];
    if (!value.startsWith('.')) return [invalid(at, value, 'must be a simple json path starting with .')];
    return value.startsWith(`.${prefix}.`) ? [] : [invalid(at, value, `should be a json path under .${prefix}`)];
  };
  const selector = scale.labelSelectorPath ?? '';
  const at = `${path}.scale.labelSelectorPath`;
  const ofSelector = (): FieldError[] => {
    if (selector === '' || selector.startsWith('.spec.') || selector.startsWith('.status.')) return [];
    const why = selector.startsWith('.')
      ? 'should be a json path under either .spec or .status'
      : 'must be a simple json path starting with .';
    return [invalid(at, selector, why)];
  };
  return [...under('specReplicasPath', 'spec'), ...under('statusReplicasPath', 'status'), ...ofSelector()];
}

function columnErrors({ name = '', type = '', format = '', jsonPath = '' }: PrinterColumn, path: string): FieldError[] {
  const types = `must be one of ${columnTypes.join(',')}`;
  const ofType = type === '' ? [required(`${path}.type`, types)] : columnTypes.includes(type) ? [] : [invalid(`${path}.type`, type, types)];
  const ofPath = (): FieldError[] => {
    if (jsonPath === '') return [required(`${path}.JSONPath`)];
    return jsonPath.startsWith('.') ? [] : [invalid(`${path}.JSONPath`, jsonPath, 'must be a simple json path starting with .')];
  };
  return [
    ...(name === '' ? [required(`${path}.name`)] : []),
    ...ofType,
    ...(format === '' || columnFormats.includes(format)
      ? []
      : [invalid(`${path}.format`, format, `must be one of ${columnFormats.join(',')}`)]),
    ...ofPath(),
  ];
}

function selectableErrors({ selectableFields = [], schema }: CustomVersion, path: string): FieldError[] {
  const seen = new Set<string>();
  const errors = eachOf(selectableFields, path, ({ jsonPath = '' }, at) => {
    const wrong = selectablePathErrors(jsonPath, `${at}.jsonPath`, schema?.openAPIV3Schema);
    const isRepeated = jsonPath !== '' && seen.size === seen.add(jsonPath).size;
    return isRepeated ? [...wrong, duplicate(`${at}.jsonPath`, jsonPath)] : wrong;
  });
  return seen.size > mostSelectableFields ? [...errors, tooMany(path, seen.size, mostSelectableFields)] : errors;
}

function selectablePathErrors(jsonPath: string, at: string, root: JsonSchema | undefined): FieldError[] {
  if (jsonPath === '') return [required(at)];
  const steps = jsonPath.startsWith('.') ? parseJsonPath(jsonPath) : undefined;
  const names = steps?.map((step) => (step.kind === 'field' ? step.name : '')) ?? [];
  if (names.length === 0 || names.includes('')) return [invalid(at, jsonPath, 'is an invalid path: must be a path of fields')];
  const found = names.reduce((one, name) => propertyOf(one, name), root);
  if (!found) return [invalid(at, jsonPath, 'is an invalid path: does not refer to a valid field')];
  const types = 'must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.';
  return [
    ...(names[0] === 'metadata' ? [invalid(at, jsonPath, 'must not point to fields in metadata')] : []),
    ...(['string', 'boolean', 'integer'].includes(found.type ?? '') ? [] : [invalid(at, jsonPath, types)]),
  ];
}

function nameErrors(names: CustomNames, path: string): FieldError[] {
  const label = (name: 'plural' | 'singular'): FieldError[] => labelErrors(`${path}.${name}`, names[name] || undefined);
  const kind = (name: 'kind' | 'listKind'): FieldError[] =>
    labelErrors(`${path}.${name}`, names[name]?.toLowerCase() || undefined).map(({ path: at, detail }) =>
      invalid(at, names[name], `may have mixed case, but should otherwise match: ${detail}`),
    );
  return [
    ...[...label('plural'), ...label('singular'), ...kind('kind'), ...kind('listKind')],
    ...eachOf(names.shortNames, `${path}.shortNames`, (name, at) => labelErrors(at, name)),
    ...(names.kind && names.kind === names.listKind
      ? [invalid(`${path}.listKind`, names.listKind, 'kind and listKind may not be the same')]
      : []),
    ...eachOf(names.categories, `${path}.categories`, (name, at) => labelErrors(at, name)),
  ];
}

function conversionErrors(conversion: CustomConversion | undefined): FieldError[] {
  if (!conversion) return [];
  const { strategy, webhook } = conversion;
  const path = 'spec.conversion';
  const wrong = optionalOneOf(strategy, `${path}.strategy`, ['None', 'Webhook']);
  if (strategy !== 'Webhook') {
    const why = 'should not be set when strategy is not set to Webhook';
    if (webhook?.clientConfig) wrong.push(forbidden(`${path}.webhookClientConfig`, why));
    if (webhook?.conversionReviewVersions?.length) wrong.push(forbidden(`${path}.conversionReviewVersions`, why));
    return wrong;
  }
  const { clientConfig, conversionReviewVersions = [] } = webhook ?? {};
  const at = `${path}.webhookClientConfig`;
  if (!clientConfig) wrong.push(required(at, 'required when strategy is set to Webhook'));
  else wrong.push(...webhookClientErrors(clientConfig, at));
  if (conversionReviewVersions.length === 0) wrong.push(required(`${path}.conversionReviewVersions`));
  else if (!conversionReviewVersions.some((one) => one === 'v1' || one === 'v1beta1'))
    wrong.push(invalid(`${path}.conversionReviewVersions`, conversionReviewVersions, 'must include at least one of v1, v1beta1'));
  return wrong;
}

function storedErrors(stored: readonly string[], versions: readonly CustomVersion[]): FieldError[] {
  const path = 'status.storedVersions';
  if (stored.length === 0) return [invalid(path, null, 'must have at least one stored version')];
  const storage = versions.filter((version) => version.storage && !stored.includes(version.name ?? ''));
  return [
    ...storage.map(({ name }) => invalid(path, stored, `must have the storage version ${name}`)),
    ...eachOf(stored, path, (name, at) =>
      versions.some((version) => version.name === name)
        ? []
        : [
            invalid(
              at,
              name,
              `missing from spec.versions; ${name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${name} and removes ${name} from status.storedVersions`,
            ),
          ],
    ),
  ];
}
