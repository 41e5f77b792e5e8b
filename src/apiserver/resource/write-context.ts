/** Who writes, and how: what a request says of itself, beside the object. */
import { type LeaderTerm, readTerm, termHeader } from '../../api/leader-term.ts';
import { notSupported } from '../../api/validation/field-error.ts';
import type { UserInfo } from '../auth/user-info.ts';
import type { RequestContext } from '../http/request-context.ts';
import { badRequest, invalidOptions } from '../status/status-error.ts';
import { managerOf, optionsKind } from './field-manager.ts';

/** Whether what is written is stored. */
export interface WriteMode {
  /** Everything is checked and answered, nothing is stored. */
  readonly dryRun: boolean;
  /** Stored only while it lasts. */
  readonly term?: LeaderTerm | undefined;
}

export interface WriteContext extends WriteMode {
  readonly user: UserInfo;
  readonly warnings: string[];
  /** In whose name fields change; undefined where the object comes with its managers written. */
  readonly manager?: string | undefined;
  /** See AdmissionRequest. */
  readonly ownWrite?: boolean | undefined;
  readonly isUnnamed?: boolean | undefined;
  readonly options?: (() => object) | undefined;
}

/** `dryRun` has the values of a body that has its own. Throws 400, 422. */
export function writeContextOf(ctx: RequestContext, dryRun: readonly string[] = ctx.query.getAll('dryRun')): WriteContext {
  const wrong = dryRun.find((value) => value !== 'All' && value !== '');
  if (wrong !== undefined) throw invalidOptions(optionsKind(ctx), notSupported('dryRun', dryRun, ['All']));
  const options = (): object => optionsOf(ctx, dryRun);
  return { user: ctx.user, warnings: ctx.warnings, dryRun: dryRun.includes('All'), term: termAsked(ctx), manager: managerOf(ctx), options };
}

/** Those of the query. */
function optionsOf({ query }: RequestContext, dryRun: readonly string[]): object {
  const [fieldManager, fieldValidation] = [query.get('fieldManager'), query.get('fieldValidation')];
  return {
    ...(dryRun.length > 0 ? { dryRun } : {}),
    ...(fieldManager ? { fieldManager } : {}),
    ...(fieldValidation ? { fieldValidation } : {}),
  };
}

/** A condition that the client sets on itself: it gives no right, and so needs none. */
function termAsked({ req }: RequestContext): LeaderTerm | undefined {
  const text = req.headers[termHeader];
  if (text === undefined) return undefined;
  const term = readTerm(String(text));
  if (!term) throw badRequest(`the header ${termHeader} names no term of a leader`);
  return term;
}
