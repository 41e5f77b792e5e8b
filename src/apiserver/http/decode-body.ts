/**
 * From the bytes of a body to an object of a type: which format, is it within the limits, is it of the right kind, does it have only
 * fields that exist. Pure, so that a worker can do it as well.
 */
import { duplicateKeys } from '../../api/codec/duplicate-keys.ts';
import { type BodyLimits, countValues, LimitError, measureJson } from '../../api/codec/limits.ts';
import { decodeProtobuf, hasProtobuf } from '../../api/codec/protobuf.ts';
import { checkFields, isUnknownField } from '../../api/codec/strict.ts';
import { jsonOf, type ReadYaml, readYaml } from '../../api/codec/yaml.ts';
import type { KubeObject } from '../../api/resource-types.ts';
import { isCustom, type Schema } from '../../api/schema/schema.ts';
import { messageOf } from '../../errors/known-error.ts';
import { badRequest, bodyExceeds, isStatusError, type StatusError, unsupportedMediaType } from '../status/status-error.ts';

/** What the path expects: objects of another kind are refused, objects that do not say take it. */
export interface Expected {
  readonly apiVersion: string;
  readonly kind: string;
  readonly schema: Schema;
  /** For a kind that every group has. */
  readonly anyVersion?: boolean;
}

export type FieldValidation = 'Ignore' | 'Warn' | 'Strict';

interface ObjectJob {
  readonly kind: 'object';
  readonly body: Buffer;
  /** In lower case, without parameters; '' is JSON. */
  readonly mediaType: string;
  readonly expected: Expected;
  readonly validation: FieldValidation;
}

/** An applied configuration: YAML, which mostly is JSON, of a shape that is looked at later. */
interface ConfigurationJob {
  readonly kind: 'configuration';
  readonly body: Buffer;
  readonly validation: FieldValidation;
}

export type BodyJob = ObjectJob | ConfigurationJob;

export interface Decoded {
  readonly object: object;
  readonly warnings: readonly string[];
}

const jsonTypes: readonly string[] = ['', 'application/json', 'text/json'];
const yamlTypes: readonly string[] = ['application/yaml', 'application/x-yaml', 'text/yaml'];
const protobufType = 'application/vnd.kubernetes.protobuf';

/** True for a body that only the parser of YAML can read, which is slow. */
export function needsYaml(job: BodyJob): boolean {
  if (job.kind === 'object' && !yamlTypes.includes(job.mediaType)) return false;
  return jsonOf(job.body) === undefined;
}

/** Throws a StatusError. */
export function decodeBody(job: BodyJob): Decoded {
  return job.kind === 'object' ? decodeObject(job) : decodeConfiguration(job);
}

function decodeObject({ body, mediaType, expected, validation }: ObjectJob): Decoded {
  const { value, repeated, isPlain } = parseAs(mediaType, body, expected);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw badRequest(`the object provided is unrecognized (must be of type ${expected.kind}): the body is no JSON object`);
  }
  const object = value as KubeObject;
  checkKind(object, body, expected);
  const oddities = (unknown: readonly string[]): readonly string[] => {
    if (isPlain && unknown.length === 0) return [];
    // Those of a custom resource are told of in the order of their names, after what is twice.
    if (jsonTypes.includes(mediaType) && isCustom(expected.schema)) return [...duplicateKeys(body.toString('utf8')), ...unknown];
    if (jsonTypes.includes(mediaType)) return duplicateKeys(body.toString('utf8'), unknown);
    return [...(validation === 'Strict' && repeated.length > 0 ? [refusedKeys(repeated)] : repeated), ...unknown];
  };
  const { refusal, warnings } = readFields(object, expected.schema, validation, oddities);
  if (refusal !== undefined) throw badRequest(`${cannotHandle(object)}: ${refusal}`);
  return { object, warnings };
}

/** As Go says it of YAML. */
function refusedKeys(repeated: readonly string[]): string {
  return `yaml: unmarshal errors:\n  ${repeated.join('\n  ')}`;
}

function decodeConfiguration({ body, validation }: ConfigurationJob): Decoded {
  try {
    const json = jsonOf(body);
    const yaml = json === undefined ? readYaml(body) : undefined;
    const config = json ?? yaml?.value ?? {};
    if (typeof config !== 'object' || Array.isArray(config)) throw badRequest('error decoding YAML: the body is no object');
    const warnings = validation === 'Ignore' ? [] : (yaml?.repeated ?? duplicateKeys(body.toString('utf8')));
    if (validation !== 'Strict' || warnings.length === 0) return { object: config, warnings };
    const why = yaml ? `error converting YAML to JSON: ${refusedKeys(warnings)}` : warnings.join(', ');
    throw badRequest(`error strict decoding YAML: ${why}`);
  } catch (err) {
    if (isStatusError(err)) throw err;
    throw limitOr(err, () => badRequest(`error decoding YAML: ${messageOf(err)}`));
  }
}

