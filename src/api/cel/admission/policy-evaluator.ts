/** A ValidatingAdmissionPolicy, compiled, and what it says of a request, as k8s.io/apiserver/pkg/admission/plugin/policy/validating/validator.go. */
import type { ValidatingAdmissionPolicySpec, Validation } from '../../schema/types.ts';
import { AdmissionCompiler, type Compiled } from './admission-compiler.ts';
import { type AdmissionInput, AdmissionValues, type SharedObjects } from './admission-values.ts';
import { type Allowance, admissionLimits, BudgetError, Evaluation } from './evaluation.ts';
import { matchAll } from './match-conditions.ts';

/** What is wrong with a request. */
export interface Denial {
  readonly message: string;
  readonly reason?: string;
  /** Whatever the binding has done of it: an annotation could not be made. */
  readonly always?: boolean;
}

interface CompiledValidation {
  readonly validation: Validation;
  readonly compiled: Compiled;
  readonly message: Compiled | undefined;
}

const longestMessage = 5 * 1024;

export class PolicyEvaluator {
  readonly #compiler = new AdmissionCompiler();
  readonly #failurePolicy: string;
  readonly #conditions: readonly Compiled[];
  readonly #validations: readonly CompiledValidation[];
  readonly #annotations: readonly Compiled[];

  constructor(spec: ValidatingAdmissionPolicySpec) {
    const { failurePolicy = 'Fail', paramKind, variables = [], matchConditions = [], validations = [], auditAnnotations = [] } = spec;
    const params = paramKind !== undefined;
    const names = { params, authorizer: true };
    const compiler = this.#compiler;
    this.#failurePolicy = failurePolicy;
    compiler.beginVariables();
    for (const { name, expression } of variables) compiler.addVariable(name, expression, names);
    this.#conditions = matchConditions.map(({ expression }) => compiler.compile(expression, names, ['bool']));
    this.#validations = validations.map((validation) => ({
      validation,
      compiled: compiler.compile(validation.expression, names, ['bool']),
      message: validation.messageExpression ? compiler.compile(validation.messageExpression, { params }, ['string']) : undefined,
    }));
    this.#annotations = auditAnnotations.map(({ valueExpression }) => compiler.compile(valueExpression, names, ['string', 'null']));
  }

  /** Empty for a request that it has nothing against, or is not for. */
  denials(input: AdmissionInput, shared: SharedObjects, all: Allowance): Denial[] {
    const { namespaceObject: _none, ...withoutNamespace } = input;
    const conditionInput = { ...withoutNamespace, request: input.originalRequest ?? input.request };
    const match = matchAll(this.#conditions, new AdmissionValues(conditionInput, this.#compiler, shared), this.#failurePolicy, all);
    if (match === false) return [];
    if (match !== true) return this.#failed(match.error);
    const values = new AdmissionValues(input, this.#compiler, shared);
    try {
      const evaluation = new Evaluation(values, admissionLimits.policy, all);
      const outcomes = this.#validations.map((one) => ({ one, outcome: evaluation.evaluate(one.compiled) }));
      const denials = outcomes.flatMap(({ one, outcome }) => {
        if ('error' in outcome) return this.#failed(outcome.error);
        return outcome.value === true ? [] : this.#broken(one, evaluation);
      });
      return [...denials, ...this.#annotationDenials(new Evaluation(values, admissionLimits.policy, all))];
    } catch (err) {
      if (!(err instanceof BudgetError)) throw err;
      return this.#failed(err.message);
    }
  }

  /** As the policy has it that something cannot be said. */
  #failed(message: string): Denial[] {
    return this.#failurePolicy === 'Ignore' ? [] : [{ message }];
  }

  #broken({ validation, message }: CompiledValidation, evaluation: Evaluation): Denial[] {
    const { expression, reason = 'Invalid' } = validation;
    try {
      const outcome = message && evaluation.evaluate(message);
      const made = outcome && 'value' in outcome ? usable(outcome.value) : '';
      return [{ reason, message: made || (validation.message ?? '').trim() || `failed expression: ${expression.trim()}` }];
    } catch (err) {
      if (!(err instanceof BudgetError)) throw err;
      return this.#failed(`failed messageExpression: ${err.message}`);
    }
  }

  /** Nothing is written of annotations, as there is no audit; but what cannot be made of one refuses the request. */
  #annotationDenials(evaluation: Evaluation): Denial[] {
    return this.#annotations.flatMap((one) => {
      const outcome = evaluation.evaluate(one);
      return 'error' in outcome && this.#failurePolicy !== 'Ignore' ? [{ message: outcome.error, always: true }] : [];
    });
  }
}

/** A message that an expression made, where it is one. */
function usable(value: unknown): string {
  const text = typeof value === 'string' ? value.trim() : '';
  return text.includes('\n') || Buffer.byteLength(text) > longestMessage ? '' : text;
}
