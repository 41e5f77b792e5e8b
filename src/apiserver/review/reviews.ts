/** Questions about who one is and what one may: answered from memory, never stored. */
import type { KindedObject } from '../../api/codec/protobuf.ts';
import type {
  LocalSubjectAccessReview,
  SelfSubjectAccessReview,
  SelfSubjectReview,
  SelfSubjectRulesReview,
  SubjectAccessReview,
  SubjectAccessReviewSpec,
  SubjectAccessReviewStatus,
  TokenReview,
} from '../../api/schema/types.ts';
import { timestamp } from '../../clock/timestamp.ts';
import type { Attributes } from '../auth/attributes.ts';
import type { Authenticator } from '../auth/authenticator.ts';
import type { Authorizer } from '../auth/authorizer.ts';
import type { UserInfo } from '../auth/user-info.ts';
import { decodeObject, expectedOf } from '../http/body.ts';
import { sendObject } from '../http/reply.ts';
import type { RequestContext } from '../http/request-context.ts';
import { type Handler, specialKey } from '../router.ts';
import { badRequest, StatusError } from '../status/status-error.ts';

interface ReviewDeps {
  readonly authenticator: Authenticator;
  readonly authorizer: Authorizer;
  readonly now: () => number;
}

const authentication = 'authentication.k8s.io';
const authorization = 'authorization.k8s.io';

export function reviewHandlers(deps: ReviewDeps): [string, Handler][] {
  const reviews: [string, string, (asked: never, ctx: RequestContext) => object | Promise<object>][] = [
    [authentication, 'selfsubjectreviews', whoAmI],
    [authentication, 'tokenreviews', (asked: TokenReview) => reviewToken(deps, asked)],
    [authorization, 'subjectaccessreviews', (asked: SubjectAccessReview) => reviewAccess(deps, asked)],
    [authorization, 'localsubjectaccessreviews', (asked: LocalSubjectAccessReview, ctx) => reviewLocal(deps, ctx, asked)],
    [authorization, 'selfsubjectaccessreviews', (asked: SelfSubjectAccessReview, ctx) => reviewSelf(deps, ctx, asked)],
    [authorization, 'selfsubjectrulesreviews', (asked: SelfSubjectRulesReview, ctx) => reviewRules(deps, ctx, asked)],
  ];
  return reviews.map(([group, resource, answer]) => [
    specialKey(group, resource),
    async (ctx, row) => {
      const asked = await decodeObject(ctx, expectedOf(row));
      const body = (await answer(asked as never, ctx)) as KindedObject & { metadata?: { creationTimestamp?: string } };
      body.metadata = { creationTimestamp: timestamp(deps.now()), ...body.metadata };
      sendObject(ctx, 201, body);
    },
  ]);
}

/** As authentication.k8s.io/v1 UserInfo. */
function userInfoOf(user: UserInfo): object {
  return { username: user.name, ...(user.uid ? { uid: user.uid } : {}), groups: user.groups, ...(user.extra ? { extra: user.extra } : {}) };
}

function whoAmI(asked: SelfSubjectReview, { user }: RequestContext): object {
  return { ...asked, status: { userInfo: userInfoOf(user) } };
}

async function reviewToken({ authenticator }: ReviewDeps, asked: TokenReview): Promise<object> {
  if (!asked.spec?.token) throw badRequest('token is required for TokenReview in authentication');
  const result = await authenticator.review(asked.spec.token, asked.spec.audiences);
  const status = result.authenticated
    ? { authenticated: true, user: userInfoOf(result.user), audiences: result.audiences }
    : { authenticated: false, user: {}, ...(result.error ? { error: result.error } : {}) };
  return { ...asked, status };
}

function reviewAccess(deps: ReviewDeps, asked: SubjectAccessReview): object {
  const { spec } = asked;
  if (!spec?.user && !spec?.groups?.length) {
    throw new StatusError(
      422,
      'Invalid',
      'SubjectAccessReview.authorization.k8s.io "" is invalid: spec.user: Required value: at least one of user or group must be specified',
    );
  }
  return { ...asked, status: decide(deps, subjectOf(spec), spec) };
}

function reviewLocal(deps: ReviewDeps, ctx: RequestContext, asked: LocalSubjectAccessReview): object {
  const { namespace } = ctx.info;
  if ((asked.spec?.resourceAttributes?.namespace ?? '') !== namespace) {
    throw badRequest(`spec.resourceAttributes.namespace must match namespace: ${namespace}`);
  }
  return { ...asked, metadata: { ...asked.metadata, namespace }, status: decide(deps, subjectOf(asked.spec), asked.spec) };
}

function reviewSelf(deps: ReviewDeps, ctx: RequestContext, asked: SelfSubjectAccessReview): object {
  return { ...asked, status: decide(deps, ctx.user, asked.spec ?? {}) };
}

function reviewRules({ authorizer }: ReviewDeps, ctx: RequestContext, asked: SelfSubjectRulesReview): object {
  const namespace = asked.spec?.namespace ?? '';
  if (!namespace) throw badRequest('no namespace on request');
  return { ...asked, status: authorizer.rulesOf(ctx.user, namespace) };
}

function subjectOf(spec: SubjectAccessReviewSpec): UserInfo {
  return {
    name: spec.user ?? '',
    groups: spec.groups ?? [],
    ...(spec.uid ? { uid: spec.uid } : {}),
    ...(spec.extra ? { extra: spec.extra as Record<string, string[]> } : {}),
  };
}

type Question = Pick<SubjectAccessReviewSpec, 'resourceAttributes' | 'nonResourceAttributes'>;

function decide({ authorizer }: ReviewDeps, user: UserInfo, question: Question): SubjectAccessReviewStatus {
  const { allowed, reason } = authorizer.authorize(attributesOf(user, question));
  return { allowed, ...(reason ? { reason } : {}) };
}

function attributesOf(user: UserInfo, { resourceAttributes: r, nonResourceAttributes: n }: Question): Attributes {
  const none = { path: '', group: '', version: '', resource: '', subresource: '', namespace: '', name: '' };
  if (n && !r) return { ...none, user, isResource: false, verb: n.verb ?? '', path: n.path ?? '' };
  if (!r || n) {
    throw new StatusError(
      422,
      'Invalid',
      'SubjectAccessReview.authorization.k8s.io "" is invalid: spec.resourceAttributes: Invalid value: exactly one of nonResourceAttributes or resourceAttributes must be specified',
    );
  }
  return {
    ...none,
    user,
    isResource: true,
    verb: r.verb ?? '',
    group: r.group ?? '',
    version: r.version ?? '',
    resource: r.resource ?? '',
    subresource: r.subresource ?? '',
    namespace: r.namespace ?? '',
    name: r.name ?? '',
  };
}
