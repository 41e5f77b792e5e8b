/**
 * resource.k8s.io/v1: ResourceClaims, DeviceClasses and ResourceSlices. Of a CEL expression only the length is checked: whoever allocates
 * devices compiles it. Policies of shared capacity, alpha upstream, are not checked.
 */
import type {
  Device,
  DeviceAttribute,
  DeviceClaim,
  DeviceClass,
  DeviceConstraint,
  DeviceRequest,
  DeviceSelector,
  DeviceSubRequest,
  DeviceToleration,
  ExactDeviceRequest,
  OpaqueDeviceConfiguration,
  ResourceClaimTemplate,
  ResourceSlice,
  ResourceSliceSpec,
  ResourceV1ResourceClaim,
} from '../schema/types.ts';
import {
  atMost,
  duplicateNames,
  duplicates,
  eachEntry,
  eachOf,
  emptyOrWellFormed,
  type FieldError,
  forbidden,
  invalid,
  invalids,
  notSupported,
  oneOf,
  optionalOneOf,
  positive,
  required,
  tooLong,
  wellFormed,
} from './field-error.ts';
import { isDns1123Label, isDns1123Subdomain, isLabelValue, isQualifiedName } from './names.ts';
import { nodeSelectorErrors } from './node-selector.ts';
import { templateMetaErrors } from './object-meta.ts';
import { csiDriverNameErrors } from './volume-source.ts';

const maxRequests = 32;
const maxSubRequests = 8;
const maxConstraints = 32;
const maxSelectors = 32;
const maxConfigs = 32;
const maxExpressionBytes = 10 * 1024;
const maxParameterBytes = 10 * 1024;
const maxDevices = 128;
const maxTaintedDevices = 64;
const maxTaints = 16;
const maxAttributes = 32;
const maxIdBytes = 32;
const maxValueBytes = 64;
const maxPoolBytes = 253;
const effects: readonly string[] = ['NoExecute', 'NoSchedule', 'None'];
const semver = /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$/;
const identifier = /^[A-Za-z_][A-Za-z0-9_]*$/;

export function resourceClaimErrors({ spec }: ResourceV1ResourceClaim): FieldError[] {
  return deviceClaimErrors(spec?.devices ?? {}, 'spec.devices');
}

export function claimTemplateObjectErrors({ spec }: ResourceClaimTemplate): FieldError[] {
  return [...templateMetaErrors(spec?.metadata, 'spec.metadata'), ...deviceClaimErrors(spec?.spec?.devices ?? {}, 'spec.spec.devices')];
}

export function deviceClassErrors({ spec }: DeviceClass): FieldError[] {
  return [...selectorsErrors(spec?.selectors, 'spec.selectors'), ...configsErrors(spec?.config, 'spec.config')];
}

function deviceClaimErrors({ requests = [], constraints, config }: DeviceClaim, path: string): FieldError[] {
  const named = (names: readonly string[] | undefined, at: string): FieldError[] => [
    ...atMost(names, at, maxRequests),
    ...eachOf(names, at, (name, where) => referenceErrors(name, where, requests)),
    ...duplicates(names ?? [], at),
  ];
  return [
    ...atMost(requests, `${path}.requests`, maxRequests),
    ...eachOf(requests, `${path}.requests`, requestErrors),
    ...duplicateNames(requests, `${path}.requests`, ''),
    ...atMost(constraints, `${path}.constraints`, maxConstraints),
    ...eachOf(constraints, `${path}.constraints`, (one, at) => [...named(one.requests, `${at}.requests`), ...constraintErrors(one, at)]),
    ...configsErrors(config, `${path}.config`),
    ...eachOf(config, `${path}.config`, (one, at) => named(one.requests, `${at}.requests`)),
  ];
}

/** `request`, or `request/one-of-its-alternatives`. */
function referenceErrors(name: string, path: string, requests: readonly DeviceRequest[]): FieldError[] {
  const unknown = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'";
  const [first = '', second, ...more] = name.split('/');
  if (more.length > 0) return [invalid(path, name, unknown)];
  const parts = second === undefined ? [first] : [first, second];
  const found = requests.find((one) => one.name === first);
  const known = found && (second === undefined || found.firstAvailable?.some((one) => one.name === second));
  return [...parts.flatMap((part) => invalids(path, part, isDns1123Label(part))), ...(known ? [] : [invalid(path, name, unknown)])];
}

