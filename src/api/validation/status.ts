/** Field errors as the answer of the API server: a Status 422, worded as `errors.NewInvalid` of apimachinery does. */
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

/** One text for all errors: repeated ones once, several in brackets. */
export function aggregate(errors: readonly FieldError[]): string {
  const texts = [...new Set(errors.map(textOf))];
  return texts.length === 1 ? texts[0]! : `[${texts.join(', ')}]`;
}

/** The Status of an object that does not validate: code 422, reason Invalid, a cause per error. */
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
      name,
      ...(of.group ? { group: of.group } : {}),
      kind: of.kind,
      causes: errors.map((error) => ({ reason: error.type, message: bodyOf(error), field: error.path })),
    },
    code: 422,
  };
}
