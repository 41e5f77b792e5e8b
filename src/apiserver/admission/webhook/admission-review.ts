/** AdmissionReview (admission.k8s.io/v1 and v1beta1): what a webhook is asked, and whether its answer is one. */

import { isObject } from '../../../api/codec/json-object.ts';
import { checkFields, isUnknownField } from '../../../api/codec/strict.ts';
import type { AdmissionResponse, MutatingWebhook } from '../../../api/schema/types.ts';
import { requestFields } from '../match/request-fields.ts';
import type { VersionedRequest } from '../match/versioned-request.ts';

const group = 'admission.k8s.io';
const known: readonly string[] = ['v1', 'v1beta1'];

/** The first one that both know. */
export function reviewVersionOf({ admissionReviewVersions }: MutatingWebhook): string | undefined {
  return admissionReviewVersions?.find((version) => known.includes(version));
}

export interface Question {
  readonly uid: string;
  readonly version: string;
}

/** The JSON of a review. `object` is what is written, as the webhook sees it. */
export function reviewOf({ uid, version }: Question, versioned: VersionedRequest, object: object | undefined): Buffer {
  const review = {
    kind: 'AdmissionReview',
    apiVersion: `${group}/${version}`,
    request: { uid, ...requestFields(versioned), object: object ?? null, oldObject: versioned.old ?? null },
  };
  return Buffer.from(JSON.stringify(review));
}

/** Throws an Error that says what is wrong with the answer. */
export function responseOf(answer: unknown, { uid, version }: Question, mutates: boolean): AdmissionResponse {
  if (!isObject(answer) || typeof answer.kind !== 'string' || answer.kind === '') throw new Error(`Object 'Kind' is missing in the answer`);
  const { kind, apiVersion } = answer;
  if (!isObject(answer.response)) throw new Error('webhook response was absent');
  const response = answer.response as AdmissionResponse;
  const wrong = checkFields(response, 'admission.v1.AdmissionResponse').find((error) => !isUnknownField(error));
  if (wrong !== undefined) throw new Error(wrong);
  // As upstream: of the older version neither is looked at.
  if (version === 'v1beta1') return mutates && response.patch ? { ...response, patchType: 'JSONPatch' } : withoutPatch(response);
  if (response.uid !== uid) throw new Error(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response.uid ?? '')}`);
  if (kind !== 'AdmissionReview' || apiVersion !== `${group}/v1`)
    throw new Error(`expected webhook response of ${group}/v1, Kind=AdmissionReview, got ${String(apiVersion)}, Kind=${kind}`);
  checkPatch(response, mutates);
  return response;
}

function checkPatch({ patch, patchType }: AdmissionResponse, mutates: boolean): void {
  if (!mutates) {
    if (patch) throw new Error('validating webhook may not return response.patch');
    if (patchType !== undefined) throw new Error('validating webhook may not return response.patchType');
    return;
  }
  if (patch && patchType === undefined) throw new Error('webhook returned response.patch but not response.patchType');
  if (!patch && patchType !== undefined) throw new Error('webhook returned response.patchType but not response.patch');
  if (patchType === '') throw new Error('webhook returned invalid response.patchType of ""');
}

function withoutPatch({ patch: _patch, patchType: _patchType, ...rest }: AdmissionResponse): AdmissionResponse {
  return rest;
}
