/** What a schema has of rules, and the way to what evaluates them. */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { isObject } from '../codec/json-object.ts';
import type { JsonSchema } from '../schema/schema.ts';
import type { RuleEngine } from './rule-engine.ts';

/** As it stands in a schema. */
export interface ValidationRule {
  readonly rule?: string;
  readonly message?: string;
  readonly messageExpression?: string;
  readonly reason?: string;
  readonly fieldPath?: string;
  readonly optionalOldSelf?: boolean;
}

export function rulesOf(schema: JsonSchema): readonly ValidationRule[] {
  return (schema['x-kubernetes-validations'] ?? []) as readonly ValidationRule[];
}

/** The schema of the values of a map. */
export function mapValues({ additionalProperties }: JsonSchema): JsonSchema | undefined {
  return isObject(additionalProperties) ? (additionalProperties as JsonSchema) : undefined;
}

/** Whether some value of the schema has rules. */
export function hasRules(schema: JsonSchema | undefined): boolean {
  if (!schema) return false;
  if (rulesOf(schema).length > 0 || hasRules(schema.items) || hasRules(mapValues(schema))) return true;
  return Object.values(schema.properties ?? {}).some(hasRules);
}

let loaded: RuleEngine | undefined;

/** Loads it once, and not before: see there. Validation is synchronous, so this is. */
export function loadRuleEngine(): RuleEngine {
  const file = new URL('./rule-engine.ts', import.meta.url);
  loaded ??= (createRequire(file)(fileURLToPath(file)) as { readonly ruleEngine: RuleEngine }).ruleEngine;
  return loaded;
}