function constraintErrors({ matchAttribute, distinctAttribute }: DeviceConstraint, path: string): FieldError[] {
  if (matchAttribute !== undefined) return fullNameErrors(matchAttribute, `${path}.matchAttribute`);
  if (distinctAttribute !== undefined) return fullNameErrors(distinctAttribute, `${path}.distinctAttribute`);
  return [required(`${path}.matchAttribute`)];
}

function requestErrors({ name = '', exactly, firstAvailable = [] }: DeviceRequest, path: string): FieldError[] {
  const errors = invalids(`${path}.name`, name, isDns1123Label(name));
  const text = 'exactly one of `exactly` or `firstAvailable` is required';
  if (exactly && firstAvailable.length > 0) return [...errors, invalid(path, null, `${text}, but multiple fields are set`)];
  if (exactly) return [...errors, ...oneRequestErrors(exactly, `${path}.exactly`)];
  if (firstAvailable.length === 0) return [...errors, required(path, text)];
  const at = `${path}.firstAvailable`;
  return [
    ...errors,
    ...atMost(firstAvailable, at, maxSubRequests),
    ...eachOf(firstAvailable, at, (one, where) => [
      ...invalids(`${where}.name`, one.name ?? '', isDns1123Label(one.name ?? '')),
      ...oneRequestErrors(one, where),
    ]),
    ...duplicateNames(firstAvailable, at, ''),
  ];
}

function oneRequestErrors(request: ExactDeviceRequest | DeviceSubRequest, path: string): FieldError[] {
  const { deviceClassName: name, selectors, allocationMode: mode = '', count = 0, tolerations } = request;
  const errors = wellFormed(name, `${path}.deviceClassName`, isDns1123Subdomain);
  if (mode === 'All') {
    if (count !== 0) errors.push(invalid(`${path}.count`, count, "must not be specified when allocationMode is 'All'"));
  } else if (mode !== 'ExactCount') errors.push(notSupported(`${path}.allocationMode`, mode, ['All', 'ExactCount']));
  else errors.push(...positive(count, `${path}.count`));
  return [...errors, ...selectorsErrors(selectors, `${path}.selectors`), ...eachOf(tolerations, `${path}.tolerations`, tolerationErrors)];
}

function tolerationErrors({ key, operator, value = '', effect }: DeviceToleration, path: string): FieldError[] {
  const errors = emptyOrWellFormed(key, `${path}.key`, isQualifiedName);
  errors.push(...oneOf(operator, `${path}.operator`, ['Equal', 'Exists']), ...optionalOneOf(effect, `${path}.effect`, effects));
  if (operator === 'Exists' && value) errors.push(invalid(`${path}.value`, value, 'must be empty for operator `Exists`'));
  return operator === 'Equal' ? [...errors, ...invalids(`${path}.value`, value, isLabelValue(value))] : errors;
}

function selectorsErrors(selectors: readonly DeviceSelector[] | undefined, path: string): FieldError[] {
  return [
    ...atMost(selectors, path, maxSelectors),
    ...eachOf(selectors, path, ({ cel }, at) => {
      if (!cel) return [required(`${at}.cel`)];
      const where = `${at}.cel.expression`;
      if (!cel.expression) return [invalid(where, '', 'compilation failed: an expression must not be empty')];
      return Buffer.byteLength(cel.expression) > maxExpressionBytes ? [tooLong(where, maxExpressionBytes)] : [];
    }),
  ];
}

