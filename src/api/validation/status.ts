/** Field errors as the API server's answer: a Status 422, with the words of apimachinery's `errors.NewInvalid`. */
import type { Status } from '../schema/types.ts';
import { bodyOf, type FieldError, textOf } from './field-error.ts';

export interface GroupKind {
  /** '' for the core group. */
  readonly group: string;
  readonly kind: string;
}

/** `Deployment.apps`, or `Pod`. */
function groupKindText(of: GroupKind): string {
  return of.group ? `${of.kind}.${of.group}` : of.kind;
}

/** All errors in one text: each once, and several in brackets. */
export function aggregate(errors: readonly FieldError[]): string {
  const texts = [...new Set(errors.map(textOf))];
  return texts.length === 1 ? texts[0]! : `[${texts.join(', ')}]`;
}

/** The Status of an object that is not valid: code 422, reason Invalid, a cause for each error. */
export function statusOfErrors(of: GroupKind, name: string, errors: readonly FieldError[]): Status {
  const subject = `${groupKindText(of)} ${JSON.stringify(name)} is invalid`;
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: errors.length > 0 ? `${subject}: ${aggregate(errors)}` : subject,
    reason: 'Invalid',
    details: {
      ...(name ? { name } : {}),
      ...(of.group ? { group: of.group } : {}),
      ...(of.kind ? { kind: of.kind } : {}),
      causes: errors.map((error) => ({ reason: error.type, message: bodyOf(error), field: error.path })),
    },
    code: 422,
  };
}
