/** Which nodes are meant: by their labels, and by their names. */
import type { NodeSelector, NodeSelectorRequirement, NodeSelectorTerm } from '../schema/types.ts';
import { eachOf, type FieldError, forbidden, invalid, invalids, required } from './field-error.ts';
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

/** A term that is only preferred may name values that no label can have: it is never met then. */
export function preferredTermErrors({ matchExpressions, matchFields }: NodeSelectorTerm, path: string): FieldError[] {
  return [
    ...eachOf(matchExpressions, `${path}.matchExpressions`, expressionErrors),
    ...eachOf(matchFields, `${path}.matchFields`, fieldErrors),
  ];
}

function expressionErrors({ key = '', operator, values = [] }: NodeSelectorRequirement, path: string): FieldError[] {
  return [...operatorErrors(operator, values, path), ...invalids(`${path}.key`, key, isQualifiedName(key))];
}

function operatorErrors(operator: string, values: readonly string[], path: string): FieldError[] {
  const at = `${path}.values`;
  switch (operator) {
    case 'In':
    case 'NotIn':
      return values.length > 0 ? [] : [required(at, "must be specified when `operator` is 'In' or 'NotIn'")];
    case 'Exists':
    case 'DoesNotExist':
      return values.length === 0 ? [] : [forbidden(at, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")];
    case 'Gt':
    case 'Lt':
      return values.length === 1 ? [] : [required(at, "must be specified single value when `operator` is 'Lt' or 'Gt'")];
    default:
      return [invalid(`${path}.operator`, operator, 'not a valid selector operator')];
  }
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
