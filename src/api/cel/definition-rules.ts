/** Which rules a definition may have, with the messages of apiextensions-apiserver (apis/apiextensions/validation). */
import type { JsonSchema } from '../schema/schema.ts';
import { type FieldError, invalid, notSupported, required } from '../validation/field-error.ts';
import { fieldPathOf } from './field-path.ts';
import { type CompiledRule, compileRules, type RuleNode } from './rules.ts';
import { mapValues, rulesOf, type ValidationRule } from './validation-rules.ts';

const reasons = ['FieldValueDuplicate', 'FieldValueForbidden', 'FieldValueInvalid', 'FieldValueRequired'];

/** What stands beside the expressions of one value's rules. */
export function ruleFieldErrors(schema: JsonSchema, path: string): FieldError[] {
  return rulesOf(schema).flatMap((rule, i) => {
    const at = `${path}.x-kubernetes-validations[${i}]`;
    return [...textErrors(rule, at), ...placeErrors(rule, schema, at)];
  });
}

function textErrors({ rule = '', message = '' }: ValidationRule, at: string): FieldError[] {
  if (rule.trim() === '') return [required(`${at}.rule`, 'rule is not specified')];
  if (message !== '' && message.trim() === '') return [invalid(`${at}.message`, message, 'must be non-empty if specified')];
  if (/[\n\r]/.test(message.trim())) return [invalid(`${at}.message`, message, 'must not contain line breaks')];
  if (message === '' && /[\n\r]/.test(rule.trim()))
    return [required(`${at}.message`, 'message must be specified if rule contains line breaks')];
  return [];
}

function placeErrors({ messageExpression = '', reason, fieldPath = '' }: ValidationRule, schema: JsonSchema, at: string): FieldError[] {
  const wrong: FieldError[] = [];
  if (messageExpression !== '' && messageExpression.trim() === '')
    wrong.push(required(`${at}.messageExpression`, 'messageExpression must be non-empty if specified'));
  if (reason !== undefined && !reasons.includes(reason)) wrong.push(notSupported(`${at}.reason`, reason, reasons));
  if (fieldPath !== '' && fieldPath.trim() === '') wrong.push(invalid(`${at}.fieldPath`, fieldPath, 'must be non-empty if specified'));
  if (/[\n\r]/.test(fieldPath)) wrong.push(invalid(`${at}.fieldPath`, fieldPath, 'must not contain line breaks'));
  if (fieldPath !== '' && fieldPathOf(fieldPath, schema) === undefined)
    wrong.push(invalid(`${at}.fieldPath`, fieldPath, 'must be a valid path'));
  return wrong;
}

/** What is wrong with the expressions of a schema that is sound besides. */
export function expressionErrors(root: JsonSchema, path: string): FieldError[] {
  const node = compileRules(root);
  return node ? nodeErrors(node, root, path, undefined) : [];
}

/** `loose` is the first list on the way whose entries cannot be found again after a change. */
function nodeErrors(node: RuleNode, schema: JsonSchema, path: string, loose: string | undefined): FieldError[] {
  const wrong: FieldError[] = [];
  for (const [name, below] of node.properties)
    wrong.push(...nodeErrors(below, schema.properties?.[name] ?? {}, `${path}.properties[${name}]`, loose));
  const values = mapValues(schema);
  if (node.values && values) wrong.push(...nodeErrors(node.values, values, `${path}.additionalProperties`, loose));
  if (node.items && schema.items) {
    const isLoose = schema['x-kubernetes-list-type'] !== 'map';
    wrong.push(...nodeErrors(node.items, schema.items, `${path}.items`, loose ?? (isLoose ? path : undefined)));
  }
  for (const [i, rule] of node.rules.entries()) wrong.push(...compiledErrors(rule, `${path}.x-kubernetes-validations[${i}]`, loose));
  return wrong;
}

function compiledErrors({ rule, program, problem, messageProblem }: CompiledRule, at: string, loose: string | undefined): FieldError[] {
  const wrong: FieldError[] = [];
  if (problem !== undefined) wrong.push(invalid(`${at}.rule`, rule, problem));
  if (messageProblem !== undefined) wrong.push(invalid(`${at}.messageExpression`, rule, messageProblem));
  if (program?.uses('oldSelf') && loose !== undefined)
    wrong.push(invalid(`${at}.rule`, rule.rule, `oldSelf cannot be used on the uncorrelatable portion of the schema within ${loose}`));
  if (!program?.uses('oldSelf') && rule.optionalOldSelf !== undefined)
    wrong.push(invalid(`${at}.optionalOldSelf`, rule.optionalOldSelf, 'may not be set if oldSelf is not used in rule'));
  return wrong;
}
