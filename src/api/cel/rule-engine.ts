/** All that is loaded when the first rule, condition or policy comes: most clusters have none, and with the package it is as large as a part of a node. */
import { AdmissionCompiler } from './admission/admission-compiler.ts';
import { expressionErrors, ruleFieldErrors } from './definition-rules.ts';
import { compileRules, ruleErrors } from './rules.ts';

export interface RuleEngine {
  readonly compileRules: typeof compileRules;
  readonly ruleErrors: typeof ruleErrors;
  readonly ruleFieldErrors: typeof ruleFieldErrors;
  readonly expressionErrors: typeof expressionErrors;
  readonly AdmissionCompiler: typeof AdmissionCompiler;
}

export const ruleEngine: RuleEngine = { compileRules, ruleErrors, ruleFieldErrors, expressionErrors, AdmissionCompiler };