/** Parameters need only be a JSON object: what they mean is known to the driver alone. */
function configsErrors(
  configs: readonly { readonly opaque?: OpaqueDeviceConfiguration | undefined }[] | undefined,
  path: string,
): FieldError[] {
  return [
    ...atMost(configs, path, maxConfigs),
    ...eachOf(configs, path, ({ opaque }, at) => {
      if (!opaque) return [required(`${at}.opaque`)];
      const { driver, parameters } = opaque;
      const where = `${at}.opaque.parameters`;
      const errors = csiDriverNameErrors(driver, `${at}.opaque.driver`);
      if (parameters === undefined || parameters === null) return [...errors, required(where)];
      if (typeof parameters !== 'object' || Array.isArray(parameters)) {
        return [...errors, invalid(where, '<value omitted>', 'must be a valid JSON object')];
      }
      return Buffer.byteLength(JSON.stringify(parameters)) > maxParameterBytes ? [...errors, tooLong(where, maxParameterBytes)] : errors;
    }),
  ];
}

export function resourceSliceErrors({ spec }: ResourceSlice): FieldError[] {
  const { driver, pool, devices = [], sharedCounters } = spec ?? ({} as Partial<ResourceSliceSpec>);
  const path = 'spec.devices';
  const few = devices.some((one) => one.taints?.length || one.consumesCounters?.length);
  return [
    ...csiDriverNameErrors(driver, 'spec.driver'),
    ...poolNameErrors(pool?.name, 'spec.pool.name'),
    ...positive(pool?.resourceSliceCount ?? 0, 'spec.pool.resourceSliceCount'),
    ...((pool?.generation ?? 0) < 0 ? [invalid('spec.pool.generation', pool?.generation, 'must be greater than or equal to zero')] : []),
    ...nodesErrors(spec ?? {}, 'spec'),
    ...(sharedCounters && spec?.devices ? [invalid('spec', '', 'only one of `sharedCounters` or `devices` is allowed')] : []),
    ...atMost(devices, path, few ? maxTaintedDevices : maxDevices),
    ...eachOf(devices, path, (one, at) => deviceErrors(one, at, spec?.perDeviceNodeSelection === true)),
    ...duplicateNames(devices, path, ''),
  ];
}

function poolNameErrors(name: string | undefined, path: string): FieldError[] {
  if (!name) return [required(path)];
  const errors = name.length > maxPoolBytes ? [tooLong(path, maxPoolBytes)] : [];
  return [...errors, ...name.split('/').flatMap((part) => invalids(path, part, isDns1123Subdomain(part)))];
}

