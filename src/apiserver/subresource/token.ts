/** `serviceaccounts/token`: a token for a ServiceAccount (TokenRequest). */
import { serviceAccounts } from '../../api/resource-types.ts';
import type { TokenRequest } from '../../api/schema/types.ts';
import { timestamp } from '../../clock/timestamp.ts';
import type { AdmissionChain } from '../admission/admission.ts';
import type { TokenIssuer } from '../auth/token-issuer.ts';
import type { Lookup } from '../cache/lookup.ts';
import { decodeObject } from '../http/body.ts';
import { sendObject } from '../http/reply.ts';
import { writeContextOf } from '../resource/write-context.ts';
import type { Handler } from '../router.ts';
import { methodNotAllowed, notFound, StatusError } from '../status/status-error.ts';

const reasons: Readonly<Record<number, string>> = { 404: 'NotFound', 409: 'Conflict', 422: 'Invalid' };

function textOf({ field, message }: { readonly field?: string; readonly message: string }): string {
  return field ? `TokenRequest.authentication.k8s.io "" is invalid: ${field}: ${message}` : message;
}

export function tokenHandler(deps: {
  readonly lookup: Lookup;
  readonly issuer: TokenIssuer;
  readonly admission: AdmissionChain;
  /** The pods and secrets that tokens are bound to have to be known. */
  readonly fresh: () => Promise<void>;
  readonly now: () => number;
}): Handler {
  return async (ctx, row) => {
    if (ctx.info.verb !== 'create') throw methodNotAllowed();
    const { namespace, name } = ctx.info;
    const asked = (await decodeObject(ctx, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      schema: 'TokenRequest',
    })) as TokenRequest;
    await deps.fresh();
    const account = deps.lookup.get(serviceAccounts, name, namespace);
    if (!account) throw notFound(row.type, name);
    const what = { row, subresource: 'token', namespace, name, object: asked, old: undefined };
    await deps.admission.admit({ operation: 'CREATE', ...what, ...writeContextOf(ctx) });
    const issued = await deps.issuer.issue(account, asked.spec ?? {});
    if (!issued.ok) {
      const field = issued.field ? { causes: [{ field: issued.field, message: issued.message }] } : {};
      throw new StatusError(issued.code, reasons[issued.code] ?? 'Invalid', textOf(issued), { name, kind: 'serviceaccounts', ...field });
    }
    const { token, expirationTimestamp, audiences, expirationSeconds, warning } = issued;
    if (warning !== undefined) ctx.warnings.push(warning);
    sendObject(ctx, 201, {
      ...asked,
      metadata: { ...asked.metadata, name, namespace, creationTimestamp: timestamp(deps.now()) },
      spec: { ...asked.spec, audiences, expirationSeconds },
      status: { token, expirationTimestamp },
    });
  };
}
