/** authentication.k8s.io/v1 and authorization.k8s.io/v1: questions that are answered, never stored. */
import {
  localSubjectAccessReviews,
  selfSubjectAccessReviews,
  selfSubjectReviews,
  selfSubjectRulesReviews,
  subjectAccessReviews,
  tokenReviews,
} from '../../resource-types.ts';
import { defineReview } from '../define-row.ts';
import type { ResourceRow } from '../resource-row.ts';

export const reviewRows: readonly ResourceRow[] = [
  defineReview(selfSubjectReviews),
  defineReview(tokenReviews),
  defineReview(localSubjectAccessReviews),
  defineReview(selfSubjectAccessReviews),
  defineReview(selfSubjectRulesReviews),
  defineReview(subjectAccessReviews),
];