/** Where the devices are: on one node, on those that a selector matches, on all, or where each device says. */
function nodesErrors(spec: Partial<ResourceSliceSpec>, path: string): FieldError[] {
  const { nodeName, nodeSelector, allNodes, perDeviceNodeSelection } = spec;
  const errors = placeErrors(spec, path, 'must be either unset or set to a non-empty string');
  if (nodeSelector && nodeSelector.nodeSelectorTerms?.length !== 1) {
    const at = `${path}.nodeSelector.nodeSelectorTerms`;
    errors.push(invalid(at, nodeSelector.nodeSelectorTerms ?? [], 'must have exactly one node selector term'));
  }
  if (perDeviceNodeSelection === false) {
    errors.push(invalid(`${path}.perDeviceNodeSelection`, false, 'must be either unset or set to true'));
  }
  const given = Object.entries({ nodeName, nodeSelector, allNodes, perDeviceNodeSelection }).filter(([, value]) => value);
  const text = 'exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required';
  if (given.length === 0) return [...errors, required(path, text)];
  const shown = `{${given.map(([key]) => `\`${key}\``).join(', ')}}`;
  return given.length > 1 ? [...errors, invalid(path, shown, `${text}, but multiple fields are set`)] : errors;
}

function placeErrors(
  { nodeName, nodeSelector, allNodes }: Pick<Partial<Device>, 'nodeName' | 'nodeSelector' | 'allNodes'>,
  path: string,
  noName: string,
): FieldError[] {
  const at = `${path}.nodeName`;
  return [
    ...(nodeName === '' ? [invalid(at, '', noName)] : emptyOrWellFormed(nodeName, at, isDns1123Subdomain)),
    ...(nodeSelector ? nodeSelectorErrors(nodeSelector, `${path}.nodeSelector`) : []),
    ...(allNodes === false ? [invalid(`${path}.allNodes`, false, 'must be either unset or set to true')] : []),
  ];
}

function deviceErrors(device: Device, path: string, perDevice: boolean): FieldError[] {
  const { name = '', attributes = {}, capacity = {}, taints, allowMultipleAllocations } = device;
  const count = Object.keys(attributes).length + Object.keys(capacity).length;
  return [
    ...invalids(`${path}.name`, name, isDns1123Label(name)),
    ...(count > maxAttributes
      ? [invalid(path, count, `the total number of attributes and capacities must not exceed ${maxAttributes}`)]
      : []),
    ...eachEntry(attributes, (key, value) => [
      ...nameErrors(key, `${path}.attributes`),
      ...attributeErrors(value, `${path}.attributes[${key}]`),
    ]),
    ...eachEntry(capacity, (key, { requestPolicy }) => [
      ...nameErrors(key, `${path}.capacity`),
      ...(requestPolicy && !allowMultipleAllocations
        ? [forbidden(`${path}.capacity[${key}].requestPolicy`, 'allowMultipleAllocations must be true')]
        : []),
    ]),
    ...atMost(taints, `${path}.taints`, maxTaints),
    ...eachOf(taints, `${path}.taints`, ({ key = '', value, effect }, at) => [
      ...invalids(`${at}.key`, key, isQualifiedName(key)),
      ...emptyOrWellFormed(value, `${at}.value`, isLabelValue),
      ...oneOf(effect, `${at}.effect`, effects),
    ]),
    ...devicePlaceErrors(device, path, perDevice),
  ];
}

function devicePlaceErrors(device: Device, path: string, perDevice: boolean): FieldError[] {
  const { nodeName, nodeSelector, allNodes } = device;
  const given = Object.entries({ nodeName, nodeSelector, allNodes }).filter(([, value]) => value !== undefined);
  if (!perDevice) {
    const text =
      '`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec';
    return given.length > 0 ? [invalid(path, null, text)] : [];
  }
  const text =
    'exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true in the ResourceSlice spec';
  const errors = placeErrors(device, path, 'must not be empty');
  if (given.length === 0) return [...errors, required(path, text)];
  return given.length > 1 ? [...errors, invalid(path, `{${given.map(([key]) => `\`${key}\``).join(', ')}}`, text)] : errors;
}

function attributeErrors(attribute: DeviceAttribute, path: string): FieldError[] {
  const { string: text, version } = attribute;
  const given = Object.values(attribute).filter((value) => value !== undefined);
  return [
    ...(Buffer.byteLength(text ?? '') > maxValueBytes ? [tooLong(`${path}.string`, maxValueBytes)] : []),
    ...(version !== undefined && !semver.test(version)
      ? [invalid(`${path}.version`, version, 'must be a string compatible with semver.org spec 2.0.0')]
      : []),
    ...(Buffer.byteLength(version ?? '') > maxValueBytes ? [tooLong(`${path}.version`, maxValueBytes)] : []),
    ...(given.length === 1 ? [] : [invalid(path, given.length === 0 ? '' : attribute, 'exactly one value must be specified')]),
  ];
}

/** `id`, or `domain/id`. */
function nameErrors(name: string, path: string): FieldError[] {
  const [first = '', second, ...more] = name.split('/');
  if (more.length > 0) return [];
  if (second === undefined) return idErrors(first, path);
  return [
    ...(first ? csiDriverNameErrors(first, path) : [invalid(path, '', 'the domain must not be empty')]),
    ...(second ? idErrors(second, path) : [invalid(path, '', 'the name must not be empty')]),
  ];
}

function fullNameErrors(name: string, path: string): FieldError[] {
  if (name.includes('/')) return nameErrors(name, path);
  return [...nameErrors(name, path), invalid(path, name, 'a fully qualified name must be a domain and a name separated by a slash')];
}

function idErrors(id: string, path: string): FieldError[] {
  const text =
    "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used for validation is '[A-Za-z_][A-Za-z0-9_]*')";
  return [...(id.length > maxIdBytes ? [tooLong(path, maxIdBytes)] : []), ...(identifier.test(id) ? [] : [invalid(path, id, text)])];
}
