/** Node selectors: nodes are chosen by their labels and by their names. */
import type { NodeSelector, NodeSelectorRequirement, NodeSelectorTerm } from '../schema/types.ts';
import { eachOf, type FieldError, failing, invalid, invalids, required } from './field-error.ts';
import { operatorErrors } from './formats.ts';
import { isDns1123Subdomain, isLabelValue, isQualifiedName } from './names.ts';

export function nodeSelectorErrors({ nodeSelectorTerms }: NodeSelector, path: string): FieldError[] {
  const at = `${path}.nodeSelectorTerms`;
  if (!nodeSelectorTerms?.length) return [required(at, 'must have at least one node selector term')];
  return eachOf(nodeSelectorTerms, at, nodeTermErrors);
}

function nodeTermErrors(term: NodeSelectorTerm, path: string): FieldError[] {
  return [
    ...preferredTermErrors(term, path),
    ...eachOf(term.matchExpressions, `${path}.matchExpressions`, ({ values }, at) =>
      eachOf(values, `${at}.values`, (value, valueAt) => invalids(valueAt, value, isLabelValue(value))),
    ),
  ];
}

/** As for a required term, but values that no label can have are allowed: the term then only never matches. */
export function preferredTermErrors({ matchExpressions, matchFields }: NodeSelectorTerm, path: string): FieldError[] {
  return [
    ...eachOf(matchExpressions, `${path}.matchExpressions`, expressionErrors),
    ...eachOf(matchFields, `${path}.matchFields`, fieldErrors),
  ];
}

function expressionErrors({ key = '', operator, values = [] }: NodeSelectorRequirement, path: string): FieldError[] {
  const isComparison = operator === 'Gt' || operator === 'Lt';
  const single = "must be specified single value when `operator` is 'Lt' or 'Gt'";
  return [
    ...(isComparison ? failing([[values.length !== 1, () => required(`${path}.values`, single)]]) : operatorErrors(operator, values, path)),
    ...invalids(`${path}.key`, key, isQualifiedName(key)),
  ];
}

/** The one field that a node can be selected by is its name. */
function fieldErrors({ key, operator, values = [] }: NodeSelectorRequirement, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (operator !== 'In' && operator !== 'NotIn') errors.push(invalid(`${path}.operator`, operator, 'not a valid selector operator'));
  else if (values.length !== 1) {
    errors.push(required(`${path}.values`, "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"));
  }
  if (key !== 'metadata.name') return [...errors, invalid(`${path}.key`, key, 'not a valid field selector key')];
  return [...errors, ...eachOf(values, `${path}.values`, (value, at) => invalids(at, value, isDns1123Subdomain(value)))];
}
