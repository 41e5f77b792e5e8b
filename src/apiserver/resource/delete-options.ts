/** The options of a deletion: how long, what of the dependents, and which object is meant. */
import type { KubeObject } from '../../api/resource-types.ts';
import type { DeleteOptions } from '../../api/schema/types.ts';
import { failing, invalid, notSupported } from '../../api/validation/field-error.ts';
import { decodeObject } from '../http/body.ts';
import type { RequestContext } from '../http/request-context.ts';
import { invalidOptions } from '../status/status-error.ts';

const policies = ['Foreground', 'Background', 'Orphan'];

/** Throws 422. */
export function checkDeleteOptions({ orphanDependents, propagationPolicy: policy, gracePeriodSeconds: grace }: DeleteOptions): void {
  const errors = failing([
    [
      orphanDependents !== undefined && policy !== undefined,
      () => invalid('propagationPolicy', policy, 'orphanDependents and deletionPropagation cannot be both set'),
    ],
    [policy !== undefined && !policies.includes(policy), () => notSupported('propagationPolicy', policy, [...policies, 'nil'])],
    [
      grace !== undefined && (!Number.isInteger(grace) || grace < -1),
      () => invalid('gracePeriodSeconds', grace, 'must be greater than or equal to 0'),
    ],
  ]);
  if (errors.length > 0) throw invalidOptions('DeleteOptions', ...errors);
}

/** Options of the body, or else of the query. */
export async function deleteOptionsOf(ctx: RequestContext): Promise<DeleteOptions> {
  const { query } = ctx;
  let options: DeleteOptions = {};
  if (ctx.body.length > 0) {
    const expected = { apiVersion: 'v1', kind: 'DeleteOptions', schema: 'DeleteOptions', anyVersion: true };
    options = (await decodeObject(ctx, expected, 'Ignore')) as KubeObject & DeleteOptions;
  } else {
    const grace = query.get('gracePeriodSeconds');
    const policy = query.get('propagationPolicy');
    const orphan = query.get('orphanDependents');
    if (grace !== null) options.gracePeriodSeconds = Number(grace);
    if (policy !== null) options.propagationPolicy = policy;
    if (orphan !== null) options.orphanDependents = orphan === 'true';
    if (query.has('dryRun')) options.dryRun = query.getAll('dryRun');
  }
  checkDeleteOptions(options);
  return options;
}
