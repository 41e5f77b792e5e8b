/**
 * The rules of a schema, compiled, and what they say of an object: as k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/validation.go. A rule
 * stands at a value; one that names `oldSelf` is asked only where there is something to compare with. Of an update, what is as it was is not refused.
 */
import { isDeepStrictEqual } from 'node:util';
import { isObject } from '../codec/json-object.ts';
import type { JsonSchema } from '../schema/schema.ts';
import { duplicate, type FieldError, forbidden, invalid, required } from '../validation/field-error.ts';
import { Compiler, type Program } from './compile.ts';
import { wordsOf } from './evaluate.ts';
import { fieldPathOf } from './field-path.ts';
import { CostError, costLimits, metered } from './meter.ts';
import { optionalOf } from './optional.ts';
import { hasRules, mapValues, rulesOf, type ValidationRule } from './validation-rules.ts';
import type { Declared } from './values.ts';

export interface CompiledRule {
  readonly rule: ValidationRule;
  readonly program?: Program;
  /** Why there is no program. */
  readonly problem?: string;
  readonly message?: Program;
  readonly messageProblem?: string;
  /** Where what is wrong stands, below the value. */
  readonly at: string;
}

/** The rules of one value of a schema, and those below it. */
export interface RuleNode {
  readonly schema: JsonSchema;
  /** Of the value, where it has rules or is seen by some. */
  readonly declared: Declared | undefined;
  readonly rules: readonly CompiledRule[];
  readonly items?: RuleNode;
  readonly values?: RuleNode;
  readonly properties: ReadonlyMap<string, RuleNode>;
}

const noMore = 'validation failed due to running out of cost budget, no further validation rules will be run';
const longestMessage = 5 * 1024;

/** Undefined for a schema without rules. */
export function compileRules(root: JsonSchema): RuleNode | undefined {
  return nodeOf(new Compiler(), root, true);
}

/** Types are declared from the outermost value with rules on. */
function nodeOf(compiler: Compiler, schema: JsonSchema, isWhole: boolean, known?: Declared): RuleNode | undefined {
  if (!hasRules(schema)) return undefined;
  const own = rulesOf(schema);
  const declared = known ?? (own.length > 0 ? compiler.declarations.of(schema, isWhole) : undefined);
  const below = (inner: JsonSchema | undefined, type: Declared | undefined): RuleNode | undefined =>
    inner && nodeOf(compiler, inner, inner['x-kubernetes-embedded-resource'] === true, type);
  const items = below(schema.items, declared?.entries);
  const values = below(mapValues(schema), declared?.entries);
  const types = new Map([...(declared?.fields?.values() ?? [])].map((field) => [field.name, field.declared]));
  const properties = new Map<string, RuleNode>();
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const node = below(property, types.get(name));
    if (node) properties.set(name, node);
  }
  const rules = declared ? own.map((rule) => compileRule(compiler, rule, schema, declared)) : [];
  return { schema, declared, rules, ...(items && { items }), ...(values && { values }), properties };
}

function compileRule(compiler: Compiler, rule: ValidationRule, schema: JsonSchema, declared: Declared): CompiledRule {
  const at = rule.fieldPath ? (fieldPathOf(rule.fieldPath, schema) ?? '') : '';
  if (!rule.rule?.trim()) return { rule, at };
  const oldSelf = rule.optionalOldSelf === true ? `optional<${declared.name}>` : declared.name;
  const variables = { self: compiler.type(declared.name), oldSelf: compiler.type(oldSelf) };
  const program = compiler.compile(rule.rule, variables, ['bool', 'dyn']);
  if ('returns' in program) return { rule, at, problem: 'cel expression must evaluate to a bool' };
  if ('problem' in program) return { rule, at, problem: `compilation failed: ${program.problem}` };
  if (!rule.messageExpression?.trim()) return { rule, at, program };
  const message = compiler.compile(rule.messageExpression, variables, ['string', 'dyn']);
  if ('returns' in message) return { rule, at, program, messageProblem: 'messageExpression must evaluate to a string' };
  if ('problem' in message) return { rule, at, program, messageProblem: `messageExpression compilation failed: ${message.problem}` };
  return { rule, at, program, message };
}