/**
 * Brings an object into the form of its type, and returns warnings. Unknown fields go, and are told of as `validation` says; values of a
 * wrong type are refused always.
 */
export function checkObject(object: KubeObject, schema: Schema, validation: FieldValidation): readonly string[] {
  const { refusal, warnings } = readFields(object, schema, validation, (unknown) => unknown);
  if (refusal !== undefined) throw badRequest(`${cannotHandle(object)}: ${refusal}`);
  return warnings;
}

/** As `checkObject`; the refusal is the caller's to put into an answer. `oddities` makes of unknown fields all that is odd. */
export function readFields(
  object: KubeObject,
  schema: Schema,
  validation: FieldValidation,
  oddities: (unknown: readonly string[]) => readonly string[],
): { readonly refusal?: string; readonly warnings: readonly string[] } {
  const errors = checkFields(object, schema);
  object.metadata ??= {} as KubeObject['metadata'];
  const wrong = errors.find((e) => !isUnknownField(e));
  if (wrong !== undefined) return { refusal: wrong, warnings: [] };
  const odd = validation === 'Ignore' ? [] : oddities(errors);
  if (odd.length === 0 || validation === 'Warn') return { warnings: odd };
  return { refusal: `strict decoding error: ${odd.join(', ')}`, warnings: [] };
}

/** A patch may have made anything of the kind: what is no text has none. */
function cannotHandle({ kind, apiVersion }: { readonly kind?: unknown; readonly apiVersion?: unknown }): string {
  const name = typeof kind === 'string' ? kind : '';
  const version = typeof apiVersion === 'string' ? apiVersion.slice(apiVersion.indexOf('/') + 1) : '';
  return `${name} in version ${JSON.stringify(version)} cannot be handled as a ${name}`;
}

interface Parsed extends ReadYaml {
  /** True for JSON in which no key stands twice in one object. */
  readonly isPlain?: boolean;
}

function parseAs(type: string, body: Buffer, expected: Expected): Parsed {
  const packed = hasProtobuf(expected.apiVersion, expected.kind) ? [protobufType] : [];
  try {
    if (jsonTypes.includes(type)) return parsePlain(body);
    if (yamlTypes.includes(type)) return readYaml(body);
    if (packed.includes(type)) return { value: decodeProtobuf(body, expected), repeated: [] };
  } catch (err) {
    throw limitOr(err, () => unrecognized(body, expected, messageOf(err)));
  }
  throw unsupportedMediaType(['application/json', 'application/yaml', ...packed]);
}

/** Of two equal keys JSON.parse keeps the last value alone. So text of as many values as are left has none, which is cheaper to see than to look for them. */
function parsePlain(body: Buffer): Parsed {
  const values = measureJson(body);
  const value: unknown = JSON.parse(body.toString('utf8'));
  return { value, repeated: [], isPlain: countValues(value) === values };
}

/** A body that is JSON and nothing else, such as a patch. Throws LimitError and what JSON.parse throws. */
export function parseJson(body: Buffer, limits?: BodyLimits): unknown {
  measureJson(body, limits);
  return JSON.parse(body.toString('utf8'));
}

/** The refusal of what is too large in other ways than its bytes, or another one. */
export function limitOr(err: unknown, otherwise: () => StatusError): StatusError {
  return err instanceof LimitError ? bodyExceeds(err.message) : otherwise();
}

function unrecognized(body: Buffer, { kind }: Expected, why: string): StatusError {
  const shown = body
    .subarray(0, 40)
    .toString('latin1')
    .replace(/[^\x20-\x7e]/g, '.');
  return badRequest(
    `the object provided is unrecognized (must be of type ${kind}): couldn't get version/kind; json parse error: ${why} (${shown}${body.length > 40 ? ' ...' : ''})`,
  );
}

function goKind(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}

function checkKind(object: KubeObject, body: Buffer, expected: Expected): void {
  for (const field of ['apiVersion', 'kind'] as const) {
    const value: unknown = object[field] ?? '';
    if (typeof value !== 'string') {
      throw unrecognized(body, expected, `json: cannot unmarshal ${goKind(value)} into Go struct field .${field} of type string`);
    }
    if (value === '') object[field] = expected[field];
  }
  if (!expected.anyVersion && object.apiVersion !== expected.apiVersion) {
    throw badRequest(`the API version in the data (${object.apiVersion}) does not match the expected API version (${expected.apiVersion})`);
  }
  if (object.kind !== expected.kind) {
    throw badRequest(`the kind in the data (${object.kind}) does not match the expected kind (${expected.kind})`);
  }
}
