/** What expressions see of a request. */
import type { AdmissionInput } from '../../../api/cel/admission/admission-values.ts';
import { type Access, type Authorize, AuthorizerValue } from '../../../api/cel/library/authorization.ts';
import { resourceAttributes } from '../../auth/attributes.ts';
import type { Authorizer } from '../../auth/authorizer.ts';
import { nameOf, namespaceOf, requestFields } from './request-fields.ts';
import { shownObject, type VersionedRequest } from './versioned-request.ts';

export function admissionInput(versioned: VersionedRequest, authorizer: Authorizer): AdmissionInput {
  const { request } = versioned;
  return {
    object: () => shownObject(versioned),
    oldObject: () => versioned.old,
    request: () => requestFields(versioned),
    originalRequest: () => originalFields(versioned),
    authorizer: () => {
      const { type } = request.row;
      const requested = { group: type.group, resource: type.resource, subresource: request.subresource };
      return new AuthorizerValue(request.user, authorizeBy(authorizer), {
        ...requested,
        namespace: namespaceOf(request),
        name: nameOf(versioned),
      });
    },
  };
}

/** As upstream: conditions see the resource that was asked for, and the kind that is shown. */
function originalFields(versioned: VersionedRequest): object {
  const fields = requestFields(versioned);
  return { ...fields, resource: fields.requestResource };
}

function authorizeBy(authorizer: Authorizer): Authorize {
  return (subject, verb, access) =>
    access.path === ''
      ? authorizer.authorize(resourceAttributes(subject, verb, { ...access, version: '*', query: queryOf(access) }))
      : authorizer.authorize({ ...resourceAttributes(subject, verb, { path: access.path }), isResource: false });
}

/** The node authorizer looks at selectors where a request has them: in its query. */
function queryOf({ fieldSelector, labelSelector }: Access): URLSearchParams {
  return new URLSearchParams({ ...(fieldSelector ? { fieldSelector } : {}), ...(labelSelector ? { labelSelector } : {}) });
}