/** What rules say of an object. `old` is what it was before an update. */
export function ruleErrors(node: RuleNode, object: unknown, old?: unknown): FieldError[] {
  const evaluation = new Evaluation();
  evaluation.value(node, object, old, '', old === undefined ? changed : { same: () => isDeepStrictEqual(object, old) });
  return evaluation.errors;
}

/** Whether a value, or the nearest one around it that can be compared, is as it was. */
interface Correlation {
  readonly same: () => boolean;
}

const changed: Correlation = { same: () => false };

class Evaluation {
  readonly errors: FieldError[] = [];
  #left: number = costLimits.perObject;

  /** False when no more rules are to be asked. */
  value(node: RuleNode, value: unknown, old: unknown, path: string, correlation: Correlation): boolean {
    // A rule of a value that may be null stands around it.
    if (value === null || value === undefined) return true;
    if (!this.#rules(node, value, old ?? undefined, path, correlation)) return false;
    if (Array.isArray(value)) return this.#list(node, value, old, path, correlation);
    return !isObject(value) || this.#object(node, value, old, path, correlation);
  }

  #list(node: RuleNode, list: readonly unknown[], old: unknown, path: string, correlation: Correlation): boolean {
    const { items, schema } = node;
    if (!items) return true;
    const keys = schema['x-kubernetes-list-type'] === 'map' ? (schema['x-kubernetes-list-map-keys'] ?? []) : undefined;
    const keyOf = (one: unknown): string => JSON.stringify((keys ?? []).map((key) => (isObject(one) ? one[key] : undefined) ?? null));
    const before = new Map(keys && Array.isArray(old) ? old.map((one) => [keyOf(one), one] as const) : []);
    return list.every((one, i) => {
      const oldOne = keys ? before.get(keyOf(one)) : undefined;
      return this.value(items, one, oldOne, `${path}[${i}]`, within(correlation, one, oldOne));
    });
  }

