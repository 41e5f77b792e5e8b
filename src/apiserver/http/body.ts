/** The body of a write: which format, is it an object of the right kind, does it have only fields that exist. */
import { duplicateKeys } from '../../api/codec/duplicate-keys.ts';
import { decodeProtobuf } from '../../api/codec/protobuf.ts';
import { checkFields, isUnknownField } from '../../api/codec/strict.ts';
import { parseYaml } from '../../api/codec/yaml.ts';
import type { KubeObject } from '../../api/resource-types.ts';
import { messageOf } from '../../errors/known-error.ts';
import { badRequest, StatusError, unsupportedMediaType } from '../status/status-error.ts';
import type { RequestContext } from './request-context.ts';

export const maxBodyBytes: number = 3 << 20;

const accepted = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf'];

/** What the path expects: objects of another kind are refused, objects that do not say take it. */
export interface Expected {
  readonly apiVersion: string;
  readonly kind: string;
  /** The name of the type in the schema tables; undefined skips the check of fields. */
  readonly schema: string | undefined;
}

export type FieldValidation = 'Ignore' | 'Warn' | 'Strict';

export function mediaTypeOf(contentType: string | undefined): string {
  return (contentType ?? '').split(';', 1)[0]!.trim().toLowerCase();
}

export function fieldValidationOf(query: URLSearchParams): FieldValidation {
  const text = query.get('fieldValidation') ?? '';
  if (text === '') return 'Warn';
  if (text === 'Ignore' || text === 'Warn' || text === 'Strict') return text;
  throw new StatusError(
    422,
    'Invalid',
    `CreateOptions.meta.k8s.io "" is invalid: fieldValidation: Unsupported value: ${JSON.stringify(text)}: supported values: "Ignore", "Strict", "Warn"`,
  );
}

/** The object of a request's body. Adds to the request's warnings. */
export function decodeObject(ctx: RequestContext, expected: Expected): KubeObject {
  const object = parseBody(ctx, expected);
  checkKind(object, expected);
  checkObject(ctx, object, expected.schema, isJson(ctx) ? ctx.body.toString('utf8') : undefined);
  return object;
}

/**
 * Brings an object into the form of its type. Unknown fields go, and are told of as the request's `fieldValidation` says; values
 * of a wrong type are refused always. With the JSON that the object was read from, repeated fields are told of too.
 */
export function checkObject(ctx: RequestContext, object: KubeObject, schema: string | undefined, text?: string): void {
  object.metadata ??= {} as KubeObject['metadata'];
  if (schema === undefined) return;
  const validation = fieldValidationOf(ctx.query);
  const { errors } = checkFields(object, schema);
  const prefix = `${object.kind} in version ${JSON.stringify(object.apiVersion)} cannot be handled as a ${object.kind}`;
  const wrong = errors.find((e) => !isUnknownField(e));
  if (wrong !== undefined) throw badRequest(`${prefix}: ${wrong}`);
  if (validation === 'Ignore') return;
  const strict = text === undefined ? errors : duplicateKeys(text, errors);
  if (strict.length === 0) return;
  if (validation === 'Strict') throw badRequest(`${prefix}: strict decoding error: ${strict.join(', ')}`);
  ctx.warnings.push(...strict);
}

function isJson(ctx: RequestContext): boolean {
  const type = mediaTypeOf(ctx.req.headers['content-type']);
  return type === '' || type === 'application/json';
}

/** Any body as a value: JSON, YAML or protobuf. */
export function parseBody(ctx: RequestContext, expected?: Expected): KubeObject {
  const type = mediaTypeOf(ctx.req.headers['content-type']);
  const value = parseAs(type, ctx.body, expected);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw badRequest(`the object provided is unrecognized (must be of type ${expected?.kind ?? 'object'}): the body is no JSON object`);
  }
  return value as KubeObject;
}

function parseAs(type: string, body: Buffer, expected: Expected | undefined): unknown {
  try {
    switch (type) {
      case '':
      case 'application/json':
      case 'text/json':
        return JSON.parse(body.toString('utf8'));
      case 'application/yaml':
      case 'application/x-yaml':
      case 'text/yaml':
        return parseYaml(body.toString('utf8'));
      case 'application/vnd.kubernetes.protobuf':
        return decodeProtobuf(body, expected);
    }
  } catch (err) {
    const shown = body
      .subarray(0, 40)
      .toString('latin1')
      .replace(/[^\x20-\x7e]/g, '.');
    throw badRequest(
      `the object provided is unrecognized (must be of type ${expected?.kind ?? 'object'}): couldn't get version/kind; json parse error: ${messageOf(err)} (${shown}${body.length > 40 ? ' ...' : ''})`,
    );
  }
  throw unsupportedMediaType(accepted);
}

function checkKind(object: KubeObject, expected: Expected): void {
  object.apiVersion ??= expected.apiVersion;
  object.kind ??= expected.kind;
  if (object.apiVersion === '') object.apiVersion = expected.apiVersion;
  if (object.kind === '') object.kind = expected.kind;
  if (object.apiVersion !== expected.apiVersion) {
    throw badRequest(
      `the API version in the data (${String(object.apiVersion)}) does not match the expected API version (${expected.apiVersion})`,
    );
  }
  if (object.kind !== expected.kind) {
    throw badRequest(`the kind in the data (${String(object.kind)}) does not match the expected kind (${expected.kind})`);
  }
}
