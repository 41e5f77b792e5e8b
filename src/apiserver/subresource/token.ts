/** `serviceaccounts/token`: a token for a ServiceAccount (TokenRequest). */
import { serviceAccounts } from '../../api/resource-types.ts';
import type { ServiceAccount, TokenRequest } from '../../api/schema/types.ts';
import { invalid } from '../../api/validation/field-error.ts';
import { statusOfErrors } from '../../api/validation/status.ts';
import { timestamp } from '../../clock/timestamp.ts';
import type { AdmissionChain } from '../admission/admission.ts';
import type { TokenIssuer } from '../auth/token-issuer.ts';
import type { Lookup } from '../cache/lookup.ts';
import { decodeObject } from '../http/body.ts';
import { sendObject } from '../http/reply.ts';
import { writeContextOf } from '../resource/write-context.ts';
import type { Handler } from '../router.ts';
import { badRequest, conflict, methodNotAllowed, notFound, otherNamespace, StatusError } from '../status/status-error.ts';

const tokenRequest = { group: 'authentication.k8s.io', kind: 'TokenRequest' } as const;

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
    checkPlace(asked, namespace, name);
    await deps.fresh();
    const account = deps.lookup.get(serviceAccounts, name, namespace);
    if (!account) throw notFound(row.type, name);
    checkUid(asked, account);
    const what = { row, subresource: 'token', namespace, name, object: asked, old: undefined };
    await deps.admission.admit({ operation: 'CREATE', ...what, ...writeContextOf(ctx) });
    const { token, expirationTimestamp, audiences, expirationSeconds, warning } = await deps.issuer.issue(account, asked.spec ?? {});
    if (warning !== undefined) ctx.warnings.push(warning);
    sendObject(ctx, 201, {
      ...asked,
      metadata: { ...asked.metadata, name, namespace, creationTimestamp: timestamp(deps.now()) },
      spec: { ...asked.spec, audiences, expirationSeconds, boundObjectRef: asked.spec?.boundObjectRef ?? null },
      status: { token, expirationTimestamp },
    });
  };
}

/** What a request says of its account is what its path says. */
function checkPlace({ metadata }: TokenRequest, namespace: string, name: string): void {
  if (metadata?.namespace && metadata.namespace !== namespace) throw badRequest(otherNamespace);
  if (!metadata?.name || metadata.name === name) return;
  const wrong = invalid('metadata.name', metadata.name, 'must match the service account name if specified');
  throw StatusError.of(statusOfErrors(tokenRequest, name, [wrong]));
}

function checkUid({ metadata }: TokenRequest, account: ServiceAccount): void {
  const { name, uid } = account.metadata;
  if (!metadata?.uid || metadata.uid === uid) return;
  const why = `the UID in the token request (${metadata.uid}) does not match the UID of the service account (${uid})`;
  throw conflict({ group: tokenRequest.group, resource: tokenRequest.kind }, name, why);
}