  #object(node: RuleNode, object: Readonly<Record<string, unknown>>, old: unknown, path: string, correlation: Correlation): boolean {
    const isAtomic = node.schema['x-kubernetes-map-type'] === 'atomic';
    const before = (name: string): unknown => (isObject(old) && Object.hasOwn(old, name) ? old[name] : undefined);
    return Object.keys(object).every((name) => {
      const isMapValue = node.values !== undefined;
      const below = node.values ?? node.properties.get(name);
      if (!below) return true;
      const at = isMapValue ? `${path}[${name}]` : path === '' ? name : `${path}.${name}`;
      const inner =
        path === '' && (name === 'apiVersion' || name === 'kind')
          ? changed
          : within(correlation, object[name], isAtomic ? undefined : before(name));
      return this.value(below, object[name], before(name), at, inner);
    });
  }

  #rules(node: RuleNode, value: unknown, old: unknown, path: string, correlation: Correlation): boolean {
    const { declared } = node;
    if (node.rules.length === 0 || !declared) return true;
    const type = node.schema.type ?? '';
    if (this.#left <= 0) return this.#stop(invalid(nameOf(path), type, noMore));
    const self = declared.of(value);
    const oldSelf = node.rules.some(({ program }) => program?.uses('oldSelf')) && old !== undefined ? declared.of(old) : undefined;
    for (const rule of node.rules) if (!this.#rule(node, rule, { value, self, oldSelf, path, type, correlation })) return false;
    return true;
  }

  #rule(_node: RuleNode, compiled: CompiledRule, on: Subject): boolean {
    const { program, problem, rule } = compiled;
    if (problem !== undefined) this.errors.push(invalid(nameOf(on.path), on.type, `rule compile error: ${problem}`));
    if (!program || (program.uses('oldSelf') && on.oldSelf === undefined && !rule.optionalOldSelf)) return true;
    const oldSelf = rule.optionalOldSelf ? optionalOf(on.oldSelf) : on.oldSelf;
    const { cost, value, error } = metered(costLimits.perRule, rule.rule?.length ?? 0, () => program.run({ self: on.self, oldSelf }));
    const shown = shownRule(rule);
    const refuse = (detail: string): FieldError => invalid(nameOf(on.path), on.type, detail);
    if (cost > this.#left) return this.#stop(refuse(noMore));
    this.#left -= cost;
    if (error instanceof CostError)
      return this.#stop(
        refuse(`'${error.message}': no further validation rules will be run due to call cost exceeds limit for rule: ${shown}`),
      );
    if (error !== undefined) {
      const words = wordsOf(error);
      const isOverload = words.startsWith('no such overload');
      this.errors.push(
        refuse(
          isOverload
            ? `'${words}': call arguments did not match a supported operator, function or macro signature for rule: ${shown}`
            : `${words} evaluating rule: ${shown}`,
        ),
      );
      return true;
    }
    return value === true || this.#broken(compiled, on, oldSelf);
  }

  #broken({ rule, program, message, at }: CompiledRule, on: Subject, oldSelf: unknown): boolean {
    const path = nameOf(at === '' ? on.path : on.path === '' ? at : `${on.path}.${at}`);
    // A rule that compares is broken by the change itself.
    const tell = (error: FieldError): void => {
      if (program?.uses('oldSelf') || !on.correlation.same()) this.errors.push(error);
    };
    let detail = rule.message ? rule.message.trim() : `failed rule: ${shownRule(rule)}`;
    if (message) {
      const { cost, value, error } = metered(costLimits.perRule, rule.messageExpression?.length ?? 0, () =>
        message.run({ self: on.self, oldSelf }),
      );
      if (error instanceof CostError || cost > this.#left) {
        const why =
          error instanceof CostError
            ? `no further validation rules will be run due to call cost exceeds limit for messageExpression: ${JSON.stringify(rule.messageExpression)}`
            : 'messageExpression evaluation failed due to running out of cost budget, no further validation rules will be run';
        tell(invalid(path, on.type, why));
        return false;
      }
      this.#left -= cost;
      detail = usable(value) ?? detail;
    }
    tell(errorFor(rule.reason, path, typeof on.value === 'object' ? undefined : on.value, detail));
    return true;
  }

  #stop(error: FieldError): boolean {
    this.errors.push(error);
    return false;
  }
}

/** What a rule is asked of. */
interface Subject {
  readonly value: unknown;
  readonly self: unknown;
  readonly oldSelf: unknown;
  readonly path: string;
  readonly type: string;
  readonly correlation: Correlation;
}

function nameOf(path: string): string {
  return path === '' ? '<nil>' : path;
}

function shownRule({ rule = '', message = '' }: ValidationRule): string {
  return (message || rule).trim();
}

/** A message that an expression made, where it is one. */
function usable(value: unknown): string | undefined {
  const text = typeof value === 'string' ? value.trim() : '';
  return text === '' || text.includes('\n') || Buffer.byteLength(text) > longestMessage ? undefined : text;
}

/** Objects and lists are not shown. */
function errorFor(reason: string | undefined, path: string, value: unknown, detail: string): FieldError {
  switch (reason) {
    case 'FieldValueForbidden':
      return forbidden(path, detail);
    case 'FieldValueRequired':
      return required(path, detail);
    case 'FieldValueDuplicate':
      return value === undefined ? { type: 'FieldValueDuplicate', path, detail: '' } : duplicate(path, value);
    default:
      return value === undefined ? { type: 'FieldValueInvalid', path, detail } : invalid(path, value, detail);
  }
}

/** Of what lies below a value: compared with what it was, or where there is nothing to compare with, with what is around it. */
function within(outer: Correlation, value: unknown, old: unknown): Correlation {
  if (outer === changed) return changed;
  const { same } = outer;
  if (old === undefined) return { same };
  let known: boolean | undefined;
  return {
    same: () => {
      known ??= isDeepStrictEqual(value, old);
      return known;
    },
  };
}
