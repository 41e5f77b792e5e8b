/** Who writes, and how: what a request says of itself, beside the object. */
import { notSupported } from '../../api/validation/field-error.ts';
import type { UserInfo } from '../auth/user-info.ts';
import type { RequestContext } from '../http/request-context.ts';
import { invalidOptions } from '../status/status-error.ts';
import { managerOf, optionsKind } from './field-manager.ts';

export interface WriteContext {
  readonly user: UserInfo;
  /** Everything is checked and answered, nothing is stored. */
  readonly dryRun: boolean;
  readonly warnings: string[];
  /** In whose name fields change; undefined where the object comes with its managers written. */
  readonly manager?: string | undefined;
}

/** `dryRun` has the values of a body that has its own. Throws 422. */
export function writeContextOf(ctx: RequestContext, dryRun: readonly string[] = ctx.query.getAll('dryRun')): WriteContext {
  const wrong = dryRun.find((value) => value !== 'All' && value !== '');
  if (wrong !== undefined) throw invalidOptions(optionsKind(ctx), notSupported('dryRun', wrong, ['All']));
  return { user: ctx.user, warnings: ctx.warnings, dryRun: dryRun.includes('All'), manager: managerOf(ctx) };
}
